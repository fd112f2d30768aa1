import { type Matrix, zeros } from "../../tensors/index.ts";
import { appended, isExhausted } from "../krylov/lanczos.ts";
import { checkArgument, checkDeclaredSymmetric, checkState } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { type Interruption, isInterruption } from "../runs/products.ts";
import { type Outcome, outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import {
  growingBasis,
  lanczosStep,
  leadingColumns,
  normalized,
  wholeColumn,
  wholeMatrix,
  withColumn,
} from "../vectors/basis.ts";
import { hostArithmetic, maxAbs } from "../vectors/vector.ts";
import { excludesCopies } from "./copies.ts";
import { eigenpairResiduals } from "./eigenpairResiduals.ts";
import { columnsOf, projectedColumns, type RitzPairs, resultOrder, ritzPairs, WHICH, type Which } from "./ritzPairs.ts";
import {
  freshDirection,
  indices,
  isConverged,
  keptPairs,
  lockedCount,
  ROUNDED,
  type ThickRestartEnd,
  type ThickRestartMethod,
  type ThickRestartOptions,
  type ThickRestartPlan,
  target,
  thickRestartOutcome,
  thickRestartPlan,
  thickRestartSteps,
} from "./thickRestart.ts";

/** Options of `eigsh`. */
export interface EigshOptions extends ThickRestartOptions<EigshState> {
  /**
   * "largest" (default): the algebraically largest, largest first. "smallest": the algebraically smallest, smallest first. "magnitude": the
   * largest in absolute value, in that order. "both": the `ceil(k / 2)` largest and the `floor(k / 2)` smallest, in descending order.
   */
  readonly which?: Which | undefined;
  /** Most products, at least 2 k; k of them are kept for the true residuals. Default 50 times `basisSize`. */
  readonly matvecs?: number | undefined;
  /**
   * Most basis vectors held at once, at least k + 2 unless n is smaller; default `max(2 k + 16, 64)`. Where convergence is slow, twice as many
   * save a third of the products or more.
   */
  readonly basisSize?: number | undefined;
}

/** The basis and the projected matrix after `matvecs` products: plain data, from which the run can go on. */
export interface EigshState {
  readonly method: "eigsh";
  readonly columns: number;
  readonly matvecs: number;
  /** `[n, kept + steps + 1]`, orthonormal; one column fewer where it spans everything. The next product starts from the last column. The rows of this rank where `A.arithmetic` splits the basis. */
  readonly basis: Matrix;
  /** `[kept]`, eigenvalues of the Ritz vectors kept at the last restart, and `[kept]` their coupling to the vector after them. */
  readonly kept: { readonly values: Float64Array; readonly coupling: Float64Array };
  /** `[steps]` diagonal and `[steps]` subdiagonal of T since the last restart. */
  readonly alpha: Float64Array;
  readonly beta: Float64Array;
  /** Leading columns of the basis that have converged, while further copies of them are looked for in their complement. */
  readonly locked?: number | undefined;
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

const NAME = "eigsh";

/** Columns of the basis between two looks at the Ritz pairs, which cost a dense eigenproblem of their number. */
const CHECKED_EVERY = 8;

/**
 * Eigenvalues at the ends of a symmetric matrix's spectrum and their vectors, by Lanczos with full reorthogonalization and thick restart
 * (Wu and Simon, 2000). Memory `n (basisSize + 1)`, and once more at a restart; an nth of it on each of n ranks where `A.arithmetic` splits the
 * basis. One product a step; at the end k products for the true
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
  checkDeclaredSymmetric(NAME, A);
  const plan = thickRestartPlan(A, options, {
    name: NAME,
    choices: WHICH,
    basisSize: Math.max(2 * options.k + 16, 64),
  });
  const { k, dtype, basisSize, arithmetic } = plan;
  const budget = options.matvecs ?? Number.POSITIVE_INFINITY;
  const message = `${NAME} expects matvecs to be at least 2 k = ${2 * k} (k steps and k residuals), got ${budget}`;
  checkArgument(budget >= 2 * k, message);
  const state = options.state ?? (await initialState(plan));
  checkState(NAME, state, { method: NAME, columns: A.shape[1] });
  const basis = growingBasis(state.basis, { capacity: basisSize + 1, dtype, arithmetic });
  return conclude(plan, yield* thickRestartSteps(methodOf(plan), { ...state, basis }, plan));
}

type Plan = ThickRestartPlan<Which>;

async function initialState(plan: Plan): Promise<EigshState> {
  const rows = plan.A.shape[1];
  const empty = new Float64Array(0);
  const q = await freshDirection({ rows, columns: 0, data: empty }, 0, { ...plan, arithmetic: hostArithmetic });
  const projection = { kept: { values: empty, coupling: empty }, alpha: empty, beta: empty };
  return { method: NAME, columns: rows, matvecs: 0, basis: { rows, columns: 1, data: q }, ...projection };
}

function methodOf(plan: Plan): ThickRestartMethod<EigshState, RitzPairs> {
  const { k, run, basisSize } = plan;
  return {
    spans: (state) => projectedColumns(state) === state.columns,
    isShort: () => run.left <= k,
    hasRoom: (state) => projectedColumns(state) < basisSize,
    isDue: (state) => state.alpha.length > 0 && projectedColumns(state) % CHECKED_EVERY === 0,
    look: (state) => ritzPairs(state, plan.which, plan.tolerance / 2),
    isConverged: (pairs) => isConverged(pairs, plan),
    search(state, pairs) {
      if (isComplete(state, pairs, plan)) return "complete";
      // A basis that can hold everything shows every copy when it does.
      if (basisSize === state.columns && !state.locked) return "on";
      return pairs.locked.slice(0, k).every(Boolean) ? "on" : "start";
    },
    async locked(state, pairs) {
      const chosen = indices(lockedCount(pairs, plan, { spare: 2 }));
      const { basis, ...rest } = await onRitzVectors(state, { pairs, chosen, plan });
      const direction = await freshDirection(basis, `copies ${state.matvecs}`, plan);
      // The residuals of converged pairs are negligible.
      const kept = { ...rest.kept, coupling: new Float64Array(chosen.length) };
      return { ...rest, basis: withColumn(basis, direction), kept, locked: chosen.length };
    },
    async restarted(state, pairs) {
      const next = await onRitzVectors(state, { pairs, chosen: keptPairs(pairs.locked, plan), plan });
      const direction = await wholeColumn(state.basis, projectedColumns(state), plan.arithmetic);
      return { ...next, basis: withColumn(next.basis, direction) };
    },
    step: (state) => step(state, plan),
  };
}

/** One product and one more column of the basis. */
async function step(state: EigshState, plan: Plan): Promise<EigshState | Interruption> {
  const { run, dtype, arithmetic } = plan;
  const { basis, kept } = state;
  const size = projectedColumns(state);
  const newest = await wholeColumn(basis, size, arithmetic);
  const w = await run.matvec(newest, () => state);
  if (isInterruption(w)) return w;
  const made = await lanczosStep(w, { basis, newest, beta: state.beta[state.beta.length - 1] ?? 0, arithmetic });
  const alpha = appended(state.alpha, made.alpha);
  const scale = Math.max(...[alpha, state.beta, kept.values, kept.coupling].map(maxAbs));
  const spans = size + 1 === state.columns;
  const exhausted = spans || isExhausted(made.beta, { scale, dtype });
  const next = { ...state, matvecs: run.used, alpha, beta: appended(state.beta, exhausted ? 0 : made.beta) };
  if (spans) return next;
  const direction = exhausted ? await freshDirection(basis, run.used, plan) : normalized(made.next);
  return { ...next, basis: withColumn(basis, direction) };
}

/** Whether no copy of a repeated eigenvalue is missing. */
function isComplete(state: EigshState, pairs: RitzPairs, plan: Plan): boolean {
  return projectedColumns(state) === state.columns || excludesCopies(pairs, { ...plan, target: target(pairs, plan) });
}

/** The state on some of its Ritz vectors, without the vector that comes after them, to which their residuals couple them. */
async function onRitzVectors(
  state: EigshState,
  { pairs, chosen, plan }: { readonly pairs: RitzPairs; readonly chosen: readonly number[]; readonly plan: Plan },
): Promise<EigshState> {
  const { arithmetic, basisSize, dtype } = plan;
  const whole = leadingColumns(state.basis, projectedColumns(state));
  const vectors = await arithmetic.combine(whole, columnsOf(pairs.coordinates, chosen));
  const [values, coupling] = [pairs.values, pairs.coupling].map((x) => Float64Array.from(chosen, (i) => x[i]!));
  const empty = new Float64Array(0);
  const basis = growingBasis(vectors, { capacity: basisSize + 1, dtype, arithmetic });
  return { ...state, basis, kept: { values: values!, coupling: coupling! }, alpha: empty, beta: empty };
}

/** The result from the Ritz pairs of the state, with true residuals unless the operator can no longer be asked. */
async function conclude(
  plan: Plan,
  { state, pairs: seen, interruption }: ThickRestartEnd<EigshState, RitzPairs>,
): Promise<EigshResult> {
  const { A, run, arithmetic, dtype } = plan;
  const pairs = seen ?? (await ritzPairs(state, plan.which, plan.tolerance / 2));
  const order = resultOrder(pairs.values, plan);
  const values = Float64Array.from(order, (i) => pairs.values[i]!);
  const residualNorms = Float64Array.from(order, (i) => pairs.residualNorms[i]!);
  const basis = leadingColumns(state.basis, projectedColumns(state));
  const vectors =
    order.length === 0
      ? { rows: A.shape[1], columns: 0, data: zeros(0, dtype) }
      : await wholeMatrix(await arithmetic.combine(basis, columnsOf(pairs.coordinates, order)), arithmetic);
  const found = { values, vectors, residualNorms };
  const stopped = interruption ?? (await eigenpairResiduals(run, found, { state: () => state }));
  if (stopped) return { ...found, ...outcome(stopped.status, { happened: stopped.happened, matvecs: run.used }) };
  const facts = { look: pairs, residualNorms, complete: () => isComplete(state, pairs, plan), advice: ROUNDED };
  return { ...found, ...(await thickRestartOutcome(plan, facts)) };
}
