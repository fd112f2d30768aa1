import { column, type Matrix, toPrecision, type Vector, zeros } from "../../tensors/index.ts";
import {
  checkArgument,
  checkDeclaredSymmetric,
  checkState,
  checkVector,
  epsilon,
  precision,
} from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { checkedRun } from "../runs/checkedRun.ts";
import { iterate } from "../runs/iterate.ts";
import { type Interruption, isInterruption, type Products } from "../runs/products.ts";
import { type Outcome, outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { axpy, combination, dot, norm } from "../vectors/vector.ts";
import { definiteEnding } from "./definiteEnding.ts";
import { inUnits } from "./extremeScale.ts";
import { isInterrupted } from "./solverEnd.ts";
import type { DefiniteStatus, StopReason } from "./solverMethod.ts";

/** Options of `multiShiftCg`. */
export interface MultiShiftCgOptions extends RunOptions {
  /** The dampings, each finite; `A + damping I` must be positive definite for the smallest. */
  readonly dampings: ArrayLike<number>;
  /** Bound on every residual norm over the norm of b: 1e-8 by default, 1e-4 for float32 operators. */
  readonly tolerance?: number | undefined;
  /** Most products, more than there are dampings, since each true residual takes one; 1000 by default. */
  readonly matvecs?: number | undefined;
  /** Where an earlier run with the same A, b and options stopped. */
  readonly state?: MultiShiftCgState | undefined;
}

/** Plain data, from which the run can go on. */
export interface MultiShiftCgState {
  readonly method: "multiShiftCg";
  readonly columns: number;
  readonly matvecs: number;
  readonly residual: Vector;
  readonly direction: Vector;
  /** `||r||^2`, and the coefficients of the step before. */
  readonly squared: number;
  readonly alpha: number;
  readonly beta: number;
  readonly scale: number;
  /** `[n, k]` solutions and search directions of all dampings. */
  readonly x: Matrix;
  readonly directions: Matrix;
  /** Residual of damping i over that of the smallest one, at this step and the one before. */
  readonly zeta: Float64Array;
  readonly zetaBefore: Float64Array;
}

/**
 * Solutions of `(A + damping I) x = b` for all dampings. With status "indefinite" also a direction along which A plus the smallest damping has
 * negative curvature, and that curvature.
 */
export type MultiShiftCgResult = Outcome &
  DefiniteStatus & {
    /** `[n, k]`, column i belongs to damping i. */
    readonly x: Matrix;
    /** `[k]`, `||b - (A + damping I) x||`, from one product each; the recurrence's own values after "aborted" and "nonfinite". */
    readonly residualNorms: Float64Array;
  };

const NAME = "multiShiftCg";

/**
 * Solutions of `(A + damping I) x = b` for k dampings at once by conjugate gradients (Frommer and Maass, 1999; Jegerlehner, 1996): residuals of
 * shifted systems stay parallel, so one Krylov space serves all. One product a step, as many steps as the smallest damping needs, and k products
 * at the end for the true residuals. Memory `n (2 k + 3)`. No preconditioner: it would change the systems.
 *
 * @throws CurvatureError "argument", "shape" or "numeric" for options, operators or vectors it cannot take; whatever the operator throws,
 * with `state`
 */
export async function multiShiftCg(
  A: LinearOperator,
  b: Vector,
  options: MultiShiftCgOptions,
): Promise<MultiShiftCgResult> {
  return runToEnd(multiShiftCgSteps(A, b, options));
}

interface Run {
  readonly A: LinearOperator;
  readonly b: Vector;
  readonly run: Products;
  readonly dampings: Float64Array;
  readonly smallest: number;
  readonly tolerance: number;
}

/** The run of `multiShiftCg` step by step; yields a state after each, from which `state` resumes it. */
export async function* multiShiftCgSteps(
  A: LinearOperator,
  b: Vector,
  options: MultiShiftCgOptions,
): AsyncGenerator<MultiShiftCgState, MultiShiftCgResult, void> {
  checkOptions(NAME, options, "dampings tolerance matvecs state signal onProgress");
  checkDeclaredSymmetric(NAME, A);
  checkVector(NAME, b, { what: "b", length: A.shape[1] });
  return yield* inUnits(b, options, (right, given) => unscaledSteps(A, right, given));
}

async function* unscaledSteps(
  A: LinearOperator,
  b: Vector,
  options: MultiShiftCgOptions,
): AsyncGenerator<MultiShiftCgState, MultiShiftCgResult, void> {
  const context = prepared(A, b, options);
  const start = options.state ?? initialState(context);
  checkState(NAME, start, { method: NAME, columns: A.shape[1] });
  return yield* iterate<MultiShiftCgState, StopReason, MultiShiftCgResult>(start, {
    stopReason: (state) => stopReason(state, context),
    step: (state) => step(state, context),
    conclude: (state, reason) => concluded(state, context, reason),
    report: ({ squared }) => context.run.report(Math.sqrt(squared)),
  });
}

function stopReason({ squared, matvecs, columns }: MultiShiftCgState, at: Run): StopReason | undefined {
  const size = norm(at.b);
  const residualNorm = Math.sqrt(squared);
  const attained = matvecs > 3 * columns + 10 && residualNorm < 1e3 * epsilon(precision(at.A)) * size;
  // Recurrence and true residual part by rounding: half of the tolerance is kept for it.
  if (residualNorm <= (at.tolerance * size) / 2 || attained) return { status: "converged" };
  return at.run.left <= at.dampings.length ? { status: "budget" } : undefined;
}

function prepared(A: LinearOperator, b: Vector, options: MultiShiftCgOptions): Run {
  const { tolerance, run } = checkedRun(A, options, { name: NAME });
  const dampings = Float64Array.from(options.dampings ?? []);
  const holds = dampings.length > 0 && dampings.every(Number.isFinite);
  checkArgument(holds, `${NAME} expects dampings to be a list of finite numbers, got [${dampings}]`);
  return { A, b: toPrecision(b, precision(A)), run, dampings, smallest: Math.min(...dampings), tolerance };
}

function initialState({ A, b, dampings }: Run): MultiShiftCgState {
  const n = A.shape[1];
  const k = dampings.length;
  const dtype = precision(A);
  const directions = zeros(n * k, dtype);
  for (let i = 0; i < k; i++) directions.set(b, i * n);
  return {
    method: NAME,
    columns: n,
    matvecs: 0,
    residual: b,
    direction: b,
    squared: dot(b, b),
    alpha: 1,
    beta: 0,
    scale: 0,
    x: { rows: n, columns: k, data: zeros(n * k, dtype) },
    directions: { rows: n, columns: k, data: directions },
    zeta: new Float64Array(k).fill(1),
    zetaBefore: new Float64Array(k).fill(1),
  };
}

/** One step of the system of the smallest damping, and of all others from its coefficients. */
async function step(
  state: MultiShiftCgState,
  { A, run, smallest, dampings }: Run,
): Promise<MultiShiftCgState | StopReason> {
  const { direction: p, residual, squared } = state;
  const Ap = await run.matvec(p, () => state);
  if (isInterruption(Ap)) return Ap;
  const product = combination([1, Ap], [smallest, p], { dtype: precision(A) });
  const length = dot(p, p);
  const scale = Math.max(state.scale, norm(product) / Math.sqrt(length));
  const curvature = dot(p, product) / length;
  const rounding = 4 * epsilon(precision(A)) * scale;
  const ending = definiteEnding(p, { squared: length, curvature, rounding, matrix: "A plus the smallest damping" });
  if (ending) return ending;
  const alpha = squared / (curvature * length);
  const next = residual.slice();
  axpy(-alpha, product, next);
  const left = dot(next, next);
  const beta = left / squared;
  const direction = combination([1, next], [beta, p], { dtype: precision(A) });
  const shifted = shiftedStep(state, { alpha, beta, residual: next, shifts: dampings.map((d) => d - smallest) });
  return { ...state, matvecs: run.used, residual: next, direction, squared: left, alpha, beta, scale, ...shifted };
}

/**
 * The residual of a system with shift sigma is zeta times that of the unshifted one, with
 * `zeta_(k+1) = zeta_k zeta_(k-1) a_(k-1) / (a_(k-1) zeta_(k-1) (1 + a_k sigma) + a_k b_(k-1) (zeta_(k-1) - zeta_k))`, its step is
 * `a_k zeta_(k+1) / zeta_k` and its beta `b_k (zeta_(k+1) / zeta_k)^2`.
 */
function shiftedStep(
  state: MultiShiftCgState,
  { alpha, beta, residual, shifts }: { alpha: number; beta: number; residual: Vector; shifts: Float64Array },
) {
  const x = { ...state.x, data: state.x.data.slice() };
  const directions = { ...state.directions, data: state.directions.data.slice() };
  const zeta = shifts.map((shift, i) => {
    const [now, before] = [state.zeta[i], state.zetaBefore[i]];
    // A residual that has vanished stays so: its quotient of zetas would be 0 / 0.
    if (now === 0) return 0;
    const next =
      (now * before * state.alpha) / (state.alpha * before * (1 + alpha * shift) + alpha * state.beta * (before - now));
    const ratio = next / now;
    if (!Number.isFinite(ratio) || Math.abs(next) < 1e-150) return 0;
    const p = column(directions, i);
    axpy(alpha * ratio, p, column(x, i));
    const [r, b] = [next, beta * ratio * ratio];
    for (let j = 0; j < p.length; j++) p[j] = r * residual[j] + b * p[j];
    return next;
  });
  return { x, directions, zeta, zetaBefore: state.zeta };
}

/** The result, with true residuals where products are left for them. */
async function concluded(state: MultiShiftCgState, context: Run, ending: StopReason): Promise<MultiShiftCgResult> {
  const { b, run, dampings, tolerance } = context;
  const residualNorms = state.zeta.map((z) => Math.abs(z) * Math.sqrt(state.squared));
  const isKnown = !isInterrupted(ending) && run.left >= dampings.length;
  const final = (isKnown && (await withResiduals(residualNorms, state, context))) || ending;
  const target = tolerance * norm(b);
  const good = residualNorms.filter((r) => r <= target).length;
  const counts = `${good} of ${dampings.length} systems have residuals below ${target.toPrecision(3)} (${tolerance} ||b||)`;
  const all = isKnown && final === ending && good === dampings.length;
  const status = all ? "converged" : final.status === "converged" ? "stagnated" : final.status;
  const happened = final.happened && !all ? `${final.happened}; ${counts}` : counts;
  const advice = status === "indefinite" || status === "breakdown" ? "raise the smallest damping" : undefined;
  const ended = { x: state.x, residualNorms, ...outcome(status, { happened, matvecs: run.used, advice }) };
  const { direction, curvature } = ending;
  // An ending as "indefinite" comes with its direction.
  return (status === "indefinite" ? { ...ended, direction, curvature } : ended) as MultiShiftCgResult;
}

/** Writes the norms of the residuals that are computed from x, up to an interruption. */
async function withResiduals(
  residualNorms: Float64Array,
  state: MultiShiftCgState,
  { A, b, run, dampings }: Run,
): Promise<Interruption | undefined> {
  const { columns, interruption } = await run.block(state.x, () => state);
  columns.forEach((Ax, i) => {
    const residual = combination([1, b], [-1, Ax], { dtype: precision(A) });
    axpy(-dampings[i], column(state.x, i), residual);
    residualNorms[i] = norm(residual);
  });
  return interruption;
}
