import { precisionOf, type Vector } from "../../tensors/index.ts";
import { type Interruption, isInterruption } from "../runs/products.ts";
import { outcome, type Status } from "../runs/result.ts";
import { combinationWithNorm, dot, norm } from "../vectors/vector.ts";
import { hasRestarted, sizeOf } from "./refinement.ts";
import type { Method, NormalResidual, SolverEnd, SolverRun, SolverState, StopReason } from "./solverMethod.ts";

// Measures of approximate solutions of linear systems, and messages at the end of a run.

/** Distance from a solution: `||r|| / ||b||` or, in least squares, the smaller of this and `||A' r|| / (||A|| ||r||)`. */
export function measure(
  { residualNorm, normal }: { residualNorm: number; normal?: NormalResidual | undefined },
  size: number,
): number {
  const relative = residualNorm === 0 ? 0 : residualNorm / size;
  if (normal === undefined || residualNorm === 0) return relative;
  if (normal.residualNorm === 0) return 0;
  return Math.min(relative, normal.residualNorm / (normal.operatorNorm * residualNorm));
}

/** The x that a state represents. */
export function solutionOf<R>({ x, recurrence }: SolverState<R>, method: Method<R>): Vector {
  return recurrence && method.solution ? method.solution(x, recurrence) : x;
}

/** The true residual of x and, in least squares, of the normal equations. */
export async function residualOf<R>(
  x: Vector,
  { b, run, method, current }: SolverRun<R>,
): Promise<TrueResidual | Interruption> {
  const Ax = await run.matvec(x, current);
  if (isInterruption(Ax)) return Ax;
  const { vector: residual, norm: residualNorm } = difference(b, Ax);
  if (!method.leastSquares) return { residual, residualNorm };
  const gradient = await run.adjointMatvec(residual, current);
  if (isInterruption(gradient)) return gradient;
  const size = norm(gradient);
  if (!method.preconditioner) return { residual, residualNorm, gradient: { size, weighted: size } };
  const z = await method.preconditioner.matvec(gradient, current);
  if (isInterruption(z)) return z;
  return { residual, residualNorm, gradient: { size, weighted: Math.sqrt(Math.max(dot(gradient, z), 0)) } };
}

/** `b - A x`, written over the product, and its norm. */
export function difference(b: Vector, Ax: Vector): { readonly vector: Vector; readonly norm: number } {
  return combinationWithNorm([1, b], [-1, Ax], { dtype: precisionOf(b), into: Ax });
}

/** A residual computed from x. */
export interface TrueResidual {
  readonly residual: Vector;
  readonly residualNorm: number;
  readonly gradient?: Gradient | undefined;
}

/** `||A' r||`, and the same in the norm of the preconditioner. */
interface Gradient {
  readonly size: number;
  readonly weighted: number;
}

/** Before any step the norm of A is known from this product alone: `||A' r|| / ||r||` bounds it from below. */
export function scaledNormal<R>({ normal }: SolverState<R>, gradient: Gradient, residualNorm: number): NormalResidual {
  const { size, weighted } = gradient;
  const seen = residualNorm === 0 ? 0 : weighted / residualNorm;
  const operatorNorm = Math.max(normal?.operatorNorm ?? 0, seen);
  return { residualNorm: weighted, operatorNorm, gradientNorm: size };
}

/** A candidate for the answer. */
interface Found {
  readonly x: Vector;
  readonly residualNorm: number;
  readonly normal?: NormalResidual | undefined;
  readonly isTrue: boolean;
  readonly residual?: Vector | undefined;
}

/** The best x of a run, with the residual that is computed from it where products are left for that. */
async function bestOf<R>(
  state: SolverState<R>,
  context: SolverRun<R>,
  ending: StopReason,
): Promise<{ readonly found: Found; readonly ending: StopReason }> {
  const { run, method, size } = context;
  const { best } = state;
  const latest = { ...state, x: solutionOf(state, method), isTrue: state.residual !== undefined };
  let found: Found = measure(latest, size) <= measure(best, size) ? latest : best;
  let final = ending;
  if (!found.isTrue && !isInterrupted(ending) && run.left >= (method.leastSquares ? 2 : 1)) {
    const checked = await residualOf(found.x, context);
    if ("status" in checked) final = checked;
    else {
      const { residual, residualNorm, gradient } = checked;
      const normal = gradient && scaledNormal(state, gradient, residualNorm);
      found = { x: found.x, residualNorm, normal, isTrue: true, residual };
    }
  }
  const other = await alternativeTo(found, state, { context, ending: final });
  if (other && "status" in other) final = other;
  else if (other && (!found.isTrue || other.residualNorm < found.residualNorm)) found = other;
  // A recurrence that has claimed too much before does not outdo a residual computed from x.
  const isBetter = found.isTrue ? measure(best, size) < measure(found, size) : hasRestarted(state.verifiedResiduals);
  return { found: best.isTrue && isBetter ? best : found, ending: final };
}

/** The x that the method named as one that may be better, with its true residual; undefined where there is none to be tried. */
async function alternativeTo<R>(
  found: Found,
  { alternative: x }: SolverState<R>,
  { context, ending }: { readonly context: SolverRun<R>; readonly ending: StopReason },
): Promise<Found | Interruption | undefined> {
  const { run, size, tolerance } = context;
  const isSolved = found.isTrue && measure(found, size) <= tolerance;
  if (x === undefined || x === found.x || isSolved || isInterrupted(ending) || run.left < 1) return undefined;
  const checked = await residualOf(x, context);
  if ("status" in checked) return checked;
  return { x, residualNorm: checked.residualNorm, isTrue: true, residual: checked.residual };
}

/** Whether a run ended in the middle of a product, after which none can be made. */
export function isInterrupted({ status }: StopReason): boolean {
  return status === "aborted" || status === "nonfinite";
}

/** The result: the best x, and its residual computed from it where a product is left for it. */
export async function conclude<R>(
  state: SolverState<R>,
  context: SolverRun<R>,
  reason: StopReason,
): Promise<SolverEnd> {
  const { run, method, size, tolerance } = context;
  const { found, ending } = await bestOf(state, context, reason);
  const { x, residualNorm, normal, isTrue, residual } = found;
  const solved = isTrue && !isInterrupted(reason) && measure(found, size) <= tolerance;
  const status = solved ? "converged" : ending.status;
  const reached = { residualNorm, normal, size, tolerance, terms: method.terms };
  const told = { happened: said(state, { ...reached, ...ending }), matvecs: run.used };
  const advice = solved ? undefined : (ending.advice ?? method.advice?.[status] ?? ADVICE[status]);
  const known = normal?.gradientNorm ?? (method.preconditioner ? undefined : normal?.residualNorm);
  const gradient = known === undefined ? {} : { normalResidualNorm: known };
  const ended = outcome(status, { ...told, advice });
  const { direction, curvature } = ending;
  const proof = status === "indefinite" && direction ? { direction, curvature: curvature! } : {};
  return { result: { x, residualNorm, ...gradient, ...ended, ...proof }, residual, state };
}

const ADVICE: Partial<Record<Status, string>> = {
  budget: "raise matvecs, loosen tolerance, add damping or a preconditioner",
  breakdown: "add damping, or try minres, gmres or lsmr",
};

function said<R>(
  { steps }: SolverState<R>,
  at: {
    residualNorm: number;
    normal?: NormalResidual | undefined;
    size: number;
    tolerance: number;
    terms: Method<R>["terms"];
  } & StopReason,
): string {
  const { residualNorm, normal, size, tolerance, happened } = at;
  const terms = at.terms ?? { residual: "residual norm", gradient: "||A' r||" };
  const target = `${(tolerance * size).toPrecision(3)} (${tolerance} ||b||) asked for`;
  const slope = normal?.gradientNorm ?? normal?.residualNorm;
  const gradient = slope === undefined ? "" : `, ${terms.gradient} ${slope.toPrecision(3)}`;
  const text = `${terms.residual} ${sizeOf(residualNorm, size)}${gradient} after ${steps} steps, ${target}`;
  return happened ? `${happened}; ${text}` : text;
}
