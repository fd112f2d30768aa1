import type { DenseMatrix } from "../../linalg/dense/index.ts";
import type { Tensor } from "../../tensors/index.ts";

/** The float64 numbers of a total, times a factor; a copy. */
export function scaledNumbers({ data }: Tensor, factor: number): Float64Array {
  return Float64Array.from(data as Float64Array, (x) => x * factor);
}

/** The symmetric matrix of one group of a total [groups, d, d], times a factor. The rounding errors of its two halves are averaged. */
export function groupMatrix({ data, dims }: Tensor, group: number, factor: number): DenseMatrix {
  const d = dims[dims.length - 1];
  const own = (data as Float64Array).subarray(group * d * d, (group + 1) * d * d);
  const entries = new Float64Array(d * d);
  for (let i = 0; i < d; i++) {
    for (let j = 0; j < d; j++) entries[i * d + j] = 0.5 * factor * (own[i * d + j] + own[j * d + i]);
  }
  return { rows: d, columns: d, data: entries };
}

/** 1 / x, 0 for a sum over nothing. */
export function inverseCount({ data }: Tensor): number {
  const count = Number(data[0]);
  return count === 0 ? 0 : 1 / count;
}
