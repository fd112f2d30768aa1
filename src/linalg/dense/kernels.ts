import type { Matrix } from "../../tensors/index.ts";

/** Dense matrix in columns whose entries are float64. */
export interface DenseMatrix extends Matrix {
  readonly data: Float64Array;
}

/**
 * Dense factorizations behind the door of `dense.ts`, which has checked sizes and finite entries. Arguments are not changed. Where an
 * iteration does not converge the result is undefined.
 */
export interface DenseKernels {
  readonly name: "eigen" | "lapack";
  /** Eigenvalues `[n]`, ascending, and eigenvectors `[n, n]` of a symmetric matrix. */
  eigh(A: DenseMatrix): Promise<{ readonly values: Float64Array; readonly vectors: Float64Array } | undefined>;
  /** The same for the tridiagonal matrix of a diagonal `[n]` and a subdiagonal `[n - 1]`. */
  tridiagonalEigh(
    diagonal: Float64Array,
    subdiagonal: Float64Array,
  ): Promise<{ readonly values: Float64Array; readonly vectors: Float64Array } | undefined>;
  /**
   * Lower factor in the lower triangle, and the first row whose pivot is not positive, -1 where all are: the entries left of that pivot are the
   * factor's.
   */
  cholesky(A: DenseMatrix): Promise<{ readonly factor: Float64Array; readonly failed: number }>;
  /** X of `L L' X = B`, where the upper triangle of L is not read. */
  choleskySolve(L: DenseMatrix, B: DenseMatrix): Promise<Float64Array>;
  /** Q `[m, p]` and R `[p, n]`, p = min(m, n). */
  qr(A: DenseMatrix): Promise<{ readonly Q: Float64Array; readonly R: Float64Array }>;
  /** U `[m, p]`, values `[p]`, descending, and V `[n, p]`. */
  svd(
    A: DenseMatrix,
  ): Promise<{ readonly U: Float64Array; readonly values: Float64Array; readonly V: Float64Array } | undefined>;
  /** T `[n, n]`, quasi-triangular, and Q `[n, n]`. */
  realSchur(A: DenseMatrix): Promise<{ readonly T: Float64Array; readonly Q: Float64Array } | undefined>;
  /** Eigenvalues, and eigenvectors with those of a conjugate pair as real and imaginary part in two columns. */
  eig(A: DenseMatrix): Promise<
    | {
        readonly real: Float64Array;
        readonly imaginary: Float64Array;
        readonly vectors: Float64Array;
      }
    | undefined
  >;
}
