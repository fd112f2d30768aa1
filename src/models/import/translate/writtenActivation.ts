import type { FileNode } from "../../../onnx/index.ts";
import { sizeOf } from "../../../tensors/index.ts";
import type { ModelOutput } from "../../model.ts";
import { producersOf } from "../analysis/reachability.ts";
import { traitsOf } from "../ops/operators.ts";
import type { PreparedModel } from "../prepared/preparedModel.ts";

/** An activation that a few nodes compute together, and the value it is one of. */
export interface WrittenActivation {
  readonly operator: NonNullable<ModelOutput["activation"]>;
  readonly before: string;
}

/** The graph in which activations are looked for. */
interface Place {
  readonly producers: ReadonlyMap<string, FileNode>;
  readonly constants: PreparedModel["constants"];
}

/**
 * The activation that a node ends, where it is written out in elementary operators, as converters do for operators that they
 * or the operator set lack:
 *
 * - Softmax: e / sum(e), e = exp(z) or exp(z - m) with any m that is the same for all classes, as their maximum is;
 * - LogSoftmax: z - log(sum(exp(z))), also by ReduceLogSumExp and with a maximum taken off, and the Log of a Softmax;
 * - Sigmoid: 1 / (1 + exp(-z)) and exp(z) / (1 + exp(z)).
 *
 * A maximum that is taken off first is left out of `before`, since none of these activations depends on it.
 */
export async function writtenActivation(
  model: Pick<PreparedModel, "nodes" | "constants">,
  node: FileNode,
): Promise<WrittenActivation | undefined> {
  if (node.domain !== "") return undefined;
  const place: Place = { producers: producersOf(model.nodes), constants: model.constants };
  const quotient = await quotientOf(place, node);
  if (quotient !== undefined) {
    return (await softmaxOf(place, quotient)) ?? (await sigmoidOf(place, quotient));
  }
  if (node.op === "Sub") return logSoftmaxOf(place, node);
  return node.op === "Log" ? logOfSoftmax(place, node) : undefined;
}

interface Quotient {
  /** undefined means 1. */
  readonly numerator: string | undefined;
  readonly denominator: string;
}

/** A node as a quotient: Div, Reciprocal, or a Mul with a Reciprocal. */
async function quotientOf(place: Place, { op, inputs }: FileNode): Promise<Quotient | undefined> {
  const [a, b] = inputs;
  if (op === "Reciprocal") return { numerator: undefined, denominator: a };
  if (op === "Div") return { numerator: (await isNumber(place, a, 1)) ? undefined : a, denominator: b };
  if (op === "Pow" && (await isNumber(place, b, -1))) return { numerator: undefined, denominator: a };
  if (op !== "Mul") return undefined;
  for (const [factor, other] of [inputs, [b, a]]) {
    const inverse = nodeOf(place, other);
    if (inverse?.op === "Reciprocal") return { numerator: factor, denominator: inverse.inputs[0] };
  }
  return undefined;
}

async function softmaxOf(place: Place, { numerator, denominator }: Quotient): Promise<WrittenActivation | undefined> {
  const exponential = numerator === undefined ? undefined : nodeOf(place, numerator);
  if (exponential?.op !== "Exp") return undefined;
  const sum = await reductionOf(place, denominator, "ReduceSum");
  if (sum === undefined || nodeOf(place, sum.operand) !== exponential) return undefined;
  return { operator: "Softmax", before: await withoutMaximum(place, exponential.inputs[0], sum.axis) };
}

async function sigmoidOf(place: Place, { numerator, denominator }: Quotient): Promise<WrittenActivation | undefined> {
  const sum = nodeOf(place, denominator);
  if (sum?.op !== "Add") return undefined;
  const [a, b] = sum.inputs;
  const other = (await isNumber(place, a, 1)) ? b : (await isNumber(place, b, 1)) ? a : undefined;
  const exponential = other === undefined ? undefined : nodeOf(place, other);
  if (exponential?.op !== "Exp") return undefined;
  const [exponent] = exponential.inputs;
  if (numerator !== undefined) {
    return nodeOf(place, numerator) === exponential ? { operator: "Sigmoid", before: exponent } : undefined;
  }
  const before = await negatedBy(place, exponent);
  return before === undefined ? undefined : { operator: "Sigmoid", before };
}

/** z where the value is -z. */
async function negatedBy(place: Place, name: string): Promise<string | undefined> {
  const node = nodeOf(place, name);
  const [a, b] = node?.inputs ?? [];
  if (node?.op === "Neg") return a;
  if (node?.op === "Sub") return (await isNumber(place, a, 0)) ? b : undefined;
  if (node?.op !== "Mul" && node?.op !== "Div") return undefined;
  if (await isNumber(place, b, -1)) return a;
  return node.op === "Mul" && (await isNumber(place, a, -1)) ? b : undefined;
}

/** z - log(sum(exp(z))) in its forms. */
async function logSoftmaxOf(place: Place, { inputs: [z, taken] }: FileNode): Promise<WrittenActivation | undefined> {
  const normalizer = await reductionOf(place, taken, "ReduceLogSumExp");
  if (normalizer !== undefined && sourceOf(place, normalizer.operand) === sourceOf(place, z)) {
    return { operator: "LogSoftmax", before: await withoutMaximum(place, z, normalizer.axis) };
  }
  const parts = nodeOf(place, taken);
  // z - (m + log(sum(exp(z - m)))) or z - log(sum(exp(z))).
  const summands = parts?.op === "Add" ? [parts.inputs, [parts.inputs[1], parts.inputs[0]]] : [[undefined, taken]];
  for (const [maximum, logarithm] of summands) {
    const sum = await logarithmOfSum(place, logarithm!);
    if (sum === undefined) continue;
    const shifted = nodeOf(place, sum.exponent);
    const isShift =
      maximum !== undefined &&
      shifted?.op === "Sub" &&
      sourceOf(place, shifted.inputs[0]) === sourceOf(place, z) &&
      sourceOf(place, shifted.inputs[1]) === sourceOf(place, maximum);
    const isSame = maximum === undefined && sourceOf(place, sum.exponent) === sourceOf(place, z);
    if (isShift || isSame) {
      const before = await withoutMaximum(place, isShift ? sum.exponent : z, sum.axis);
      return { operator: "LogSoftmax", before };
    }
  }
  return undefined;
}

/** log(sum(exp(z))) as z and the axis of the sum. */
async function logarithmOfSum(
  place: Place,
  name: string,
): Promise<{ readonly exponent: string; readonly axis: number } | undefined> {
  const found = await keptBy(place, name);
  const logarithm = nodeOf(place, found.name);
  if (logarithm?.op !== "Log") return undefined;
  const sum = await reductionOf(place, logarithm.inputs[0], "ReduceSum", found.axis);
  const exponential = sum === undefined ? undefined : nodeOf(place, sum.operand);
  return exponential?.op === "Exp" ? { exponent: exponential.inputs[0], axis: sum!.axis } : undefined;
}

/** The Log of a Softmax, as one node or written out. */
async function logOfSoftmax(place: Place, { inputs: [name] }: FileNode): Promise<WrittenActivation | undefined> {
  const node = nodeOf(place, name);
  if (node === undefined || node.domain !== "") return undefined;
  if (node.op === "Softmax") return { operator: "LogSoftmax", before: node.inputs[0] };
  const quotient = await quotientOf(place, node);
  const written = quotient && (await softmaxOf(place, quotient));
  return written && { operator: "LogSoftmax", before: written.before };
}

/** z where the value is z minus its own maximum along the axis, else the value itself. */
async function withoutMaximum(place: Place, name: string, axis: number): Promise<string> {
  const node = nodeOf(place, name);
  if (node?.op !== "Sub") return name;
  const maximum = await reductionOf(place, node.inputs[1], "ReduceMax");
  const isOwn = maximum?.axis === axis && sourceOf(place, maximum.operand) === sourceOf(place, node.inputs[0]);
  return isOwn ? node.inputs[0] : name;
}

/** Operand of a reduction over one axis that is kept with size 1. `kept` is the axis that a later Unsqueeze puts back. */
async function reductionOf(
  place: Place,
  name: string,
  op: string,
  kept?: number,
): Promise<{ readonly operand: string; readonly axis: number } | undefined> {
  const found = await keptBy(place, name);
  const node = nodeOf(place, found.name);
  if (node?.op !== op) return undefined;
  const axes = await axesOf(place, node);
  // A sum over the first axis would be one over rows.
  if (axes?.length !== 1 || axes[0] === 0) return undefined;
  const { keepdims } = node.attributes;
  const keeps = keepdims === undefined || !("int" in keepdims) || keepdims.int !== 0;
  const restored = found.axis ?? kept;
  if (keeps ? restored !== undefined : restored !== axes[0]) return undefined;
  return { operand: node.inputs[0], axis: axes[0] };
}

/** The value before an Unsqueeze by one axis, with the axis. */
async function keptBy(place: Place, name: string): Promise<{ readonly name: string; readonly axis?: number }> {
  const node = nodeOf(place, name);
  if (node?.op !== "Unsqueeze") return { name };
  const axes = await axesOf(place, node);
  return axes?.length === 1 ? { name: node.inputs[0], axis: axes[0] } : { name };
}

async function axesOf(place: Place, { attributes, inputs }: FileNode): Promise<readonly number[] | undefined> {
  const { axes } = attributes;
  if (axes !== undefined && "ints" in axes) return axes.ints;
  return inputs[1] === undefined || inputs[1] === "" ? undefined : numbersOf(place, inputs[1]);
}

/** The node of the standard operators behind a value, past those that hand it on. */
function nodeOf(place: Place, name: string): FileNode | undefined {
  const node = place.producers.get(sourceOf(place, name));
  return node?.domain === "" ? node : undefined;
}

/** The value that a value is the same as, past nodes that hand it on. */
function sourceOf({ producers }: Place, name: string): string {
  let source = name;
  for (let steps = producers.size; steps > 0; steps--) {
    const node = producers.get(source);
    if (node === undefined || traitsOf(node).passes !== "unchanged") break;
    [source] = node.inputs;
  }
  return source;
}

async function isNumber(place: Place, name: string, value: number): Promise<boolean> {
  const numbers = await numbersOf(place, name);
  return numbers?.length === 1 && numbers[0] === value;
}

/** Numbers of a constant with a few of them. */
async function numbersOf(place: Place, name: string): Promise<readonly number[] | undefined> {
  const constant = place.constants.get(sourceOf(place, name));
  if (constant === undefined || sizeOf(constant.dims) > 8 || constant.dtype === "string") return undefined;
  return Array.from((await constant.load()).data as ArrayLike<number | bigint>, Number);
}
