import { sizeOf, type Tensor } from "../../tensors/index.ts";
import type { Tensors } from "./risk.ts";

/** Rows of some tensors [rows, ...], by index and in this order; a row may be picked several times. */
export function pickRows(tensors: Tensors, indices: readonly number[]): Tensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, pickedRows(tensor, indices)]));
}

function pickedRows(tensor: Tensor, indices: readonly number[]): Tensor {
  const [, ...row] = tensor.dims;
  const size = sizeOf(row);
  const dims = [indices.length, ...row];
  const { data } = tensor;
  if (!ArrayBuffer.isView(data)) {
    return { ...tensor, dims, data: indices.flatMap((index) => data.slice(index * size, (index + 1) * size)) };
  }
  const picked = emptyLike(data, indices.length * size);
  indices.forEach((index, i) => {
    picked.set(data.subarray(index * size, (index + 1) * size) as typeof picked, i * size);
  });
  return { ...tensor, dims, data: picked };
}

/** The rows of two sets of tensors of the same names and row shapes, one set after the other. */
export function joinRows(first: Tensors, second: Tensors): Tensors {
  return Object.fromEntries(Object.entries(first).map(([name, tensor]) => [name, joined(tensor, second[name])]));
}

function joined(a: Tensor, b: Tensor): Tensor {
  const dims = [a.dims[0] + b.dims[0], ...a.dims.slice(1)];
  if (!ArrayBuffer.isView(a.data)) return { ...a, dims, data: [...a.data, ...(b.data as readonly string[])] };
  const data = emptyLike(a.data, a.data.length + b.data.length);
  data.set(a.data as typeof data, 0);
  data.set(b.data as typeof data, a.data.length);
  return { ...a, dims, data };
}

/** An array of the same kind. The type names one kind for all, since no function here distinguishes them. */
function emptyLike(data: ArrayBufferView, length: number): Float64Array {
  return new (data.constructor as Float64ArrayConstructor)(length);
}

/** Whether two rows of some tensors [rows, ...] hold the same elements. */
export function rowsEqual(tensors: Tensors, a: number, b: number): boolean {
  return Object.values(tensors).every(({ data, dims: [, ...row] }) => {
    const size = sizeOf(row);
    for (let i = 0; i < size; i++) if (data[a * size + i] !== data[b * size + i]) return false;
    return true;
  });
}
