import type { Matrix, Vector } from "../../tensors/index.ts";

/**
 * Arithmetic on a basis of long vectors, `Q` of n rows and k columns. An operator whose vectors are long may bring a
 * faster one than the loops of `vector.ts`.
 */
export interface Arithmetic {
  /** `Q' v`: k inner products, accumulated in float64. */
  project(Q: Matrix, v: Vector): Promise<Float64Array>;
  /** `v - Q c`, as a new vector. */
  subtract(v: Vector, Q: Matrix, c: Float64Array): Promise<Vector>;
  /** `Q S`, as a new matrix `[n, m]` of Q's precision, for S `[k, m]`. */
  combine(Q: Matrix, S: Matrix): Promise<Matrix>;
}
