import type { DenseMatrix } from "../../linalg/dense/index.ts";
import type { Tensor } from "../../tensors/index.ts";

/** The float64 numbers of a total, times a factor; a copy. */
export function scaledNumbers({ data }: Tensor, factor: number): Float64Array {
  const numbers = new Float64Array(data as Float64Array);
  for (let i = 0; i < numbers.length; i++) numbers[i] *= factor;
  return numbers;
}

/** Tiles of this many rows and columns stay in the processor's caches, transposed ones too. */
const TILE = 32;

/** The symmetric matrix of one group of a total [groups, d, d], times a factor. The rounding errors of its two halves are averaged. */
export function groupMatrix({ data, dims }: Tensor, group: number, factor: number): DenseMatrix {
  const d = dims[dims.length - 1];
  const own = (data as Float64Array).subarray(group * d * d, (group + 1) * d * d);
  const entries = new Float64Array(d * d);
  const half = 0.5 * factor;
  for (let row = 0; row < d; row += TILE) {
    for (let column = 0; column <= row; column += TILE) {
      for (let i = row; i < Math.min(row + TILE, d); i++) {
        const end = Math.min(column + TILE, i + 1);
        for (let j = column; j < end; j++) {
          const mean = half * (own[i * d + j] + own[j * d + i]);
          entries[i * d + j] = mean;
          entries[j * d + i] = mean;
        }
      }
    }
  }
  return { rows: d, columns: d, data: entries };
}

/** 1 / x, 0 for a sum over nothing. */
export function inverseCount({ data }: Tensor): number {
  const count = Number(data[0]);
  return count === 0 ? 0 : 1 / count;
}
