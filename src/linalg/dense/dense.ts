import { CurvatureError } from "../../errors/index.ts";
import type { Matrix, Vector } from "../../tensors/index.ts";
import { maxAbs } from "../vector.ts";
import { checkFinite, checkMatrix, checkSquareMatrix, symmetricPart } from "./matrixChecks.ts";
import { withHeap } from "./wasmHeap.ts";

// The one door to dense factorizations. All of them compute in float64 on one thread, in Eigen 3.4 (Guennebaud, Jacob and others,
// eigen.tuxfamily.org) compiled to WebAssembly, and block the event loop while they run.

/** Dense matrix in columns whose entries are float64. */
export interface DenseMatrix extends Matrix {
  readonly data: Float64Array;
}

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
  const symmetric = symmetricPart("eigh", A);
  const n = A.rows;
  return withHeap(`eigh of a ${n} x ${n} matrix`, ({ kernels, place, take }) => {
    const a = place(symmetric);
    const values = place(n);
    checkConverged("eigh", kernels.eigh(n, a, values));
    return { values: take(values, n), vectors: { rows: n, columns: n, data: take(a, n * n) } };
  });
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
  return withHeap(`tridiagonalEigh of a ${n} x ${n} matrix`, ({ kernels, place, take }) => {
    const [d, e, values, vectors] = [place(divided(diagonal)), place(divided(subdiagonal)), place(n), place(n * n)];
    checkConverged("tridiagonalEigh", kernels.tridiagonalEigh(n, d, e, values, vectors));
    return {
      values: take(values, n).map((value) => value * scale),
      vectors: { rows: n, columns: n, data: take(vectors, n * n) },
    };
  });
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
  const data = await withHeap(`cholesky of a ${n} x ${n} matrix`, ({ kernels, place, take }) => {
    const a = place(symmetric);
    const failed = kernels.cholesky(n, a);
    const factor = take(a, n * n);
    if (failed >= 0) throw notPositiveDefinite(symmetric, factor, failed);
    return factor;
  });
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
  return withHeap(`choleskySolve of ${n} x ${B.columns} right-hand sides`, ({ kernels, place, take }) => {
    const [l, b] = [place(L.data), place(B.data)];
    kernels.choleskySolve(n, B.columns, l, b);
    return { rows: n, columns: B.columns, data: take(b, n * B.columns) };
  });
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
  return withHeap(`qr of a ${rows} x ${columns} matrix`, ({ kernels, place, take }) => {
    const [a, q, r] = [place(A.data), place(rows * p), place(p * columns)];
    kernels.qr(rows, columns, a, q, r);
    return {
      Q: { rows, columns: p, data: take(q, rows * p) },
      R: { rows: p, columns, data: take(r, p * columns) },
    };
  });
}

function checkConverged(name: string, failed: number): void {
  if (failed === 0) return;
  throw new CurvatureError(
    "numeric",
    `${name} did not converge; scale the matrix or look for entries of very different size`,
  );
}

/** The pivot is `A_kk - sum_j<k L_kj^2`, from row k of the factor so far. */
function notPositiveDefinite(A: Float64Array, factor: Float64Array, k: number): CurvatureError {
  const n = Math.sqrt(A.length);
  let pivot = A[k * n + k]!;
  for (let j = 0; j < k; j++) pivot -= factor[j * n + k]! ** 2;
  const message = `cholesky expects a positive definite matrix, got pivot ${pivot.toPrecision(3)} in row ${k} of ${n}; add damping`;
  return new CurvatureError("numeric", message);
}
