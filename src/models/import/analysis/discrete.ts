import type { FileNode } from "../../../onnx/index.ts";

/** Operators whose results are integers or booleans, or depend on the shape of their operand only. */
const DISCRETE: ReadonlySet<string> = new Set([
  "And",
  "ArgMax",
  "ArgMin",
  "Equal",
  "EyeLike",
  "Greater",
  "GreaterOrEqual",
  "IsInf",
  "IsNaN",
  "Less",
  "LessOrEqual",
  "NonZero",
  "Not",
  "Or",
  "QuantizeLinear",
  "Shape",
  "Size",
  "Xor",
]);

/** ONNX codes of element types that are floats here: float, float16, double, bfloat16. */
export const FLOAT_CODES: ReadonlySet<number> = new Set([1, 10, 11, 16]);

/** Whether no derivative passes through a node: it can be carried even where a parameter reaches it. */
export function isDiscrete({ op, domain, attributes }: FileNode): boolean {
  if (domain !== "") return false;
  const { to } = attributes;
  if (op === "Cast") return to !== undefined && "int" in to && !FLOAT_CODES.has(to.int);
  return DISCRETE.has(op);
}

/** Operators whose result has a shape that depends on the numbers in their operands. */
const SHAPED_BY_DATA: ReadonlySet<string> = new Set([
  "Compress",
  "NonMaxSuppression",
  "NonZero",
  "StringSplit",
  "Unique",
]);

/** Whether the shape of the result depends on more than shapes; that of Compress on its condition alone. */
export function isShapedByData({ op, domain, inputs }: FileNode, statics: ReadonlySet<string>): boolean {
  if (domain !== "" || !SHAPED_BY_DATA.has(op)) return false;
  return op !== "Compress" || !statics.has(inputs[1]);
}
