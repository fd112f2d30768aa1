import type { Matrix, Vector } from "../../tensors/index.ts";

/**
 * Arithmetic on a basis of long vectors, `Q` of n rows and k columns. An operator whose vectors are long may bring a
 * faster one than the loops of `vector.ts`, and one over ranks each of which holds some rows of the basis.
 */
export interface Arithmetic {
  /** `Q' v`: k inner products, accumulated in float64. */
  project(Q: Matrix, v: Vector): Promise<Float64Array>;
  /** `v - Q c`, as a new vector. */
  subtract(v: Vector, Q: Matrix, c: Float64Array): Promise<Vector>;
  /** `Q S`, as a new matrix `[n, m]` of Q's precision, for S `[k, m]`. */
  combine(Q: Matrix, S: Matrix): Promise<Matrix>;
  /**
   * The rows of a basis that this rank holds, if ranks share them. Methods that can do so then keep `BasisRows`, which the three products take
   * like any other Q: v and `v - Q c` are whole vectors on every rank, `Q S` has the rows of Q.
   */
  readonly split?: BasisSplit | undefined;
}

/** Rows of a basis on one of several ranks. */
export interface BasisSplit {
  readonly firstRow: number;
  readonly rows: number;
  /** Rows of the basis on all ranks together. */
  readonly allRows: number;
  /** The vector `[allRows]` on every rank, from the entries that each of them gives, `[rows]`. */
  whole(part: Vector): Promise<Vector>;
}

/** A matrix `[allRows, columns]`, of which this rank holds `rows` rows from `firstRow` on. */
export interface BasisRows extends Matrix {
  readonly firstRow: number;
  readonly allRows: number;
}

/** Whether a basis is on several ranks. */
export function isBasisRows(Q: Matrix): Q is BasisRows {
  return "allRows" in Q;
}
