import { CurvatureError } from "../errors/index.ts";
import { dtypeOf, formatDims, sizeOf, type Tensor, type TensorData, type Vector } from "../tensors/index.ts";
import type { Batch, RowType } from "./data.ts";

/** Rows without their position in the data set. */
export type Rows = Omit<Batch, "start">;

/** Rows in the form that callers pass: one unnamed input or several by name, and weights in any list of numbers. */
export interface RowsInput {
  /** One tensor `[rows, ...]` for a model with one input, or such tensors by the names of the model's inputs. */
  readonly inputs: Tensor | { readonly [name: string]: Tensor };
  /** `[rows, ...]`. */
  readonly targets?: Tensor;
  /** Factor of each row's loss, `[rows]`, finite and not negative. */
  readonly weights?: ArrayLike<number>;
}

/** Element type and dimensions of one row of a tensor `[rows, ...]`. */
export function rowTypeOf(tensor: Tensor): RowType {
  return { dims: tensor.dims.slice(1), dtype: dtypeOf(tensor) };
}

/** Dimensions and element type of a row, as written in messages: `[28, 28] uint8`. */
export function formatRowType({ dims, dtype }: RowType): string {
  return `${formatDims(dims)} ${dtype}`;
}

/**
 * Checks rows that a caller passed: every array has the length that its dimensions imply, and all have the same number of rows.
 *
 * @param where name of these rows in messages
 */
export function checkedRows({ inputs, targets, weights }: RowsInput, where: string): Rows {
  const named = isTensor(inputs) ? { "": inputs } : inputs;
  const parts: [string, number][] = Object.entries(named).map(([name, tensor]) => [
    name === "" ? "the input" : `input "${name}"`,
    rowCount(tensor, `${where}: ${name === "" ? "the input" : `input "${name}"`}`),
  ]);
  if (parts.length === 0) throw new CurvatureError("data", `${where}: expected at least one input tensor, got none`);
  if (targets !== undefined) parts.push(["targets", rowCount(targets, `${where}: targets`)]);
  if (weights !== undefined) parts.push(["weights", weights.length]);
  const [first, rows] = parts[0]!;
  for (const [part, count] of parts) {
    if (count === rows) continue;
    throw new CurvatureError(
      "data",
      `${where}: ${first} has ${rows} rows but ${part} ${part.endsWith("s") ? "have" : "has"} ${count}; every part needs one entry a row, in the same order`,
    );
  }
  return {
    rows,
    inputs: named,
    ...(targets === undefined ? {} : { targets }),
    ...(weights === undefined ? {} : { weights: checkedWeights(weights, where) }),
  };
}

function isTensor(inputs: RowsInput["inputs"]): inputs is Tensor {
  return Array.isArray(inputs.dims);
}

function rowCount({ data, dims }: Tensor, where: string): number {
  if (dims.length === 0) {
    throw new CurvatureError("shape", `${where}: expected dimensions [rows, ...], got a scalar []`);
  }
  if (data.length !== sizeOf(dims)) {
    throw new CurvatureError(
      "shape",
      `${where}: dimensions ${formatDims(dims)} need ${sizeOf(dims)} elements, but the array has ${data.length}`,
    );
  }
  return dims[0]!;
}

function checkedWeights(weights: ArrayLike<number>, where: string): Vector {
  for (let row = 0; row < weights.length; row++) {
    const weight = weights[row]!;
    if (weight >= 0 && weight < Number.POSITIVE_INFINITY) continue;
    throw new CurvatureError("data", `${where}: expected weights of 0 or more, got ${weight} for row ${row}`);
  }
  return weights instanceof Float32Array || weights instanceof Float64Array ? weights : Float64Array.from(weights);
}

/** Rows `from` to `to` (exclusive) of a tensor `[rows, ...]`, as a view of its elements (strings are copied). */
export function sliceTensor(tensor: Tensor, from: number, to: number): Tensor {
  const { data, dims } = tensor;
  if (from === 0 && to === dims[0]) return tensor;
  const size = sizeOf(dims.slice(1));
  const part: TensorData = isStrings(data) ? data.slice(from * size, to * size) : data.subarray(from * size, to * size);
  return { ...tensor, data: part, dims: [to - from, ...dims.slice(1)] };
}

/** Rows `from` to `to` (exclusive) of all parts, as views. */
export function sliceRows({ rows, inputs, targets, weights }: Rows, from: number, to: number): Rows {
  const named = Object.entries(inputs).map(([name, tensor]) => [name, sliceTensor(tensor, from, to)] as const);
  return {
    rows: to - from,
    inputs: from === 0 && to === rows ? inputs : Object.fromEntries(named),
    ...(targets === undefined ? {} : { targets: sliceTensor(targets, from, to) }),
    ...(weights === undefined ? {} : { weights: weights.subarray(from, to) }),
  };
}

/** Concatenates the rows of several parts of one type in new arrays. */
export function concatenateRows(parts: readonly Rows[]): Rows {
  const first = parts[0]!;
  if (parts.length === 1) return first;
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const names = Object.keys(first.inputs);
  const inputs = names.map((name) => [name, concatenateTensors(parts.map((part) => part.inputs[name]!))] as const);
  return {
    rows,
    inputs: Object.fromEntries(inputs),
    ...(first.targets === undefined ? {} : { targets: concatenateTensors(parts.map((part) => part.targets!)) }),
    ...(first.weights === undefined
      ? {}
      : { weights: Float64Array.from(parts.flatMap((part) => Array.from(part.weights!))) }),
  };
}

function concatenateTensors(tensors: readonly Tensor[]): Tensor {
  const first = tensors[0]!;
  const dims = [tensors.reduce((sum, tensor) => sum + tensor.dims[0]!, 0), ...first.dims.slice(1)];
  if (isStrings(first.data)) return { ...first, dims, data: tensors.flatMap(({ data }) => data as readonly string[]) };
  // The array class of the first part fits all: element types were checked to be equal when the parts arrived.
  const data = new (first.data.constructor as new (length: number) => Settable)(sizeOf(dims));
  let offset = 0;
  for (const tensor of tensors) {
    data.set(tensor.data as Settable, offset);
    offset += tensor.data.length;
  }
  return { ...first, dims, data };
}

type Settable = Exclude<TensorData, readonly string[]> & { set(source: Settable, offset: number): void };

function isStrings(data: TensorData): data is readonly string[] {
  return Array.isArray(data);
}
