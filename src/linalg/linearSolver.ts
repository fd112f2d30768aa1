import { toPrecision, type Vector, zeros } from "../tensors/index.ts";
import { type Claims, isInVain, isRefined, limitedBy, sizeOf } from "./attainable.ts";
import {
  checkCount,
  checkNonnegative,
  checkOperator,
  checkSquare,
  checkState,
  checkVector,
  epsilon,
  precision,
} from "./checks.ts";
import type { LinearOperator, RunOptions } from "./operator.ts";
import { type Interruption, isInterruption, type Products, products } from "./products.ts";
import { type Outcome, outcome, type Status } from "./result.ts";
import { axpy, dot, norm } from "./vector.ts";

// What all solvers of linear systems share beside their recurrence: the budget, true residuals, restarts from them, the best x, and how a run
// ends. A method brings its recurrence as plain data and one step of it.

/** Options that every solver takes. */
export interface SolverOptions<State> extends RunOptions {
  /** Bound on the residual norm over the norm of b: 1e-8 by default, 1e-4 for float32 operators. */
  readonly tolerance?: number;
  /** Most products, those with the transpose included; 1000 by default. What the final residual takes is kept back. */
  readonly matvecs?: number;
  /** `[n]`, where to start; zero by default. Costs one product, two in least squares. */
  readonly x0?: Vector;
  /** Where an earlier run with the same A, b and options stopped. */
  readonly state?: State;
}

/** A solution of `A x = b`, or the best approximation to it. */
export interface SolverResult extends Outcome {
  /** `[n]` */
  readonly x: Vector;
  /** `||b - A x||`, computed from x; the recurrence's own value after "aborted" and "nonfinite", when no product can be made for it. */
  readonly residualNorm: number;
}

/** Everything that the next step needs: plain data, from which the run can go on. */
export interface SolverState<Recurrence> {
  readonly method: string;
  readonly columns: number;
  readonly matvecs: number;
  readonly steps: number;
  /** `[n]`; of a method that forms its solution at a restart only, the one at the last restart. */
  readonly x: Vector;
  /** `||b - A x||`, as the recurrence has it unless `residual` is there. */
  readonly residualNorm: number;
  /** `b - A x` computed from x, from which the recurrence starts again. */
  readonly residual?: Vector;
  readonly recurrence?: Recurrence;
  /** In least squares: `||A' (b - A x)||`, and the norm of A that it is measured by. */
  readonly normal?: Normal;
  /** The x of smallest `measure` so far, and the step it belongs to. */
  readonly best: {
    readonly x: Vector;
    readonly residualNorm: number;
    readonly normal?: Normal;
    readonly isTrue: boolean;
    readonly step: number;
  };
  /** True measures at the last two times that the recurrence claimed to have converged. */
  readonly claimed: Claims;
}

/** Size of the gradient of `||b - A x||^2 / 2`, in the norm of the preconditioner where there is one. */
export interface Normal {
  /** `||A' r||`, or `sqrt((A' r)' M (A' r))`. */
  readonly residualNorm: number;
  /** Norm of A, or of A times a square root of M. */
  readonly operatorNorm: number;
  /** `||A' r||` whatever the preconditioner, where it is known. */
  readonly gradientNorm?: number;
}

/** Why a run ends. */
export interface Ending {
  readonly status: Status;
  readonly happened?: string;
  readonly advice?: string;
}

/** What one step gives. */
export interface Advance<Recurrence> {
  readonly x: Vector;
  readonly recurrence: Recurrence;
  readonly residualNorm: number;
  readonly normal?: Normal;
  /** Where this step is the last that can be made. */
  readonly ending?: Ending;
}

/** What a method's functions are given. */
export interface SolverContext {
  readonly A: LinearOperator;
  readonly b: Vector;
  readonly run: Products;
  /** The state before the step, which `error.state` becomes if the operator throws. */
  readonly current: () => unknown;
}

/** A solver: its recurrence and the rules that it follows. */
export interface Method<Recurrence> {
  readonly name: string;
  /** Most products of one step, and of a start. */
  readonly stepProducts: number;
  readonly startProducts?: number;
  /** Whether the minimum of `||b - A x||` counts as a solution, for operators of any shape with a transpose. */
  readonly leastSquares?: boolean;
  /** Whether it is a method on `A' A` in disguise, whose condition is the square of that of A. */
  readonly isOnSquare?: boolean;
  /** In least squares: products with the preconditioner of the normal equations, in whose norm their residual is measured. */
  readonly preconditioner?: Products | undefined;
  /** What the message calls the residual norm and, in least squares, that of the normal equations. */
  readonly terms?: { readonly residual: string; readonly gradient: string };
  /** Recurrence from a true residual `b - A x`. */
  start(residual: Vector, context: SolverContext): Promise<Recurrence | Ending>;
  step(x: Vector, recurrence: Recurrence, context: SolverContext): Promise<Advance<Recurrence> | Ending>;
  /** Of a method that does not form x at each step: the x that it stands for. */
  solution?(x: Vector, recurrence: Recurrence): Vector;
  /** The recurrence of a saved state with room to grow again. */
  resumed?(recurrence: Recurrence): Recurrence;
  /** Whether the recurrence has to start again now. */
  isDue?(recurrence: Recurrence): boolean;
  /** Advice for endings on which the method knows better. */
  readonly advice?: Partial<Record<Status, string>>;
}

interface Run<R> extends SolverContext {
  readonly method: Method<R>;
  readonly tolerance: number;
  /** `||b||` */
  readonly size: number;
}

/** Whether a step gave an ending instead of an advance. */
export function isEnding(result: object): result is Ending {
  return "status" in result;
}

/** What a method is run on. */
interface System<R> {
  readonly A: LinearOperator;
  readonly b: Vector;
  readonly options: SolverOptions<SolverState<R>>;
}

/** How a run ended, with its last state, and the residual `b - A x` where it was computed from x. */
export interface SolverEnd {
  readonly result: SolverResult & { readonly normalResidualNorm?: number };
  readonly residual?: Vector;
  readonly state: SolverState<unknown>;
}

/** The run of a method step by step; yields a state after each, from which `state` resumes it. */
export async function* solverSteps<R extends object>(
  method: Method<R>,
  system: System<R>,
): AsyncGenerator<SolverState<R>, SolverEnd["result"], void> {
  return (yield* solverRun(method, system)).result;
}

/** The same for methods that go on from what this run gives. */
export async function* solverRun<R extends object>(
  method: Method<R>,
  { A, b, options }: System<R>,
): AsyncGenerator<SolverState<R>, SolverEnd, void> {
  let state: SolverState<R>;
  const context = prepared(method, { A, b, options, current: () => state });
  state = options.state ?? initialState(context, options);
  checkState(method.name, state, { method: method.name, columns: A.shape[1] });
  if (state.recurrence && method.resumed) state = { ...state, recurrence: method.resumed(state.recurrence) };
  for (;;) {
    const known = state.residual !== undefined;
    if (known && isSolved(state, context)) return conclude(state, context, { status: "converged" });
    const low = isSolved(state, context) || state.residualNorm <= (epsilon(precision(A)) / 8) * context.size;
    const claims = low && isRefined(measure(state, context.size), state.claimed);
    const due = !known && (claims || state.steps === 0 || isDue(state, method));
    const ending = due && !isDue(state, method) ? undefined : stoppedBy(state, context);
    if (ending) return conclude(state, context, ending);
    const next = due ? await verified(state, context) : await advanced(state, context);
    if (isEnding(next)) return conclude(state, context, next);
    const { ending: last, ...reached } = next;
    state = reached;
    context.run.report(state.residualNorm);
    yield state;
    if (last) return conclude(state, context, last);
  }
}

function isDue<R>({ recurrence }: SolverState<R>, method: Method<R>): boolean {
  return recurrence !== undefined && method.isDue?.(recurrence) === true;
}

function prepared<R>(
  method: Method<R>,
  {
    A,
    b,
    options,
    current,
  }: { A: LinearOperator; b: Vector; options: SolverOptions<SolverState<R>>; current: () => unknown },
): Run<R> {
  const { name, leastSquares = false } = method;
  if (leastSquares) checkOperator(name, A);
  else checkSquare(name, A);
  checkVector(name, b, { what: "b", length: A.shape[0], as: leastSquares ? "rows" : "columns" });
  const { tolerance = precision(A) === "float32" ? 1e-4 : 1e-8, matvecs = 1000, x0, state } = options;
  checkNonnegative(name, "tolerance", tolerance);
  checkCount(name, "matvecs", matvecs);
  if (x0) checkVector(name, x0, { what: "x0", length: A.shape[1] });
  const right = toPrecision(b, precision(A));
  const run = products(A, { ...options, name, matvecs, used: state?.matvecs ?? 0 });
  return { A, b: right, run, current, method, tolerance, size: norm(right) };
}

function initialState<R>({ A, b, method, size }: Run<R>, { x0 }: SolverOptions<unknown>): SolverState<R> {
  const columns = A.shape[1];
  const x = x0 ? toPrecision(x0, precision(A)).slice() : zeros(columns, precision(A));
  const residualNorm = x0 ? Number.POSITIVE_INFINITY : size;
  return {
    method: method.name,
    columns,
    matvecs: 0,
    steps: 0,
    x,
    residualNorm,
    ...(x0 ? {} : { residual: b }),
    best: { x, residualNorm, isTrue: x0 === undefined, step: 0 },
    claimed: { last: Number.POSITIVE_INFINITY, before: Number.POSITIVE_INFINITY },
  };
}

/** How far from a solution: `||r|| / ||b||` or, in least squares, the smaller of this and `||A' r|| / (||A|| ||r||)`. */
function measure({ residualNorm, normal }: { residualNorm: number; normal?: Normal }, size: number): number {
  const relative = residualNorm === 0 ? 0 : residualNorm / size;
  if (normal === undefined || residualNorm === 0) return relative;
  if (normal.residualNorm === 0) return 0;
  return Math.min(relative, normal.residualNorm / (normal.operatorNorm * residualNorm));
}

function isSolved<R>(state: SolverState<R>, { size, tolerance }: Run<R>): boolean {
  return measure(state, size) <= tolerance;
}

function stoppedBy<R>(state: SolverState<R>, { A, run, method, tolerance, size }: Run<R>): Ending | undefined {
  // After a claim that was wrong the recurrence started again from the true residual, which should have helped.
  const restarted = state.residual !== undefined && state.steps > 0;
  if (restarted && isInVain(state.claimed)) return { status: "stagnated", happened: limitedBy(precision(A)) };
  const starting = state.recurrence === undefined ? (method.startProducts ?? 0) : 0;
  if (run.left < method.stepProducts + starting + (method.leastSquares ? 2 : 1)) return { status: "budget" };
  // In exact arithmetic n steps are enough; rounding may double that, on the square of A multiply it, and a b outside of the range never gets
  // there.
  const most = (method.isOnSquare ? 20 : 2) * state.columns + 10;
  if (state.steps - state.best.step <= most) return undefined;
  const target = (tolerance * size).toPrecision(3);
  return { status: "stagnated", happened: `the residual has not fallen for ${most} steps, ${target} is asked for` };
}

/** The x that a state stands for. */
function solutionOf<R>({ x, recurrence }: SolverState<R>, method: Method<R>): Vector {
  return recurrence && method.solution ? method.solution(x, recurrence) : x;
}

/** The true residual of x and, in least squares, of the normal equations. */
async function residualOf<R>(
  x: Vector,
  { A, b, run, method, current }: Run<R>,
): Promise<{ readonly residual: Vector; readonly gradient?: Gradient } | Interruption> {
  const Ax = await run.matvec(x, current);
  if (isInterruption(Ax)) return Ax;
  const residual = toPrecision(b.slice(), precision(A));
  axpy(-1, Ax, residual);
  if (!method.leastSquares) return { residual };
  const gradient = await run.adjointMatvec(residual, current);
  if (isInterruption(gradient)) return gradient;
  const size = norm(gradient);
  if (!method.preconditioner) return { residual, gradient: { size, weighted: size } };
  const z = await method.preconditioner.matvec(gradient, current);
  if (isInterruption(z)) return z;
  return { residual, gradient: { size, weighted: Math.sqrt(Math.max(dot(gradient, z), 0)) } };
}

/** `||A' r||`, and the same in the norm of the preconditioner. */
interface Gradient {
  readonly size: number;
  readonly weighted: number;
}

/** The state with the true residual of x, from which the recurrence starts again. */
async function verified<R>(state: SolverState<R>, context: Run<R>): Promise<(SolverState<R> & Advanced) | Ending> {
  const { run, method, size } = context;
  if (run.left < (method.leastSquares ? 2 : 1)) return { status: "budget" };
  const x = solutionOf(state, method);
  const found = await residualOf(x, context);
  if ("status" in found) return found;
  const { residual, gradient } = found;
  const residualNorm = norm(residual);
  const normal = gradient === undefined ? {} : { normal: scaledNormal(state, gradient, residualNorm) };
  const { recurrence: _, normal: __, ...rest } = state;
  const now = measure({ residualNorm, ...normal }, size);
  const dueOnly = isDue(state, method) && !isSolved(state, context);
  const claimed = state.steps > 0 && !dueOnly ? { last: now, before: state.claimed.last } : state.claimed;
  const better = state.best.isTrue && measure(state.best, size) <= now;
  const best = better ? state.best : { x, residualNorm, ...normal, isTrue: true, step: state.steps };
  return { ...rest, matvecs: run.used, x, residual, residualNorm, ...normal, best, claimed };
}

/** Before any step the norm of A is known from this product alone: `||A' r|| / ||r||` bounds it from below. */
function scaledNormal<R>({ normal }: SolverState<R>, gradient: Gradient, residualNorm: number): Normal {
  const { size, weighted } = gradient;
  const seen = residualNorm === 0 ? 0 : weighted / residualNorm;
  const operatorNorm = Math.max(normal?.operatorNorm ?? 0, seen);
  return { residualNorm: weighted, operatorNorm, gradientNorm: size };
}

interface Advanced {
  readonly ending?: Ending;
}

/** One step of the recurrence, which starts first where it has to. */
async function advanced<R>(state: SolverState<R>, context: Run<R>): Promise<(SolverState<R> & Advanced) | Ending> {
  const { method, run, size } = context;
  const started = state.recurrence ?? (await method.start(state.residual!, context));
  if (isEnding(started as object)) return started as Ending;
  const step = await method.step(state.x, started as R, context);
  if (isEnding(step)) return step;
  const { residual: _, normal: seen, ...rest } = state;
  const { x, recurrence, residualNorm, ending } = step;
  const steps = state.steps + 1;
  // The norm of A is estimated from below: the largest estimate of the run counts, also after a restart.
  const operatorNorm = Math.max(step.normal?.operatorNorm ?? 0, seen?.operatorNorm ?? 0);
  const reached = { residualNorm, ...(step.normal ? { normal: { ...step.normal, operatorNorm } } : {}) };
  // A method without x at hand keeps the best for the next restart, where x is formed.
  const falls = !method.solution && measure(reached, size) < measure(state.best, size);
  const best = falls ? { x, ...reached, isTrue: false, step: steps } : state.best;
  const fell = method.solution && residualNorm < state.residualNorm ? { ...best, step: steps } : best;
  return { ...rest, matvecs: run.used, steps, x, recurrence, ...reached, best: fell, ...(ending ? { ending } : {}) };
}

/** The result: the best x, and its residual computed from it where a product is left for it. */
async function conclude<R>(state: SolverState<R>, context: Run<R>, ending: Ending): Promise<SolverEnd> {
  const { run, method, size, tolerance } = context;
  const latest = { ...state, x: solutionOf(state, method), isTrue: state.residual !== undefined };
  const found = measure(latest, size) <= measure(state.best, size) ? latest : state.best;
  let { residualNorm, normal, isTrue } = found;
  let residual = found === latest ? state.residual : undefined;
  let final = ending;
  const interrupted = ending.status === "aborted" || ending.status === "nonfinite";
  if (!isTrue && !interrupted && run.left >= (method.leastSquares ? 2 : 1)) {
    const checked = await residualOf(found.x, context);
    if ("status" in checked) final = checked;
    else {
      residual = checked.residual;
      residualNorm = norm(residual);
      if (checked.gradient !== undefined) normal = scaledNormal(state, checked.gradient, residualNorm);
      isTrue = true;
    }
  }
  const reached = { residualNorm, ...(normal ? { normal } : {}) };
  const solved = isTrue && !interrupted && measure(reached, size) <= tolerance;
  const status = solved ? "converged" : final.status;
  const told = {
    happened: said(state, { ...reached, size, tolerance, terms: method.terms, ...final }),
    matvecs: run.used,
  };
  const advice = solved ? undefined : (final.advice ?? method.advice?.[status] ?? ADVICE[status]);
  const known = normal?.gradientNorm ?? (method.preconditioner ? undefined : normal?.residualNorm);
  const gradient = known === undefined ? {} : { normalResidualNorm: known };
  const ended = outcome(status, advice ? { ...told, advice } : told);
  return { result: { x: found.x, residualNorm, ...gradient, ...ended }, ...(residual ? { residual } : {}), state };
}

const ADVICE: Partial<Record<Status, string>> = {
  budget: "raise matvecs, loosen tolerance, add damping or a preconditioner",
  breakdown: "add damping, or try minres, gmres or lsmr",
};

function said<R>(
  { steps }: SolverState<R>,
  at: {
    residualNorm: number;
    normal?: Normal;
    size: number;
    tolerance: number;
    terms: Method<R>["terms"];
  } & Ending,
): string {
  const { residualNorm, normal, size, tolerance, happened } = at;
  const terms = at.terms ?? { residual: "residual norm", gradient: "||A' r||" };
  const target = `${(tolerance * size).toPrecision(3)} (${tolerance} ||b||) asked for`;
  const slope = normal?.gradientNorm ?? normal?.residualNorm;
  const gradient = slope === undefined ? "" : `, ${terms.gradient} ${slope.toPrecision(3)}`;
  const text = `${terms.residual} ${sizeOf(residualNorm, size)}${gradient} after ${steps} steps, ${target}`;
  return happened ? `${happened}; ${text}` : text;
}
