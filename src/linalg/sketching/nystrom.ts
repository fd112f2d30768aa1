import { stream } from "../../random/index.ts";
import { column, type Matrix, precisionOf, toPrecision, type Vector, zeros } from "../../tensors/index.ts";
import { lowRank } from "../algebra/lowRank.ts";
import { eigh } from "../dense/index.ts";
import { checkCount, checkDeclaredSymmetric, checkSeed, epsilon, precision } from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { matrixOf, type ProductLogState, productLog } from "../runs/productLog.ts";
import type { Interruption } from "../runs/products.ts";
import { type Outcome, outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { leadingColumns } from "../vectors/basis.ts";
import { probe } from "../vectors/probes.ts";
import { arithmeticOf, dot, hostArithmetic, maxAbs, multiply, transposedProduct } from "../vectors/vector.ts";
import { type ApproximationError, approximationError } from "./approximationError.ts";
import { nystromFactor } from "./nystromSketch.ts";
import { emptyRange, withRange } from "./rangeBasis.ts";

/** Options of the randomized low-rank approximations. */
export interface LowRankOptions extends RunOptions {
  /** Number of directions that are kept. */
  readonly rank: number;
  readonly seed: number;
  /** Further test vectors, which make the kept directions accurate; 10 by default. */
  readonly oversampling?: number | undefined;
  /** Extra products used only to estimate the error; 8 by default, so that its bound fails once in 10^8 runs. */
  readonly errorProbes?: number | undefined;
  /** Most products; by default what the other options ask for. With fewer, first oversampling and then rank shrink. */
  readonly matvecs?: number | undefined;
  /** Products that go through `matmat` at once, where the operator has it; by default 8, fewer for vectors of more than 262,144 entries. */
  readonly blockSize?: number | undefined;
  /** Where an earlier run with the same options stopped. */
  readonly state?: ProductLogState | undefined;
}

/** A low-rank approximation of a positive semidefinite matrix. */
export interface NystromApproximation extends Outcome {
  /** `U diag(values) U'`, with exact trace, diagonal, log-determinant and inverse. */
  readonly operator: LinearOperator;
  /** `[rank]`, eigenvalues of the approximation, descending; lower bounds of those of A up to rounding. */
  readonly values: Float64Array;
  /** `[n, rank]`, orthonormal. */
  readonly vectors: Matrix;
  readonly error: ApproximationError;
}

const NAME = "nystrom";

/**
 * Nyström approximation `(A Omega) (Omega' A Omega)^-1 (A Omega)'` of a positive semidefinite matrix, cut to its largest eigenvalues, from
 * one product with each of `rank + oversampling` Gaussian test vectors (Gittens and Mahoney, 2013; Tropp, Yurtsever, Udell and Cevher, 2017,
 * algorithm 3). Its error is within a small factor of the best of that rank where the spectrum decays; `error` says what it is, from
 * `errorProbes` more products. `6 n m^2` operations. Status "indefinite" where A is seen not to be semidefinite: the operator is then zero.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function nystrom(A: LinearOperator, options: LowRankOptions): Promise<NystromApproximation> {
  return runToEnd(nystromSteps(A, options));
}

/** The run of `nystrom` block by block of products; yields a state after each, from which `state` resumes it. */
export async function* nystromSteps(
  A: LinearOperator,
  options: LowRankOptions,
): AsyncGenerator<ProductLogState, NystromApproximation, void> {
  checkOptions(NAME, options, "rank seed oversampling errorProbes matvecs blockSize state signal onProgress");
  checkDeclaredSymmetric(NAME, A);
  const n = A.shape[1];
  const plan = planned(NAME, { most: n, passes: 1, options });
  const record = productLog(A, { ...options, name: NAME, matvecs: plan.products, state: options.state });
  const Omega = gaussianVectors(A, { name: "test vector", count: plan.vectors, seed: options.seed });
  const sketch = yield* record.block(A, Omega);
  const k = sketch.columns.length;
  const found = await approximated(A, leadingColumns(Omega, k), { products: sketch.columns, rank: plan.rank });
  const ending = sketch.interruption;
  if (ending || !found) return concluded(found ?? nothing(A), { used: record.used, indefinite: !found, ending });
  const V = gaussianVectors(A, { name: "error probe", count: plan.errorProbes, seed: options.seed });
  const images = V.columns === 0 ? { columns: [] } : yield* record.block(A, V);
  const checked = leadingColumns(V, images.columns.length);
  const error = approximationError(images.columns, await found.operator.matmat!(orOne(checked)));
  return { ...concluded(found, { used: record.used, indefinite: false, ending: images.interruption }), error };
}

/** Products with an empty matrix are none. */
function orOne(X: Matrix): Matrix {
  return X.columns > 0 ? X : { ...X, columns: 1, data: zeros(X.rows, "float64") };
}

/** Division of a budget. */
export interface LowRankPlan {
  readonly rank: number;
  readonly vectors: number;
  readonly errorProbes: number;
  readonly products: number;
}

/** Test vectors, each of which costs `passes` products, and error probes, within the budget; at most `most` test vectors make sense. */
export function planned(
  name: string,
  { most, passes, options }: { readonly most: number; readonly passes: number; readonly options: LowRankOptions },
): LowRankPlan {
  const { rank, oversampling = 10, errorProbes = 8, seed } = options;
  checkCount(name, "rank", rank);
  checkCount(name, "oversampling + 1", oversampling + 1);
  checkCount(name, "errorProbes + 1", errorProbes + 1);
  checkSeed(name, seed);
  checkCount(name, "blockSize", options.blockSize ?? 8);
  const wanted = Math.min(rank + oversampling, most);
  const { matvecs = passes * wanted + errorProbes } = options;
  checkCount(name, "matvecs", matvecs);
  const affordable = Math.floor((matvecs - errorProbes) / passes);
  // Of a small budget at least half finds directions.
  const vectors = Math.min(wanted, Math.max(affordable, Math.floor(matvecs / passes / 2), 1));
  const left = Math.max(Math.min(errorProbes, matvecs - passes * vectors), 0);
  return { rank: Math.min(rank, vectors), vectors, errorProbes: left, products: matvecs };
}

/** Standard normal vectors, each with a stream of its own. */
export function gaussianVectors(
  A: LinearOperator,
  { name, count, seed }: { readonly name: string; readonly count: number; readonly seed: number },
): Matrix {
  const [n, dtype] = [A.shape[1], precision(A)];
  const data = zeros(n * count, dtype);
  for (let k = 0; k < count; k++) {
    data.set(probe(n, { distribution: "gaussian", stream: stream(seed, name, k), dtype }), k * n);
  }
  return { rows: n, columns: count, data };
}

type Found = Pick<NystromApproximation, "operator" | "values" | "vectors">;

/** Eigenpairs of `F F' - shift I` on the range of F. */
async function approximated(
  A: LinearOperator,
  Omega: Matrix,
  { products, rank }: { readonly products: readonly Vector[]; readonly rank: number },
): Promise<Found | undefined> {
  const Y = matrixOf(products, A.shape[0]);
  if (Y.columns === 0 || maxAbs(Y.data) === 0) return nothing(A);
  const factor = await nystromFactor(Omega, Y, { epsilon: epsilon(precision(A)) });
  if (!factor) return undefined;
  const { values, U } = await leftSingularPairs(A, factor.F);
  const kept = Math.min(rank, values.filter((value) => value > factor.shift).length);
  if (kept === 0) return nothing(A);
  const vectors = { ...leadingColumns(U, kept), data: toPrecision(leadingColumns(U, kept).data.slice(), precision(A)) };
  const eigenvalues = values.slice(0, kept).map((value) => value - factor.shift);
  return { operator: lowRank(vectors, eigenvalues), values: eigenvalues, vectors };
}

/** Squared singular values of F, descending, and its left singular vectors, by QR and the eigenpairs of `R R'`. */
async function leftSingularPairs(A: LinearOperator, F: Matrix) {
  const { basis, R } = await orthogonalRange(A, F);
  const Rt = transposedMatrix(R);
  const { values, vectors } = await eigh(transposedProduct(Rt, Rt));
  return { values: values.slice().reverse(), U: multiply(basis, reversedColumns(vectors)) };
}

/** QR decomposition of a tall matrix by the operator's arithmetic, without the columns of Q that only rounding would make. */
export async function orthogonalRange(
  A: LinearOperator,
  Y: Matrix,
): Promise<{ readonly basis: Matrix; readonly R: Matrix }> {
  const dtype = precisionOf(Y.data);
  const scale = Math.sqrt(dot(Y.data, Y.data));
  const arithmetic = Y.rows === A.shape[0] && dtype === precision(A) ? arithmeticOf(A) : hostArithmetic;
  let range = emptyRange(Y.rows, { capacity: Y.columns, dtype });
  for (let k = 0; k < Y.columns; k++) {
    range = await withRange(range, column(Y, k).slice(), { arithmetic, dtype, scale });
  }
  const { basis, coefficients } = range;
  const R = new Float64Array(basis.columns * Y.columns);
  coefficients.forEach((c, k) => {
    R.set(c, k * basis.columns);
  });
  return { basis, R: { rows: basis.columns, columns: Y.columns, data: R } };
}

/** The transpose of a small matrix. */
export function transposedMatrix({ rows, columns, data }: Matrix): Matrix {
  const result = new Float64Array(rows * columns);
  for (let j = 0; j < columns; j++) for (let i = 0; i < rows; i++) result[i * columns + j] = data[j * rows + i];
  return { rows: columns, columns: rows, data: result };
}

/** Columns from the last to the first. */
export function reversedColumns(A: Matrix): Matrix {
  const data = new Float64Array(A.data.length);
  for (let k = 0; k < A.columns; k++) data.set(column(A, A.columns - 1 - k), k * A.rows);
  return { ...A, data };
}

/** The zero operator, as rank one with weight zero. */
function nothing(A: LinearOperator): Found {
  const n = A.shape[1];
  const data = zeros(n, precision(A));
  data[0] = 1;
  const vectors = { rows: n, columns: 1, data };
  return { operator: lowRank(vectors, Float64Array.of(0)), values: Float64Array.of(0), vectors };
}

function concluded(
  found: Found,
  { used, indefinite, ending }: { used: number; indefinite: boolean; ending: Interruption | undefined },
): NystromApproximation {
  const rank = found.values.length;
  const error = approximationError([], { rows: 0, columns: 0, data: new Float64Array(0) });
  const said = ending
    ? outcome(ending.status, { happened: ending.happened, matvecs: used })
    : indefinite
      ? outcome("indefinite", {
          happened: "the matrix is not positive semidefinite, so there is no approximation",
          matvecs: used,
          advice: "use randomizedSvd, which takes any matrix",
        })
      : outcome("converged", { happened: `rank ${rank} as asked, or as the matrix has`, matvecs: used });
  return { ...found, error, ...said };
}
