import type { DenseMatrix } from "../../linalg/dense/index.ts";
import type { Tensor } from "../../tensors/index.ts";
import { symmetricOrder, unpackSymmetric } from "./symmetricSum.ts";

/** The float64 numbers of a total, times a factor; a copy. */
export function scaledNumbers({ data }: Tensor, factor: number): Float64Array {
  const numbers = new Float64Array(data as Float64Array);
  for (let i = 0; i < numbers.length; i++) numbers[i] *= factor;
  return numbers;
}

/** The symmetric matrix of one group of a total that `symmetricSum` made, times a factor. Entries below the diagonal are those above. */
export function groupMatrix({ data, dims }: Tensor, group: number, factor: number): DenseMatrix {
  const d = symmetricOrder(dims);
  const isPacked = dims.length === 2;
  const own = (data as Float64Array).subarray(group * d * d, isPacked ? data.length : (group + 1) * d * d);
  return { rows: d, columns: d, data: unpackSymmetric(own, { d, factor, isPacked }) };
}

/** 1 / x, 0 for a sum over nothing. */
export function inverseCount({ data }: Tensor): number {
  const count = Number(data[0]);
  return count === 0 ? 0 : 1 / count;
}
