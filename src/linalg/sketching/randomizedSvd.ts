import { type Matrix, toPrecision } from "../../tensors/index.ts";
import { lowRank } from "../algebra/lowRank.ts";
import { eigh } from "../dense/index.ts";
import { adjoint } from "../operator/adjoint.ts";
import { checkCount, checkOperator, precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { matrixOf, type ProductLog, type ProductLogState, productLog } from "../runs/productLog.ts";
import type { Interruption } from "../runs/products.ts";
import { type Outcome, outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { leadingColumns } from "../vectors/basis.ts";
import { multiply } from "../vectors/vector.ts";
import { type ApproximationError, approximationError } from "./approximationError.ts";
import { gaussianVectors, type LowRankOptions, orthogonalRange, planned, reversedColumns } from "./nystrom.ts";

/** Options of `randomizedSvd`. */
export interface RandomizedSvdOptions extends LowRankOptions {
  /** Subspace iterations, each `A A'` once more; 1 by default. Two or three where singular values fall slowly. */
  readonly iterations?: number | undefined;
}

/** A low-rank approximation of a matrix. */
export interface RandomizedSvd extends Outcome {
  /** `U diag(values) V'` `[m, n]`. */
  readonly operator: LinearOperator;
  /** `[rank]`, approximate singular values, descending. */
  readonly values: Float64Array;
  /** `[m, rank]` and `[n, rank]`, orthonormal. */
  readonly U: Matrix;
  readonly V: Matrix;
  readonly error: ApproximationError;
}

const NAME = "randomizedSvd";

/**
 * Partial singular value decomposition of a matrix of any shape `[m, n]` by a random sketch of its range (Halko, Martinsson and Tropp, 2011,
 * algorithms 4.4 and 5.1): an orthonormal basis Q of `(A A')^iterations A Omega` for `rank + oversampling` Gaussian test vectors, and the
 * decomposition of `Q' A`, cut to the asked rank. `(2 + 2 iterations) (rank + oversampling)` products with A and its transpose, and
 * `errorProbes` that measure the error. For a positive semidefinite matrix `nystrom` is as accurate at half the products or fewer.
 *
 * @throws CurvatureError "argument" or "unsupported" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function randomizedSvd(A: LinearOperator, options: RandomizedSvdOptions): Promise<RandomizedSvd> {
  return runToEnd(randomizedSvdSteps(A, options));
}

/** The run of `randomizedSvd` block by block of products; yields a state after each, from which `state` resumes it. */
export async function* randomizedSvdSteps(
  A: LinearOperator,
  options: RandomizedSvdOptions,
): AsyncGenerator<ProductLogState, RandomizedSvd, void> {
  checkOptions(
    NAME,
    options,
    "iterations rank seed oversampling errorProbes matvecs blockSize state signal onProgress",
  );
  checkOperator(NAME, A);
  const { iterations = 1, seed } = options;
  checkCount(NAME, "iterations + 1", iterations + 1);
  const affordable = Math.min(iterations, Math.floor(((options.matvecs ?? Number.POSITIVE_INFINITY) - 2) / 2));
  const rounds = Math.max(affordable, 0);
  const plan = planned(NAME, { most: Math.min(...A.shape), passes: 2 + 2 * rounds, options });
  const record = productLog(A, { ...options, name: NAME, matvecs: plan.products, state: options.state });
  const At = adjoint(A);
  let best = nothing(A);
  let X = gaussianVectors(A, { name: "test vector", count: plan.vectors, seed });
  for (let round = 0; round <= rounds; round++) {
    const Q = yield* rangeOf(A, X, { record, rows: A.shape[0], A });
    if (Q.interruption) return concluded(best, record, Q.interruption);
    if (Q.basis.columns === 0) return concluded(best, record);
    const images = yield* record.block(At, Q.basis);
    if (images.interruption) return concluded(best, record, images.interruption);
    const Y = matrixOf(images.columns, A.shape[1]);
    best = await decomposed(A, Q.basis, { Y, rank: plan.rank });
    X = (await orthogonalRange(A, Y)).basis;
    if (X.columns === 0) return concluded(best, record);
  }
  const V = gaussianVectors(A, { name: "error probe", count: plan.errorProbes, seed });
  if (V.columns === 0) return concluded(best, record);
  const images = yield* record.block(A, V);
  const q = images.columns.length;
  const checked = q === 0 ? undefined : await best.operator.matmat!(leadingColumns(V, q));
  const error = checked ? approximationError(images.columns, checked) : unknownError();
  return { ...concluded(best, record, images.interruption), error };
}

async function* rangeOf(
  B: LinearOperator,
  X: Matrix,
  { record, rows, A }: { readonly record: ProductLog; readonly rows: number; readonly A: LinearOperator },
): AsyncGenerator<ProductLogState, { readonly basis: Matrix; readonly interruption?: Interruption | undefined }, void> {
  const { columns, interruption } = yield* record.block(B, X);
  if (interruption) return { basis: { rows, columns: 0, data: new Float64Array(0) }, interruption };
  return orthogonalRange(A, matrixOf(columns, rows));
}

type Found = Pick<RandomizedSvd, "operator" | "values" | "U" | "V">;

/** Singular triples of `Q Y'` with `Y = A' Q = Q2 R`: those of R' between Q and Q2. */
async function decomposed(
  A: LinearOperator,
  Q: Matrix,
  { Y, rank }: { readonly Y: Matrix; readonly rank: number },
): Promise<Found> {
  const { basis, R } = await orthogonalRange(A, Y);
  if (basis.columns === 0) return nothing(A);
  const { values, ...small } = await smallSvd(R);
  const kept = Math.min(rank, values.length);
  // R = U diag V' [r, k], so that Q Y' = Q R' Q2' = (Q V) diag (Q2 U)'.
  const rounded = (X: Matrix) => ({ ...X, data: toPrecision(X.data, precision(A)) });
  const U = rounded(multiply(Q, leadingColumns(small.V, kept)));
  const V = rounded(multiply(basis, leadingColumns(small.U, kept)));
  const weights = values.slice(0, kept);
  return { operator: lowRank(U, weights, { V }), values: weights, U, V };
}

/**
 * Singular value decomposition of a small matrix from the eigenpairs of `[0 R; R' 0]`: its positive eigenvalues are the singular values,
 * accurate to rounding of the largest, where those of `R'R` would lose half of the digits.
 */
async function smallSvd(R: Matrix) {
  const [r, k] = [R.rows, R.columns];
  const n = r + k;
  const data = new Float64Array(n * n);
  for (let j = 0; j < k; j++) {
    for (let i = 0; i < r; i++) data[(r + j) * n + i] = data[i * n + r + j] = R.data[j * r + i];
  }
  const { values, vectors } = await eigh({ rows: n, columns: n, data });
  const descending = reversedColumns(vectors);
  const count = Math.min(r, k);
  const part = (first: number, rows: number): Matrix => {
    const result = new Float64Array(rows * count);
    for (let c = 0; c < count; c++) {
      for (let i = 0; i < rows; i++) result[c * rows + i] = descending.data[c * n + first + i] * Math.SQRT2;
    }
    return { rows, columns: count, data: result };
  };
  const singular = values.slice().reverse().subarray(0, count);
  return { values: singular.map((value) => Math.max(value, 0)), U: part(0, r), V: part(r, k) };
}

/** The zero matrix, as rank one with weight zero. */
function nothing(A: LinearOperator): Found {
  const unit = (rows: number): Matrix => {
    const data = toPrecision(new Float64Array(rows), precision(A));
    data[0] = 1;
    return { rows, columns: 1, data };
  };
  const [U, V] = [unit(A.shape[0]), unit(A.shape[1])];
  const values = Float64Array.of(0);
  return { operator: lowRank(U, values, { V }), values, U, V };
}

function unknownError(): ApproximationError {
  return approximationError([], { rows: 0, columns: 0, data: new Float64Array(0) });
}

function concluded(found: Found, { used }: ProductLog, ending?: Interruption): RandomizedSvd {
  const said = ending
    ? outcome(ending.status, { happened: ending.happened, matvecs: used })
    : outcome("converged", { happened: `rank ${found.values.length} as asked, or as the matrix has`, matvecs: used });
  return { ...found, error: unknownError(), ...said };
}
