import type { Precision, Vector } from "../../tensors/index.ts";

/**
 * Largest difference between two results for the same row, relative to the largest magnitude of this entry in any row. The order of sums in
 * ONNX Runtime depends on the batch size.
 */
export const tolerances: { readonly [precision in Precision]: number } = { float32: 1e-4, float64: 1e-8 };

/**
 * The least magnitude of an entry that is compared, relative to the largest of all entries. Smaller entries are rounding errors of larger
 * numbers.
 */
const LEAST_SHARE = 1e-3;

/** A number of a row that depends on the other rows of the batch. */
export interface RowDifference {
  /** Row of the whole batch. */
  readonly row: number;
  /** Index of the number within its row. */
  readonly entry: number;
  /** The number in the whole batch, and in the other batch. */
  readonly whole: number;
  readonly part: number;
  readonly partRows: number;
}

/** Results for the same rows in two batches. */
export interface RowResults {
  /** [rows, ...] */
  readonly whole: Vector;
  readonly rows: number;
  /** [order.length, ...] */
  readonly part: Vector;
  /** For each row of `part`, its index in `whole`; rows that are not in `whole` have larger indices. */
  readonly order: readonly number[];
  readonly precision: Precision;
}

/**
 * The first number that differs by more than rounding, if there is one. Two NaN are equal, and so are two infinities of the same sign. A
 * number that is not finite differs from a finite one.
 */
export function firstDifference({ whole, rows, part, order, precision }: RowResults): RowDifference | undefined {
  const size = whole.length / rows;
  const scales = scalesOf(whole, size);
  for (const [position, row] of order.entries()) {
    if (row >= rows) continue;
    for (let entry = 0; entry < size; entry++) {
      const [a, b] = [whole[row * size + entry], part[position * size + entry]];
      if (Object.is(a, b) || Math.abs(a - b) <= tolerances[precision] * scales[entry]) continue;
      return { row, entry, whole: a, part: b, partRows: order.length };
    }
  }
  return undefined;
}

/** Largest finite magnitude of each entry over all rows, at least `LEAST_SHARE` of the largest of all. */
function scalesOf(values: Vector, size: number): Float64Array {
  const scales = new Float64Array(size);
  values.forEach((value, i) => {
    if (Number.isFinite(value)) scales[i % size] = Math.max(scales[i % size], Math.abs(value));
  });
  const largest = scales.reduce((most, scale) => Math.max(most, scale), 0);
  return scales.map((scale) => Math.max(scale, LEAST_SHARE * largest));
}
