import { CurvatureError } from "../errors/index.ts";
import { column, type Matrix, toPrecision, type Vector, zeros } from "../tensors/index.ts";
import { growingBasis, leadingColumns, orthogonalize, randomDirection, withColumn } from "./basis.ts";
import {
  checkCount,
  checkDeclaredSymmetric,
  checkNonnegative,
  checkSeed,
  checkState,
  epsilon,
  precision,
} from "./checks.ts";
import { eigh } from "./dense/index.ts";
import { drive } from "./drive.ts";
import type { LinearOperator, RunOptions } from "./operator.ts";
import { type Interruption, isInterruption, type Products, products } from "./products.ts";
import { type Outcome, outcome } from "./result.ts";
import { axpy, hostArithmetic, maxAbs, multiply, norm, scaled, transposedProduct } from "./vector.ts";

/** Options of `lobpcg`. */
export interface LobpcgOptions extends RunOptions {
  /** Number of eigenpairs; three times as many and the guards must fit into n. */
  readonly k: number;
  /** End of the spectrum: "smallest" (default) or "largest". */
  readonly which?: "smallest" | "largest";
  readonly seed: number;
  /** Symmetric positive definite operator close to the inverse of A, shifted where A is indefinite; not counted in `matvecs`. */
  readonly preconditioner?: LinearOperator;
  /** Bound on every residual norm over the largest |eigenvalue| seen: 1e-6 by default, 1e-3 for float32 operators. */
  readonly tolerance?: number;
  /** Most products; 1000 times k by default. The last k are kept for the true residuals. */
  readonly matvecs?: number;
  /** Further vectors iterated with the k, which speed up convergence where eigenvalues are close; `ceil(k / 4) + 1` by default. */
  readonly guards?: number;
  /** Where an earlier run with the same options stopped. */
  readonly state?: LobpcgState;
}

/** Plain data, from which the run can go on. */
export interface LobpcgState {
  readonly method: "lobpcg";
  readonly columns: number;
  readonly matvecs: number;
  readonly steps: number;
  /** `[n, k + guards]`, orthonormal, and A times it; A times it is empty before the first products. */
  readonly x: Matrix;
  readonly ax: Matrix;
  /** Directions of the last step, orthogonal to x, and A times them. */
  readonly p: Matrix;
  readonly ap: Matrix;
  /** Ritz values and residual norms of x, in the order wanted. */
  readonly values: Float64Array;
  readonly residualNorms: Float64Array;
  /** Largest |Ritz value| seen. */
  readonly scale: number;
}

/** Some eigenpairs at one end of the spectrum. */
export interface LobpcgResult extends Outcome {
  /** `[k]`, the outermost first. */
  readonly values: Float64Array;
  /** `[n, k]`, orthonormal columns in the order of `values`. */
  readonly vectors: Matrix;
  /** `[k]`, `||A v - value v||` from one more product each; the iteration's own values after "aborted" and "nonfinite". */
  readonly residualNorms: Float64Array;
}

const NAME = "lobpcg";

interface Plan {
  readonly A: LinearOperator;
  readonly run: Products;
  readonly preconditioner: Products | undefined;
  readonly k: number;
  readonly size: number;
  readonly sign: 1 | -1;
  readonly seed: number;
  readonly tolerance: number;
}

/**
 * Eigenvalues at one end of a symmetric matrix's spectrum by the locally optimal block preconditioned conjugate gradient method (Knyazev,
 * 2001): each step minimizes over the span of the vectors, their preconditioned residuals and the last directions, kept orthonormal as by
 * Hetmaniuk and Lehoucq (2006). Products a step: one for each vector that has not converged, at most k + guards; the same at the start, and k
 * at the end. Memory `6 n (k + guards)`, whatever the number of steps. With a good preconditioner it is the method for the smallest
 * eigenvalues; without one `eigsh` takes fewer products.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function lobpcg(A: LinearOperator, options: LobpcgOptions): Promise<LobpcgResult> {
  return drive(lobpcgSteps(A, options));
}

/** The run of `lobpcg` step by step; yields a state after each, from which `state` resumes it. */
export async function* lobpcgSteps(
  A: LinearOperator,
  options: LobpcgOptions,
): AsyncGenerator<LobpcgState, LobpcgResult, void> {
  const plan = planned(A, options);
  const { run, k } = plan;
  let state = options.state ?? (await initialState(plan));
  checkState(NAME, state, { method: NAME, columns: A.shape[1] });
  for (;;) {
    const active = activeColumns(state, plan);
    const known = state.ax.columns > 0;
    if (known && active.filter((i) => i < k).length === 0) return conclude(state, plan);
    if (run.left < (known ? active.length : plan.size) + k) return conclude(state, plan);
    const next = known ? await step(state, { plan, active }) : await first(state, plan);
    if ("status" in next) return conclude(state, plan, next);
    state = next;
    run.report(maxAbs(state.residualNorms.subarray(0, k)));
    yield state;
  }
}

function planned(A: LinearOperator, options: LobpcgOptions): Plan {
  checkDeclaredSymmetric(NAME, A);
  const { k, seed, which = "smallest", tolerance = precision(A) === "float32" ? 1e-3 : 1e-6 } = options;
  const n = A.shape[1];
  checkCount(NAME, "k", k);
  checkSeed(NAME, seed);
  checkNonnegative(NAME, "tolerance", tolerance);
  if (which !== "smallest" && which !== "largest") {
    throw new CurvatureError("argument", `${NAME} expects which to be "smallest" or "largest", got "${which}"`);
  }
  if (k > n)
    throw new CurvatureError("argument", `${NAME} expects k of at most ${n}, the order of the matrix, got ${k}`);
  const { guards = Math.ceil(k / 4) + 1, matvecs = 1000 * k, preconditioner: M, signal } = options;
  checkNonnegative(NAME, "guards", guards);
  checkCount(NAME, "matvecs", matvecs);
  if (M) checkDeclaredSymmetric(`${NAME} (preconditioner)`, M);
  const title = "the preconditioner of lobpcg";
  const inverse = M && products(M, { ...(signal ? { signal } : {}), name: title, matvecs: Number.POSITIVE_INFINITY });
  const run = products(A, { ...options, name: NAME, matvecs, used: options.state?.matvecs ?? 0 });
  const size = Math.min(k + Math.floor(guards), n);
  return { A, run, preconditioner: inverse, k, size, sign: which === "smallest" ? 1 : -1, seed, tolerance };
}

async function initialState({ A, size, seed }: Plan): Promise<LobpcgState> {
  const n = A.shape[1];
  const dtype = precision(A);
  const none = { rows: n, columns: 0, data: zeros(0, dtype) };
  let x = growingBasis(none, { capacity: size, dtype });
  const arithmetic = A.arithmetic ?? hostArithmetic;
  for (let j = 0; j < size; j++) x = withColumn(x, await randomDirection(x, { seed, path: j, dtype, arithmetic }));
  const values = new Float64Array(size);
  const residualNorms = new Float64Array(size).fill(Number.POSITIVE_INFINITY);
  const start = { method: NAME, columns: n, matvecs: 0, steps: 0, scale: 0 } as const;
  return { ...start, x, ax: none, p: none, ap: none, values, residualNorms };
}

/** Vectors whose residuals are above the bound. */
function activeColumns({ residualNorms, scale }: LobpcgState, { tolerance }: Plan): readonly number[] {
  const bound = (tolerance * scale) / 2;
  return Array.from(residualNorms, (_, i) => i).filter((i) => !(residualNorms[i]! <= bound));
}

/** Products of the start vectors, and their Ritz pairs. */
async function first(state: LobpcgState, plan: Plan): Promise<LobpcgState | Interruption> {
  const made = await plan.run.block(state.x, () => state);
  if (made.interruption) return made.interruption;
  return minimized(state, {
    plan,
    S: state.x,
    AS: joined(state.columns, made.columns, precision(plan.A)),
    size: plan.size,
  });
}

/** One step: residuals, preconditioned and made orthogonal to the vectors and the last directions, then the Ritz pairs of all three. */
async function step(
  state: LobpcgState,
  { plan, active }: { readonly plan: Plan; readonly active: readonly number[] },
): Promise<LobpcgState | Interruption> {
  const { A, run, preconditioner } = plan;
  const dtype = precision(A);
  const arithmetic = A.arithmetic ?? hostArithmetic;
  const capacity = state.x.columns + state.p.columns + active.length;
  let S = growingBasis(state.x, { capacity, dtype });
  for (let j = 0; j < state.p.columns; j++) S = withColumn(S, column(state.p, j));
  const before = S.columns;
  for (const i of active) {
    const r = residual(state, i);
    const z = preconditioner ? await preconditioner.matvec(r, () => state) : r;
    if (isInterruption(z)) return z;
    const direction = scaled(1 / (norm(z) || 1), toPrecision(z, dtype));
    const found = await orthogonalize(direction, S, arithmetic);
    // What lies in the span already adds nothing but rounding.
    if (found.norm > 1e3 * epsilon(dtype)) S = withColumn(S, scaled(1 / found.norm, found.vector));
  }
  const W = { rows: S.rows, columns: S.columns - before, data: S.data.subarray(S.rows * before) };
  if (W.columns === 0) return { ...state, steps: state.steps + 1, residualNorms: state.residualNorms.map(() => 0) };
  const made = await run.block(W, () => state);
  if (made.interruption) return made.interruption;
  const known = [...columnsOf(state.ax), ...columnsOf(state.ap), ...made.columns];
  return minimized(state, { plan, S, AS: joined(state.columns, known, dtype), size: plan.size });
}

function residual({ x, ax, values }: LobpcgState, i: number): Vector {
  const r = column(ax, i).slice();
  axpy(-values[i]!, column(x, i), r);
  return r;
}

function columnsOf(X: Matrix): readonly Vector[] {
  return Array.from({ length: X.columns }, (_, j) => column(X, j));
}

function joined(rows: number, columns: readonly Vector[], dtype: "float32" | "float64"): Matrix {
  const data = zeros(rows * columns.length, dtype);
  columns.forEach((x, j) => {
    data.set(x, j * rows);
  });
  return { rows, columns: columns.length, data };
}

/**
 * The foremost Ritz vectors of the orthonormal S, and what of them lies outside of the vectors before: with coordinates Y, the directions are
 * Y without its first rows, made orthogonal to Y in coordinates, which keeps them orthogonal to x without touching long vectors.
 */
async function minimized(
  state: LobpcgState,
  { plan, S, AS, size }: { readonly plan: Plan; readonly S: Matrix; readonly AS: Matrix; readonly size: number },
): Promise<LobpcgState> {
  const { values, vectors } = await eigh(transposedProduct(S, AS));
  const m = S.columns;
  const order = Array.from(values, (_, i) => (plan.sign === 1 ? i : m - 1 - i)).slice(0, size);
  const Y = joined(
    m,
    order.map((i) => column(vectors, i)),
    "float64",
  );
  const directions = await outerDirections(Y, state.x.columns === m ? m : state.x.columns);
  const next = {
    ...state,
    matvecs: plan.run.used,
    steps: state.steps + 1,
    x: multiply(S, Y),
    ax: multiply(AS, Y),
    p: multiply(S, directions),
    ap: multiply(AS, directions),
    values: Float64Array.from(order, (i) => values[i]!),
    scale: Math.max(state.scale, maxAbs(values)),
  };
  return { ...next, residualNorms: Float64Array.from(order, (_, i) => norm(residual(next, i))) };
}

/** Orthonormal coordinates of the part of Y below its first rows, orthogonal to Y. */
async function outerDirections(Y: Matrix, inner: number): Promise<Matrix> {
  const m = Y.rows;
  let basis = growingBasis(Y, { capacity: 2 * Y.columns, dtype: "float64" });
  for (let j = 0; j < Y.columns && basis.columns < m; j++) {
    const outer = column(Y, j).slice();
    outer.fill(0, 0, inner);
    const size = norm(outer);
    if (size === 0) continue;
    const found = await orthogonalize(scaled(1 / size, outer), basis, hostArithmetic);
    if (found.norm > 1e-10) basis = withColumn(basis, scaled(1 / found.norm, found.vector));
  }
  const count = basis.columns - Y.columns;
  return { rows: m, columns: count, data: basis.data.slice(m * Y.columns, m * basis.columns) };
}

async function conclude(state: LobpcgState, plan: Plan, interruption?: Interruption): Promise<LobpcgResult> {
  const { run, k, tolerance } = plan;
  const known = state.ax.columns > 0;
  const values = state.values.slice(0, known ? k : 0);
  const vectors = leadingColumns(state.x, values.length);
  const residualNorms = state.residualNorms.slice(0, values.length);
  let stopped = interruption;
  if (!stopped && known) {
    const made = await run.block(vectors, () => state);
    stopped = made.interruption;
    made.columns.forEach((w, i) => {
      axpy(-values[i]!, column(vectors, i), w);
      residualNorms[i] = norm(w);
    });
  }
  const found = { values, vectors: { ...vectors, data: vectors.data.slice() }, residualNorms };
  const matvecs = run.used;
  if (stopped) return { ...found, ...outcome(stopped.status, { happened: stopped.happened, matvecs }) };
  const good = residualNorms.filter((r) => r <= tolerance * state.scale).length;
  const happened = `${good} of ${k} eigenpairs have residuals below ${tolerance} of the largest |Ritz value| after ${state.steps} steps`;
  if (good === k) return { ...found, ...outcome("converged", { happened, matvecs }) };
  const claimed = known && activeColumns(state, plan).every((i) => i >= k);
  const rounded = `${happened}, though the iteration says all have: products are rounded`;
  if (claimed) return { ...found, ...outcome("stagnated", { happened: rounded, matvecs }) };
  const advice = "raise matvecs or guards, take a preconditioner, or loosen tolerance";
  return { ...found, ...outcome("budget", { happened, matvecs, advice }) };
}
