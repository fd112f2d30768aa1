import { denseKernels } from "#dense";
import { CurvatureError } from "../../errors/index.ts";
import type { Matrix, Vector } from "../../tensors/index.ts";
import { maxAbs } from "../vectors/vector.ts";
import type { DenseMatrix } from "./kernels.ts";
import { checkFinite, checkMatrix, checkSquareMatrix, symmetricPart, symmetrizedInPlace } from "./matrixChecks.ts";

// The one door to dense factorizations. All of them compute in float64 and block the event loop while they run: in Eigen 3.4 compiled to
// WebAssembly, or in Node in a system LAPACK where there is one and the optional package koffi is installed. Times are Eigen's.

/** Eigenvalues and eigenvectors of a symmetric matrix: `A vectors = vectors diag(values)`. */
export interface Eigendecomposition {
  /** `[n]`, ascending. */
  readonly values: Float64Array;
  /** `[n, n]`, column k belongs to value k; orthogonal. */
  readonly vectors: DenseMatrix;
}

/**
 * Eigendecomposition of a symmetric matrix A `[n, n]`: tridiagonalization and implicit QR. An A that is symmetric up to rounding is
 * replaced by `(A + A') / 2`, the closest symmetric matrix. About 9 n^3 operations: 0.1 s at n = 512, 1 s at 1024.
 *
 * @throws CurvatureError "shape" where A is empty or not square, "numeric" where it is not finite, not symmetric to 1e-3 of its largest
 * entry, too large for WebAssembly memory, or the iteration does not converge
 */
export async function eigh(A: Matrix): Promise<Eigendecomposition> {
  return eighOf(symmetricPart("eigh", A), A.rows);
}

/**
 * `eigh` in the memory of A, whose entries it overwrites: with LAPACK 24 n^2 bytes at once in place of 32 n^2, 2.4 GB at n = 10,000.
 *
 * @throws as `eigh`
 */
export async function eighInPlace(A: DenseMatrix): Promise<Eigendecomposition> {
  return eighOf(symmetrizedInPlace("eigh", A), A.rows);
}

async function eighOf(symmetric: Float64Array, n: number): Promise<Eigendecomposition> {
  const { eigh: kernel } = await denseKernels();
  const { values, vectors } = converged("eigh", await kernel({ rows: n, columns: n, data: symmetric }));
  return { values, vectors: { rows: n, columns: n, data: vectors } };
}

/**
 * Eigendecomposition of the symmetric tridiagonal matrix with this diagonal `[n]` and subdiagonal `[n - 1]`, by implicit QR. Entries are
 * scaled to 1 first, so that no size over- or underflows. About 6 n^3 operations.
 *
 * @throws CurvatureError "shape" where lengths do not fit, "numeric" where an entry is not finite or the iteration does not converge
 */
export async function tridiagonalEigh(diagonal: Vector, subdiagonal: Vector): Promise<Eigendecomposition> {
  const n = diagonal.length;
  if (n === 0 || subdiagonal.length !== n - 1) {
    const message = `tridiagonalEigh expects a diagonal of n >= 1 entries and a subdiagonal of n - 1, got ${n} and ${subdiagonal.length}`;
    throw new CurvatureError("shape", message);
  }
  checkFinite("tridiagonalEigh", diagonal);
  checkFinite("tridiagonalEigh", subdiagonal);
  const scale = Math.max(maxAbs(diagonal), maxAbs(subdiagonal)) || 1;
  const divided = (x: Vector) => Float64Array.from(x, (value) => value / scale);
  const { tridiagonalEigh: kernel } = await denseKernels();
  const { values, vectors } = converged("tridiagonalEigh", await kernel(divided(diagonal), divided(subdiagonal)));
  return { values: values.map((value) => value * scale), vectors: { rows: n, columns: n, data: vectors } };
}

/**
 * Cholesky factor of a symmetric positive definite matrix A `[n, n]`: the lower triangular L `[n, n]` with `L L' = A`. An A that is
 * symmetric up to rounding is replaced by `(A + A') / 2`. About n^3 / 3 operations: 46 ms at n = 1024.
 *
 * @throws CurvatureError "shape" where A is empty or not square, "numeric" where it is not finite, not symmetric to 1e-3 of its largest
 * entry, not positive definite (the message gives the first pivot that is not positive), or too large for WebAssembly memory
 */
export async function cholesky(A: Matrix): Promise<DenseMatrix> {
  const symmetric = symmetricPart("cholesky", A);
  const n = A.rows;
  const kernels = await denseKernels();
  const { factor: data, failed } = await kernels.cholesky({ rows: n, columns: n, data: symmetric });
  if (failed >= 0) throw notPositiveDefinite(symmetric, data, failed);
  for (let j = 1; j < n; j++) data.fill(0, j * n, j * n + j);
  return { rows: n, columns: n, data };
}

/**
 * Solution X `[n, m]` of `L L' X = B` for a lower triangular L `[n, n]`, as `cholesky` gives it, and B `[n, m]`. The upper triangle of L
 * is not read. About 2 n^2 m operations.
 *
 * @throws CurvatureError "shape" where L is empty or not square or B has other rows, "numeric" where either is not finite or L has a zero
 * on its diagonal
 */
export async function choleskySolve(L: Matrix, B: Matrix): Promise<DenseMatrix> {
  checkSquareMatrix("choleskySolve", L);
  checkMatrix("choleskySolve", B);
  const n = L.rows;
  if (B.rows !== n) {
    throw new CurvatureError("shape", `choleskySolve expects B with ${n} rows as L has, got ${B.rows} x ${B.columns}`);
  }
  for (let i = 0; i < n; i++) {
    if (L.data[i * n + i] !== 0) continue;
    const message = `choleskySolve expects a factor without zeros on its diagonal, got 0 at ${i}; add damping before cholesky`;
    throw new CurvatureError("numeric", message);
  }
  const kernels = await denseKernels();
  return { rows: n, columns: B.columns, data: await kernels.choleskySolve(float64(L), float64(B)) };
}

/**
 * Thin QR decomposition `A = Q R` of a matrix A `[m, n]` by Householder reflections, p = min(m, n): Q `[m, p]` with orthonormal columns,
 * R `[p, n]` upper triangular, its diagonal of either sign and zero where columns depend on each other. About 4 m n^2 operations.
 *
 * @throws CurvatureError "shape" where A is empty, "numeric" where it is not finite or too large for WebAssembly memory
 */
export async function qr(A: Matrix): Promise<{ readonly Q: DenseMatrix; readonly R: DenseMatrix }> {
  checkMatrix("qr", A);
  const { rows, columns } = A;
  const p = Math.min(rows, columns);
  const { Q, R } = await (await denseKernels()).qr(float64(A));
  return { Q: { rows, columns: p, data: Q }, R: { rows: p, columns, data: R } };
}

/** Thin singular value decomposition `A = U diag(values) V'`. */
export interface SingularValues {
  /** `[p]`, p = min(m, n), descending. */
  readonly values: Float64Array;
  /** `[m, p]` and `[n, p]`, orthonormal columns. */
  readonly U: DenseMatrix;
  readonly V: DenseMatrix;
}

/**
 * Thin singular value decomposition of a matrix A `[m, n]` by bidiagonalization and divide and conquer. About `4 m n p + 20 p^3` operations,
 * p = min(m, n): 0.1 s at 512 x 128.
 *
 * @throws CurvatureError "shape" where A is empty, "numeric" where it is not finite, too large for WebAssembly memory, or the iteration does
 * not converge
 */
export async function svd(A: Matrix): Promise<SingularValues> {
  checkMatrix("svd", A);
  const { rows, columns } = A;
  const p = Math.min(rows, columns);
  const scale = maxAbs(A.data) || 1;
  const scaled = { rows, columns, data: Float64Array.from(A.data, (value) => value / scale) };
  const { U, values, V } = converged("svd", await (await denseKernels()).svd(scaled));
  return {
    values: values.map((value) => value * scale),
    U: { rows, columns: p, data: U },
    V: { rows: columns, columns: p, data: V },
  };
}

/**
 * Real Schur form of a square matrix A `[n, n]`: `A = Q T Q'` with Q orthogonal and T quasi-triangular, its 2 x 2 blocks on the diagonal
 * conjugate pairs of eigenvalues. Reduction to Hessenberg form and Francis QR steps, about 25 n^3 operations.
 *
 * @throws CurvatureError "shape" where A is empty or not square, "numeric" where it is not finite, too large for WebAssembly memory, or the
 * iteration does not converge
 */
export async function realSchur(A: Matrix): Promise<{ readonly T: DenseMatrix; readonly Q: DenseMatrix }> {
  checkSquareMatrix("realSchur", A);
  const n = A.rows;
  const { T, Q } = converged("realSchur", await (await denseKernels()).realSchur(float64(A)));
  return { T: { rows: n, columns: n, data: T }, Q: { rows: n, columns: n, data: Q } };
}

/** Eigenvalues and right eigenvectors of a square matrix, in real numbers. */
export interface RealEigendecomposition {
  /** `[n]`; the members of a conjugate pair follow each other, the positive imaginary part first. */
  readonly real: Float64Array;
  readonly imaginary: Float64Array;
  /** `[n, n]`: column k is the eigenvector of a real value k; of a pair k, k + 1 the columns are its real and its imaginary part. */
  readonly vectors: DenseMatrix;
}

/**
 * Eigenvalues and eigenvectors of a square matrix A `[n, n]` of any kind, from its real Schur form. Vectors of a matrix that is not
 * diagonalizable are nearly parallel. About 30 n^3 operations.
 *
 * @throws CurvatureError "shape" where A is empty or not square, "numeric" where it is not finite, too large for WebAssembly memory, or the
 * iteration does not converge
 */
export async function eig(A: Matrix): Promise<RealEigendecomposition> {
  checkSquareMatrix("eig", A);
  const n = A.rows;
  const { real, imaginary, vectors } = converged("eig", await (await denseKernels()).eig(float64(A)));
  return { real, imaginary, vectors: { rows: n, columns: n, data: vectors } };
}

function float64({ rows, columns, data }: Matrix): DenseMatrix {
  return { rows, columns, data: data instanceof Float64Array ? data : Float64Array.from(data) };
}

function converged<T>(name: string, result: T | undefined): T {
  if (result !== undefined) return result;
  const message = `${name} did not converge; scale the matrix or look for entries of very different size`;
  throw new CurvatureError("numeric", message);
}

/** The pivot is `A_kk - sum_j<k L_kj^2`, from row k of the factor so far. */
function notPositiveDefinite(A: Float64Array, factor: Float64Array, k: number): CurvatureError {
  const n = Math.sqrt(A.length);
  let pivot = A[k * n + k];
  for (let j = 0; j < k; j++) pivot -= factor[j * n + k] ** 2;
  const message = `cholesky expects a positive definite matrix, got pivot ${pivot.toPrecision(3)} in row ${k} of ${n}; add damping`;
  return new CurvatureError("numeric", message);
}
