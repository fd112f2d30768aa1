import { CurvatureError } from "../../../errors/index.ts";
import { constantTensor, type Shape, type Value } from "../../../graph/index.ts";
import type { AttributeValue, Tensor } from "../../../tensors/index.ts";

/** A node of a file as its operator's rule sees it. */
export interface ImportedNode {
  readonly op: string;
  /** "" for the standard operators. */
  readonly domain: string;
  readonly name: string;
  /** Version of the operator set that the file uses. */
  readonly opset: number;
  readonly inputs: readonly (Value | undefined)[];
  /** Shapes of the outputs as ONNX Runtime has computed them; undefined for absent outputs. */
  readonly outputShapes: readonly (Shape | undefined)[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  /** Operators that read the first output, by name. */
  readonly consumers: readonly string[];
}

/** Rule of an operator: the primitives that compute its outputs. Throws CurvatureError "unsupported" for forms without one. */
export type OperatorRule = (node: ImportedNode) => Value | readonly (Value | undefined)[];

/** Operand at a position, which must be there. */
export function operand(node: ImportedNode, position: number): Value {
  const value = node.inputs[position];
  if (value === undefined) throw unsupported(node, `lacks its input number ${position + 1}`);
  return value;
}

/** Integer attribute. */
export function int(node: ImportedNode, name: string, otherwise: number): number {
  const value = node.attributes[name];
  return value !== undefined && "int" in value ? value.int : otherwise;
}

/** Float attribute. */
export function float(node: ImportedNode, name: string, otherwise: number): number {
  const value = node.attributes[name];
  return value !== undefined && "float" in value ? value.float : otherwise;
}

/** Attribute of several integers; undefined if absent. */
export function ints(node: ImportedNode, name: string): readonly number[] | undefined {
  const value = node.attributes[name];
  return value !== undefined && "ints" in value ? value.ints : undefined;
}

/** Attribute of several numbers; empty if absent. */
export function floats(node: ImportedNode, name: string): readonly number[] {
  const value = node.attributes[name];
  return value !== undefined && "floats" in value ? value.floats : [];
}

/** String attribute. */
export function string(node: ImportedNode, name: string, otherwise: string): string {
  const value = node.attributes[name];
  return value !== undefined && "string" in value ? value.string : otherwise;
}

/** The tensor of an operand that is known when the graph is built; undefined if the operand is absent. */
export function knownTensor(node: ImportedNode, position: number): Tensor | undefined {
  const value = node.inputs[position];
  if (value === undefined) return undefined;
  const tensor = constantTensor(value);
  if (tensor === undefined)
    throw unsupported(node, `has an input number ${position + 1} that depends on the data; it must be constant`);
  return tensor;
}

/** The numbers of an operand that is known when the graph is built; undefined if the operand is absent. */
export function knownNumbers(node: ImportedNode, position: number): number[] | undefined {
  const tensor = knownTensor(node, position);
  return tensor && Array.from(tensor.data as ArrayLike<number | bigint>, Number);
}

/** Shape of an output that the file names. */
export function outputShape(node: ImportedNode, position = 0): Shape {
  const shape = node.outputShapes[position];
  if (shape === undefined) throw unsupported(node, `leaves out its output number ${position + 1}`);
  return shape;
}

/** Integers that were an attribute in older operator sets and are a constant operand in newer ones; undefined if absent. */
export function listed(node: ImportedNode, name: string, position: number): readonly number[] | undefined {
  return ints(node, name) ?? knownNumbers(node, position);
}

/** A number that was an attribute in older operator sets and is a constant operand in newer ones; undefined if absent. */
export function bound(node: ImportedNode, name: string, position: number): number | undefined {
  const value = node.attributes[name];
  return value !== undefined && "float" in value ? value.float : knownNumbers(node, position)?.[0];
}

/** Error for a form of an operator that has no rule. */
export function unsupported({ op, name }: Pick<ImportedNode, "op" | "name">, what: string): CurvatureError {
  return new CurvatureError("unsupported", `operator ${op}${name === "" ? "" : ` (node "${name}")`} ${what}`);
}
