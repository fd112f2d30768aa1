import { CurvatureError } from "../../errors/index.ts";
import { type Matrix, type Vector, zeros } from "../../tensors/index.ts";
import { appended, isExhausted } from "../krylov/lanczos.ts";
import {
  checkCount,
  checkDeclaredSymmetric,
  checkNonnegative,
  checkSeed,
  checkState,
  precision,
} from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { type Interruption, isInterruption, type Products, products } from "../runs/products.ts";
import { type Outcome, outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { SYMMETRY_ADVICE } from "../systems/refinement.ts";
import {
  growingBasis,
  lanczosStep,
  leadingColumns,
  normalized,
  randomDirection,
  withColumn,
} from "../vectors/basis.ts";
import { arithmeticOf, axpy, hostArithmetic, maxAbs, norm } from "../vectors/vector.ts";
import { convergedOutcome, excludesCopies } from "./copies.ts";
import { columnsOf, preference, projectedColumns, type RitzPairs, ritzPairs, type Which } from "./ritzPairs.ts";

/** Options of `eigsh`. */
export interface EigshOptions extends RunOptions {
  /** Number of eigenpairs, at most n. */
  readonly k: number;
  /**
   * "largest" (default): the algebraically largest, largest first. "smallest": the algebraically smallest, smallest first. "magnitude": the
   * largest in absolute value, in that order. "both": the `ceil(k / 2)` largest and the `floor(k / 2)` smallest, in descending order.
   */
  readonly which?: Which;
  readonly seed: number;
  /** Bound on every residual norm `||A v - value v||` over the largest |eigenvalue|: 1e-8 by default, 1e-4 for float32 operators. */
  readonly tolerance?: number;
  /** Most products, at least 2 k; k of them are kept for the true residuals. Default 50 times `basisSize`. */
  readonly matvecs?: number;
  /**
   * Most basis vectors held at once, at least k + 2 unless n is smaller; default `max(2 k + 16, 64)`. Where convergence is slow, twice as many
   * save a third of the products or more.
   */
  readonly basisSize?: number;
  /**
   * Whether to look for further copies of repeated eigenvalues once k pairs have converged (default true): a single Krylov sequence sees one copy
   * of each only. The search runs on the complement of the k pairs until its own extreme eigenvalue is known to lie beyond the k-th value, about as
   * many steps as the k pairs took, and once more for each copy. Without it, or where the budget ends it, copies may be missing.
   */
  readonly copies?: boolean;
  /** Where an earlier run with the same options stopped. */
  readonly state?: EigshState;
}

/** The basis and the projected matrix after `matvecs` products: plain data, from which the run can go on. */
export interface EigshState {
  readonly method: "eigsh";
  readonly columns: number;
  readonly matvecs: number;
  /** `[n, kept + steps + 1]`, orthonormal; one column fewer where it spans everything. The next product starts from the last column. */
  readonly basis: Matrix;
  /** `[kept]`, eigenvalues of the Ritz vectors kept at the last restart, and `[kept]` their coupling to the vector after them. */
  readonly kept: { readonly values: Float64Array; readonly coupling: Float64Array };
  /** `[steps]` diagonal and `[steps]` subdiagonal of T since the last restart. */
  readonly alpha: Float64Array;
  readonly beta: Float64Array;
  /** Leading columns of the basis that have converged, while further copies of them are looked for in their complement. */
  readonly locked?: number;
}

/** Some eigenpairs of a symmetric matrix. */
export interface EigshResult extends Outcome {
  /** `[k]` in the order that `which` says; fewer only where the run ended before k could be formed. */
  readonly values: Float64Array;
  /** `[n, k]`, orthonormal columns in the order of `values`. */
  readonly vectors: Matrix;
  /**
   * `[k]`, `||A v - value v||` from one more product each: some eigenvalue of A lies within that distance of the value. After "aborted" and
   * "nonfinite" no product can be made, and these are the estimates of the recurrence.
   */
  readonly residualNorms: Float64Array;
}

interface Plan {
  readonly k: number;
  readonly which: Which;
  readonly seed: number;
  readonly tolerance: number;
  readonly basisSize: number;
  /** Whether to look for further copies. */
  readonly copies: boolean;
}

const NAME = "eigsh";

/** Columns of the basis between two looks at the Ritz pairs, which cost a dense eigenproblem of their number. */
const CHECKED_EVERY = 8;

/**
 * Eigenvalues at the ends of a symmetric matrix's spectrum and their vectors, by Lanczos with full reorthogonalization and thick restart
 * (Wu and Simon, 2000). Memory `n (basisSize + 1)`, and once more at a restart. One product a step; at the end k products for the true
 * residuals, and before them the steps that look for further copies of repeated eigenvalues (see `copies`). "converged" means that residuals are
 * small and that no copy is missing. Convergence is looked at every eighth step. Where n is at most `basisSize`, n + k products give all of
 * it to rounding.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function eigsh(A: LinearOperator, options: EigshOptions): Promise<EigshResult> {
  return runToEnd(eigshSteps(A, options));
}

/** The run of `eigsh` product by product; yields a state after each, from which `state` resumes it. */
export async function* eigshSteps(
  A: LinearOperator,
  options: EigshOptions,
): AsyncGenerator<EigshState, EigshResult, void> {
  checkOptions(NAME, options, "k which seed tolerance matvecs basisSize copies state signal onProgress");
  const { plan, matvecs } = planned(A, options);
  const run = products(A, { ...options, name: NAME, matvecs, used: options.state?.matvecs ?? 0 });
  let state = options.state ?? (await initialState(A, plan));
  checkState(NAME, state, { method: "eigsh", columns: A.shape[1] });
  const capacity = plan.basisSize + 1;
  state = { ...state, basis: growingBasis(state.basis, { capacity, dtype: precision(A) }) };
  for (;;) {
    const size = projectedColumns(state);
    const full = size === plan.basisSize || run.left <= plan.k;
    if (full || (state.alpha.length > 0 && size % CHECKED_EVERY === 0)) {
      const pairs = await ritzPairs(state, plan.which, plan.tolerance / 2);
      const verdict = judged(state, { pairs, run, plan, full });
      if (verdict === "finish") return conclude(A, { state, run, plan });
      if (verdict !== "step") state = await restarted(A, state, { pairs, plan, fresh: verdict === "copies" });
    }
    const next = await step(A, state, { run, plan });
    if ("status" in next) return conclude(A, { state, run, plan, interruption: next });
    state = next;
    run.report();
    yield state;
  }
}

function planned(A: LinearOperator, options: EigshOptions): { readonly plan: Plan; readonly matvecs: number } {
  checkDeclaredSymmetric(NAME, A);
  const n = A.shape[1];
  const { k, which = "largest", seed, copies = true } = options;
  checkCount(NAME, "k", k);
  if (k > n)
    throw new CurvatureError("argument", `${NAME} expects k of at most ${n}, the order of the matrix, got ${k}`);
  if (!["largest", "smallest", "magnitude", "both"].includes(which)) {
    const message = `${NAME} expects which to be "largest", "smallest", "magnitude" or "both", got "${which}"`;
    throw new CurvatureError("argument", message);
  }
  checkSeed(NAME, seed);
  const { tolerance = precision(A) === "float32" ? 1e-4 : 1e-8 } = options;
  checkNonnegative(NAME, "tolerance", tolerance);
  const { basisSize = Math.max(2 * k + 16, 64) } = options;
  checkCount(NAME, "basisSize", basisSize);
  if (basisSize < Math.min(k + 2, n)) {
    throw new CurvatureError("argument", `${NAME} expects basisSize to be at least k + 2 = ${k + 2}, got ${basisSize}`);
  }
  const { matvecs = 50 * basisSize } = options;
  checkCount(NAME, "matvecs", matvecs);
  if (matvecs < 2 * k) {
    const message = `${NAME} expects matvecs to be at least 2 k = ${2 * k} (k steps and k residuals), got ${matvecs}`;
    throw new CurvatureError("argument", message);
  }
  return { plan: { k, which, seed, tolerance, basisSize: Math.min(basisSize, n), copies }, matvecs };
}

async function initialState(A: LinearOperator, { seed }: Plan): Promise<EigshState> {
  const n = A.shape[1];
  const none: Matrix = { rows: n, columns: 0, data: new Float64Array(0) };
  const dtype = precision(A);
  const q = await randomDirection(none, { seed, path: 0, dtype, arithmetic: hostArithmetic });
  const empty = new Float64Array(0);
  const kept = { values: empty, coupling: empty };
  return {
    method: "eigsh",
    columns: n,
    matvecs: 0,
    basis: { rows: n, columns: 1, data: q },
    kept,
    alpha: empty,
    beta: empty,
  };
}

/** One product and one more column of the basis. */
async function step(
  A: LinearOperator,
  state: EigshState,
  { run, plan }: { run: Products; plan: Plan },
): Promise<EigshState | Interruption> {
  const size = projectedColumns(state);
  const newest = state.basis.data.subarray(state.columns * size);
  const w = await run.matvec(newest, () => state);
  if (isInterruption(w)) return w;
  const arithmetic = arithmeticOf(A);
  const { basis } = state;
  const made = await lanczosStep(w, { basis, beta: state.beta[state.beta.length - 1] ?? 0, arithmetic });
  const alpha = appended(state.alpha, made.alpha);
  const { values, coupling } = state.kept;
  const scale = Math.max(...[alpha, state.beta, values, coupling].map(maxAbs));
  const spans = size + 1 === state.columns;
  const exhausted = spans || isExhausted(made.beta, { scale, dtype: precision(A) });
  const next = { ...state, matvecs: run.used, alpha, beta: appended(state.beta, exhausted ? 0 : made.beta) };
  if (spans) return next;
  const direction = exhausted ? await freshDirection(A, basis, { plan, path: run.used }) : normalized(made.next);
  return { ...next, basis: withColumn(basis, direction) };
}

function freshDirection(
  A: LinearOperator,
  basis: Matrix,
  { plan, path }: { plan: Plan; path: string | number },
): Promise<Vector> {
  const arithmetic = arithmeticOf(A);
  return randomDirection(basis, { seed: plan.seed, path, dtype: precision(A), arithmetic });
}

/** Whether to give the result, look for further copies of what has converged, restart a full basis, or make the next step. */
function judged(
  state: EigshState,
  { pairs, run, plan, full }: { pairs: RitzPairs; run: Products; plan: Plan; full: boolean },
): "finish" | "copies" | "restart" | "step" {
  const spansAll = projectedColumns(state) === state.columns;
  const spent = run.left <= plan.k;
  if (spansAll || spent) return "finish";
  const goOn = full ? "restart" : "step";
  if (!areConverged(pairs, plan)) return goOn;
  if (!plan.copies || isComplete(state, pairs, plan)) return "finish";
  // A basis that can hold everything shows every copy when it does.
  if (plan.basisSize === state.columns && !state.locked) return "step";
  return pairs.locked.slice(0, plan.k).every(Boolean) ? goOn : "copies";
}

/** Whether no copy of a repeated eigenvalue is missing. */
function isComplete(state: EigshState, pairs: RitzPairs, plan: Plan): boolean {
  return projectedColumns(state) === state.columns || excludesCopies(pairs, { ...plan, target: target(pairs, plan) });
}

/** Bound on residual norms inside the run: half of what is promised, since true residuals add rounding to the recurrence's. */
function target({ scale }: RitzPairs, { tolerance }: Plan): number {
  return (tolerance * scale) / 2;
}

function areConverged(pairs: RitzPairs, plan: Plan): boolean {
  if (pairs.values.length < plan.k) return false;
  return pairs.residualNorms.slice(0, plan.k).every((r) => r <= target(pairs, plan));
}

/**
 * A basis of the foremost Ritz vectors and one more column. Usually this is the Lanczos vector that comes next, to which each kept vector
 * is coupled by its residual. `fresh` keeps converged vectors alone, whose residuals are negligible, locks them, and goes on from a random vector.
 */
async function restarted(
  A: LinearOperator,
  state: EigshState,
  { pairs, plan, fresh }: { pairs: RitzPairs; plan: Plan; fresh: boolean },
): Promise<EigshState> {
  const { basisSize } = plan;
  const size = projectedColumns(state);
  const chosen = fresh ? convergedPairs(pairs, plan) : keptPairs(pairs, { ...plan, size });
  const coordinates = columnsOf(pairs.coordinates, chosen);
  const arithmetic = arithmeticOf(A);
  const kept = await arithmetic.combine(leadingColumns(state.basis, size), coordinates);
  const basis = growingBasis(kept, { capacity: basisSize + 1, dtype: precision(A) });
  const direction = fresh
    ? await freshDirection(A, basis, { plan, path: `copies ${state.matvecs}` })
    : state.basis.data.subarray(state.columns * size);
  const empty = new Float64Array(0);
  const locked = fresh ? chosen.length : (state.locked ?? 0);
  return {
    ...state,
    basis: withColumn(basis, direction),
    kept: {
      values: Float64Array.from(chosen, (i) => pairs.values[i]!),
      coupling: fresh ? new Float64Array(chosen.length) : Float64Array.from(chosen, (i) => pairs.coupling[i]!),
    },
    alpha: empty,
    beta: empty,
    ...(locked > 0 && { locked }),
  };
}

/** Foremost pairs that have converged, as many as leave half of the basis for the search beside them. */
function convergedPairs(pairs: RitzPairs, plan: Plan): readonly number[] {
  const { k, basisSize } = plan;
  const unconverged = pairs.residualNorms.findIndex((r) => r > target(pairs, plan));
  const most = Math.min(k + Math.floor((basisSize - k) / 2), basisSize - 2);
  const count = Math.min(most, unconverged < 0 ? pairs.values.length : unconverged);
  return Array.from({ length: count }, (_, i) => i);
}

/** The locked pairs and, of the others, the foremost that half of the remaining basis can hold. */
function keptPairs(
  { locked, values }: RitzPairs,
  { k, basisSize, size }: Pick<Plan, "k" | "basisSize"> & { readonly size: number },
): readonly number[] {
  const indices = Array.from(values, (_, i) => i);
  const fixed = indices.filter((i) => locked[i]);
  const free = basisSize - fixed.length;
  const most =
    fixed.length > 0
      ? Math.min(Math.max(Math.floor(free / 2), 1), free - 1)
      : Math.min(size, k + Math.floor((basisSize - k) / 2), basisSize - 1);
  return [...fixed, ...indices.filter((i) => !locked[i]).slice(0, most)];
}

/** The result from the Ritz pairs of the state, with true residuals unless the operator can no longer be asked. */
async function conclude(
  A: LinearOperator,
  { state, run, plan, interruption }: { state: EigshState; run: Products; plan: Plan; interruption?: Interruption },
): Promise<EigshResult> {
  const found = await ritzPairs(state, plan.which, plan.tolerance / 2);
  const pairs = arranged(found, plan);
  const count = Math.min(plan.k, pairs.values.length);
  const values = pairs.values.slice(0, count);
  const size = projectedColumns(state);
  const vectors =
    count === 0
      ? { rows: state.columns, columns: 0, data: zeros(0, precision(A)) }
      : await arithmeticOf(A).combine(leadingColumns(state.basis, size), leadingColumns(pairs.coordinates, count));
  const residualNorms = pairs.residualNorms.slice(0, count);
  if (interruption) {
    const ending = outcome(interruption.status, { happened: interruption.happened, matvecs: run.used });
    return { values, vectors, residualNorms, ...ending };
  }
  const residuals = await run.block(vectors, () => state);
  residuals.columns.forEach((w, i) => {
    axpy(-values[i]!, vectors.data.subarray(i * vectors.rows, (i + 1) * vectors.rows), w);
    residualNorms[i] = norm(w);
  });
  const stopped = residuals.interruption;
  const ending = stopped
    ? outcome(stopped.status, { happened: stopped.happened, matvecs: run.used })
    : judgedOutcome({ pairs, residualNorms, run, plan, complete: isComplete(state, found, plan) });
  return { values, vectors, residualNorms, ...ending };
}

/** The k foremost pairs in the order of `which`; in descending order where both ends were taken in turns. */
function arranged(pairs: RitzPairs, { k, which }: Plan): RitzPairs {
  const order = preference(pairs.values.slice(0, k), which === "both" ? "largest" : which);
  return {
    ...pairs,
    values: Float64Array.from(order, (i) => pairs.values[i]!),
    coordinates: columnsOf(pairs.coordinates, order),
    coupling: Float64Array.from(order, (i) => pairs.coupling[i]!),
    residualNorms: Float64Array.from(order, (i) => pairs.residualNorms[i]!),
    locked: order.map((i) => pairs.locked[i]!),
  };
}

function judgedOutcome({
  pairs,
  residualNorms,
  run,
  plan,
  complete,
}: {
  pairs: RitzPairs;
  residualNorms: Float64Array;
  run: Products;
  plan: Plan;
  complete: boolean;
}): Outcome {
  const matvecs = run.used;
  const bound = plan.tolerance * pairs.scale;
  const good = residualNorms.filter((r) => r <= bound).length;
  const happened = `${good} of ${plan.k} eigenpairs have residuals below ${plan.tolerance} of the largest |eigenvalue|`;
  if (good === plan.k) return convergedOutcome(happened, { matvecs, complete, copies: plan.copies, of: "eigenvalues" });
  if (areConverged(pairs, plan)) {
    return outcome("stagnated", {
      happened: `${happened}, though the recurrence says all have: products are rounded`,
      matvecs,
      advice: `loosen tolerance, or use a float64 operator; ${SYMMETRY_ADVICE}`,
    });
  }
  return outcome("budget", { happened, matvecs, advice: "raise matvecs or basisSize, or loosen tolerance" });
}
