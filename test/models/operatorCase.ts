import { stream } from "../../src/random/index.ts";
import { type AttributeValue, sizeOf, type Tensor } from "../../src/tensors/index.ts";

/** One form of an operator: a model of one node. Float operands are parameters, except `fixed` ones. */
export interface OperatorCase {
  /** What the form shows. */
  readonly title: string;
  /** Version of the operator set; of com.microsoft, version 1 is meant. Default 17. */
  readonly opset?: number;
  readonly domain?: string;
  readonly attributes?: { readonly [name: string]: AttributeValue };
  /** null stands for an operand that is absent. */
  readonly operands: readonly (Operand | null)[];
  /** Default 1. */
  readonly outputs?: number;
  /** Which outputs are compared; default all. */
  readonly compared?: readonly number[];
}

/** An operand: a float that is a parameter, or something that is none. */
export type Operand =
  | { readonly parameter: Tensor }
  | { readonly fixed: Tensor }
  | { readonly fixed: Tensor; readonly asInput: true };

/** A float parameter of independent numbers, in [low, high]; by default normal. */
export function float(dims: readonly number[], range?: readonly [low: number, high: number]): Operand {
  const random = stream(7, dims.join());
  const draw = () => (range === undefined ? random.normal() : range[0] + (range[1] - range[0]) * random.uniform());
  return { parameter: { data: Float32Array.from({ length: sizeOf(dims) }, draw), dims } };
}

/** A float parameter with these elements. */
export function floats(values: readonly number[], dims: readonly number[] = [values.length]): Operand {
  return { parameter: { data: Float32Array.from(values), dims } };
}

/** A float that is no parameter. */
export function fixed(values: readonly number[], dims: readonly number[] = [values.length]): Operand {
  return { fixed: { data: Float32Array.from(values), dims } };
}

/** Constant int64 numbers. */
export function integers(values: readonly number[], dims: readonly number[] = [values.length]): Operand {
  return { fixed: { data: BigInt64Array.from(values, BigInt), dims } };
}

/** Constant int32 numbers. */
export function int32(values: readonly number[], dims: readonly number[] = [values.length]): Operand {
  return { fixed: { data: Int32Array.from(values), dims } };
}

/** int64 numbers that are given when the model is run. */
export function givenIntegers(values: readonly number[], dims: readonly number[] = [values.length]): Operand {
  return { fixed: { data: BigInt64Array.from(values, BigInt), dims }, asInput: true };
}

/** Booleans that are given when the model is run. */
export function givenBooleans(values: readonly number[], dims: readonly number[] = [values.length]): Operand {
  return { fixed: { data: Uint8Array.from(values), dims, dtype: "bool" }, asInput: true };
}
