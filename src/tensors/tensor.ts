import type { Dtype, TensorData } from "./dtype.ts";

/** Dense tensor, row-major. `data.length` is the product of `dims`; `dtype` is needed only if `data` does not imply it (bool). */
export interface Tensor {
  readonly data: TensorData;
  readonly dims: readonly number[];
  readonly dtype?: Dtype;
}

/** Largest number of axes of a tensor, as in NumPy; more count as damage. Execution engines crash at some thousands. */
export const MOST_AXES = 64;

/** Number of elements of a tensor with these dimensions; 1 for a scalar `[]`. */
export function sizeOf(dims: readonly number[]): number {
  let size = 1;
  for (const dim of dims) size *= dim;
  return size;
}

/** Element type of a tensor: the declared one, else the one that its array's class implies. */
export function dtypeOf(tensor: Tensor): Dtype {
  if (tensor.dtype !== undefined) return tensor.dtype;
  const { data } = tensor;
  if (data instanceof Float32Array) return "float32";
  if (data instanceof Float64Array) return "float64";
  if (data instanceof Int8Array) return "int8";
  if (data instanceof Uint8Array) return "uint8";
  if (data instanceof Int16Array) return "int16";
  if (data instanceof Uint16Array) return "uint16";
  if (data instanceof Int32Array) return "int32";
  if (data instanceof Uint32Array) return "uint32";
  if (data instanceof BigInt64Array) return "int64";
  if (data instanceof BigUint64Array) return "uint64";
  return "string";
}

/** Formats dimensions for messages: `[2, 3]`. */
export function formatDims(dims: readonly (number | string | null)[]): string {
  return `[${dims.map((dim) => dim ?? "?").join(", ")}]`;
}
