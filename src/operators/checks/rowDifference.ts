import type { Precision, Vector } from "../../tensors/index.ts";

/**
 * How far two results for the same row may be apart, as a share of the largest magnitude that this entry has in any row: engines add in
 * another order where batches have another size.
 */
export const tolerances: { readonly [precision in Precision]: number } = { float32: 1e-4, float64: 1e-8 };

/** The least magnitude of an entry, as a share of the largest of all entries: below, it is what is left of larger numbers. */
const LEAST_SHARE = 1e-3;

/** A number that depends on the batch that its row is in. */
export interface RowDifference {
  /** Row of the whole batch. */
  readonly row: number;
  /** Index of the number within its row. */
  readonly entry: number;
  /** The number in the whole batch, and in the other. */
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
  /** For each row of `part`, the row of `whole` that it is; rows that are not in `whole` have larger numbers. */
  readonly order: readonly number[];
  readonly precision: Precision;
}

/**
 * The first number that differs by more than rounding, if there is one. Two that are both not a number, or both infinite with the same sign,
 * are equal; one alone that is not finite differs.
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

/** Largest finite magnitude of each entry in all rows, but no less than a share of the largest of all. */
function scalesOf(values: Vector, size: number): Float64Array {
  const scales = new Float64Array(size);
  values.forEach((value, i) => {
    if (Number.isFinite(value)) scales[i % size] = Math.max(scales[i % size], Math.abs(value));
  });
  const largest = scales.reduce((most, scale) => Math.max(most, scale), 0);
  return scales.map((scale) => Math.max(scale, LEAST_SHARE * largest));
}
