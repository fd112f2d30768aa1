import { toPrecision, type Vector } from "../../tensors/index.ts";
import { checkDeclaredSymmetric, checkSeed, checkState, precision } from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { checkedRun } from "../runs/checkedRun.ts";
import { isInterruption } from "../runs/products.ts";
import { type Outcome, outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { normalized, randomDirection } from "../vectors/basis.ts";
import { axpy, dot, hostArithmetic, norm } from "../vectors/vector.ts";

/** Options of `powerIteration`. */
export interface PowerIterationOptions extends RunOptions {
  readonly seed: number;
  /** Bound on the residual norm over |value|: 1e-6 by default, 1e-3 for float32 operators. */
  readonly tolerance?: number | undefined;
  /** Most products, one a step. */
  readonly matvecs?: number | undefined;
  /** Where an earlier run with the same options stopped. */
  readonly state?: PowerIterationState | undefined;
}

/** Plain data, from which the iteration can go on. */
export interface PowerIterationState {
  readonly method: "powerIteration";
  readonly columns: number;
  readonly matvecs: number;
  /** `[n]`, unit vector that the next product starts from. */
  readonly next: Vector;
  /** The unit vector of the last product, its Rayleigh quotient and residual norm. */
  readonly vector: Vector;
  readonly value: number;
  readonly residualNorm: number;
}

/** The eigenpair of largest absolute value. */
export interface PowerIterationResult extends Outcome {
  readonly value: number;
  /** `[n]`, unit vector. */
  readonly vector: Vector;
  /** `||A v - value v||`: some eigenvalue lies within that distance of the value. Infinity if no product was made. */
  readonly residualNorm: number;
}

const NAME = "powerIteration";

/**
 * Eigenvalue of largest absolute value of a symmetric matrix, by the power method with Rayleigh quotients (von Mises, 1929). One product a
 * step, which also gives the residual. The residual falls by the ratio of the two largest |eigenvalues| a step: where these are close, or
 * lambda and -lambda both occur, `eigsh` needs far fewer products.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function powerIteration(A: LinearOperator, options: PowerIterationOptions): Promise<PowerIterationResult> {
  return runToEnd(powerIterationSteps(A, options));
}

/** The run of `powerIteration` product by product; yields a state after each, from which `state` resumes it. */
export async function* powerIterationSteps(
  A: LinearOperator,
  options: PowerIterationOptions,
): AsyncGenerator<PowerIterationState, PowerIterationResult, void> {
  checkOptions(NAME, options, "seed tolerance matvecs state signal onProgress");
  checkDeclaredSymmetric(NAME, A);
  checkSeed(NAME, options.seed);
  const usual = { name: NAME, tolerance: precision(A) === "float32" ? 1e-3 : 1e-6 };
  const { tolerance, matvecs, run } = checkedRun(A, options, usual);
  let state = options.state ?? (await initialState(A, options.seed));
  checkState(NAME, state, { method: NAME, columns: A.shape[1] });
  while (state.matvecs === 0 || state.residualNorm > tolerance * Math.abs(state.value)) {
    if (run.left <= 0) {
      const happened = `the residual is ${relative(state)} of the eigenvalue after ${matvecs} products, ${tolerance} asked for`;
      const advice = "raise matvecs, or use eigsh where two eigenvalues are of nearly the same size";
      return { ...found(state), ...outcome("budget", { happened, matvecs: run.used, advice }) };
    }
    const current = state;
    const w = await run.matvec(current.next, () => current);
    if (isInterruption(w)) return { ...found(state), ...outcome(w.status, { ...w, matvecs: run.used }) };
    state = stepped(current, { w, matvecs: run.used });
    run.report(state.residualNorm);
    yield state;
  }
  const happened = `the residual is ${relative(state)} of the eigenvalue`;
  return { ...found(state), ...outcome("converged", { happened, matvecs: run.used }) };
}

async function initialState(A: LinearOperator, seed: number): Promise<PowerIterationState> {
  const n = A.shape[1];
  const none = { rows: n, columns: 0, data: new Float64Array(0) };
  const next = await randomDirection(none, { seed, path: 0, dtype: precision(A), arithmetic: hostArithmetic });
  const unknown = { value: 0, residualNorm: Number.POSITIVE_INFINITY };
  return { method: NAME, columns: n, matvecs: 0, next, vector: next, ...unknown };
}

function stepped(state: PowerIterationState, { w, matvecs }: { w: Vector; matvecs: number }): PowerIterationState {
  const vector = state.next;
  const value = dot(vector, w);
  const residual = toPrecision(w, "float64").slice();
  axpy(-value, vector, residual);
  const next = norm(w) === 0 ? vector : normalized(w);
  return { ...state, matvecs, next, vector, value, residualNorm: norm(residual) };
}

function found({ value, vector, residualNorm }: PowerIterationState) {
  return { value, vector, residualNorm };
}

function relative({ value, residualNorm }: PowerIterationState): string {
  return residualNorm === 0 ? "0" : (residualNorm / Math.abs(value)).toPrecision(2);
}
