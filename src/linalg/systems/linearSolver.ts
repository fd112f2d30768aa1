import { toPrecision, type Vector, zeros } from "../../tensors/index.ts";
import { checkOperator, checkSquare, checkState, checkVector, epsilon, precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkedRun } from "../runs/checkedRun.ts";
import { norm } from "../vectors/vector.ts";
import type { VectorPool } from "../vectors/vectorPool.ts";
import { inUnits } from "./extremeScale.ts";
import { hasRestarted, hasStalled, limitedBy, shouldVerify } from "./refinement.ts";
import { conclude, measure, residualOf, scaledNormal, solutionOf, type TrueResidual } from "./solverEnd.ts";
import {
  isStopReason,
  type Method,
  type SolverEnd,
  type SolverOptions,
  type SolverRun,
  type SolverState,
  type StopReason,
} from "./solverMethod.ts";

// Parts that all solvers of linear systems share beside their recurrence: the budget, true residuals, restarts from them, the best x, and how a run
// ends. A method brings its recurrence as plain data and one step of it.

/** System that a method is run on. */
interface System<R> {
  readonly A: LinearOperator;
  readonly b: Vector;
  readonly options: SolverOptions<SolverState<R>>;
  readonly pool?: VectorPool | undefined;
}

/** The run of a method step by step; yields a state after each, from which `state` resumes it. */
export async function* solverSteps<R extends object>(
  method: Method<R>,
  system: System<R>,
): AsyncGenerator<SolverState<R>, SolverEnd["result"], void> {
  const { A, b, options, pool } = system;
  if (method.leastSquares) checkOperator(method.name, A);
  else checkSquare(method.name, A);
  checkVector(method.name, b, { what: "b", length: A.shape[0], as: method.leastSquares ? "rows" : "columns" });
  return yield* inUnits(b, options, async function* (right, given) {
    return (yield* solverRun(method, { A, b: right, options: given, pool })).result;
  });
}

/** The same for methods that go on from what this run gives. */
export async function* solverRun<R extends object>(
  method: Method<R>,
  { A, b, options, pool }: System<R>,
): AsyncGenerator<SolverState<R>, SolverEnd, void> {
  let state: SolverState<R>;
  const context: SolverRun<R> = { ...prepared(method, { A, b, options, current: () => state }), pool };
  state = options.state ?? initialState(context, options);
  checkState(method.name, state, { method: method.name, columns: A.shape[1] });
  if (state.recurrence && method.resumed) state = { ...state, recurrence: method.resumed(state.recurrence) };
  const given = [context.b, ...vectorsOf(state, method)];
  for (;;) {
    const known = state.residual !== undefined;
    if (known && isSolved(state, context)) return conclude(state, context, { status: "converged" });
    const low = isSolved(state, context) || state.residualNorm <= (epsilon(precision(A)) / 8) * context.size;
    const claims = low && shouldVerify(measure(state, context.size), state.verifiedResiduals);
    const due = !known && (claims || state.steps === 0 || isDue(state, method));
    const ending = due && !isDue(state, method) ? undefined : stoppedBy(state, context);
    if (ending) return conclude(state, context, ending);
    const next = due ? await verified(state, context) : await advanced(state, context);
    if (isStopReason(next)) return conclude(state, context, next);
    const { ending: last, ...reached } = next;
    pool?.free(vectorsOf(state, method), [...given, ...vectorsOf(reached, method)]);
    state = reached;
    context.run.report(state.residualNorm);
    yield state;
    if (last) return conclude(state, context, last);
  }
}

function vectorsOf<R>(state: SolverState<R>, method: Method<R>): readonly (Vector | undefined)[] {
  const { x, residual, recurrence, best } = state;
  return [x, residual, best.x, ...((recurrence && method.vectors?.(recurrence)) ?? [])];
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
): SolverRun<R> {
  const { name, leastSquares = false } = method;
  if (leastSquares) checkOperator(name, A);
  else checkSquare(name, A);
  checkVector(name, b, { what: "b", length: A.shape[0], as: leastSquares ? "rows" : "columns" });
  const { tolerance, run } = checkedRun(A, options, { name });
  if (options.x0) checkVector(name, options.x0, { what: "x0", length: A.shape[1] });
  const right = toPrecision(b, precision(A));
  return { A, b: right, run, current, method, tolerance, size: norm(right) };
}

function initialState<R>({ A, b, method, size }: SolverRun<R>, { x0 }: SolverOptions<unknown>): SolverState<R> {
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
    residual: x0 ? undefined : b,
    best: { x, residualNorm, isTrue: x0 === undefined, step: 0 },
    verifiedResiduals: { last: Number.POSITIVE_INFINITY, before: Number.POSITIVE_INFINITY },
  };
}

function isSolved<R>(state: SolverState<R>, { size, tolerance }: SolverRun<R>): boolean {
  return measure(state, size) <= tolerance;
}

function stoppedBy<R>(
  state: SolverState<R>,
  { A, run, method, tolerance, size }: SolverRun<R>,
): StopReason | undefined {
  // After a claim that was wrong the recurrence started again from the true residual, which should have helped.
  const restarted = state.residual !== undefined && state.recurrence === undefined && state.steps > 0;
  if (restarted && hasStalled(state.verifiedResiduals))
    return { status: "stagnated", happened: limitedBy(precision(A), state.residualNorm / size) };
  const starting = state.recurrence === undefined ? (method.startProducts ?? 0) : 0;
  if (run.left < method.stepProducts + starting + (method.leastSquares ? 2 : 1)) return { status: "budget" };
  // In exact arithmetic n steps are enough; rounding may double that, on the square of A multiply it, and a b outside of the range never gets
  // there.
  const most = (method.isOnSquare ? 20 : 2) * state.columns + 10;
  if (state.steps - state.best.step <= most) return undefined;
  const target = (tolerance * size).toPrecision(3);
  return { status: "stagnated", happened: `the residual has not fallen for ${most} steps, ${target} is asked for` };
}

/** The state with the true residual of x, from which the recurrence starts again. */
async function verified<R>(
  state: SolverState<R>,
  context: SolverRun<R>,
): Promise<(SolverState<R> & Advanced) | StopReason> {
  const { run, method } = context;
  if (run.left < (method.leastSquares ? 2 : 1)) return { status: "budget" };
  const x = solutionOf(state, method);
  const found = await residualOf(x, context);
  if ("status" in found) return found;
  const isClaim = state.steps > 0 && (!isDue(state, method) || isSolved(state, context));
  return restartedFrom({ ...state, x, matvecs: run.used }, found, { size: context.size, isClaim });
}

/** The state without its recurrence, which starts again from this residual of x; `isClaim` after the recurrence has claimed to have converged. */
function restartedFrom<R>(
  state: SolverState<R>,
  { residual, residualNorm, gradient }: TrueResidual,
  { size, isClaim }: { readonly size: number; readonly isClaim: boolean },
): SolverState<R> {
  const normal = gradient && scaledNormal(state, gradient, residualNorm);
  const { recurrence: _, x, steps, ...rest } = state;
  const now = measure({ residualNorm, normal }, size);
  const verifiedResiduals = isClaim ? { last: now, before: state.verifiedResiduals.last } : state.verifiedResiduals;
  const better = state.best.isTrue && measure(state.best, size) <= now;
  const best = better ? state.best : { x, residualNorm, normal, isTrue: true, step: steps };
  return { ...rest, x, steps, residual, residualNorm, normal, best, verifiedResiduals };
}

interface Advanced {
  readonly ending?: StopReason | undefined;
}

/** One step of the recurrence, which starts first where it has to. */
async function advanced<R>(
  state: SolverState<R>,
  context: SolverRun<R>,
): Promise<(SolverState<R> & Advanced) | StopReason> {
  const { method, run, size } = context;
  const started = state.recurrence ?? (await method.start(state.residual!, context));
  if (isStopReason(started as object)) return started as StopReason;
  const step = await method.step(state, started as R, context);
  if (isStopReason(step)) return step;
  const { residual: _, normal: seen, ...rest } = state;
  const { x, recurrence, residualNorm, residual, ending } = step;
  const steps = state.steps + 1;
  const made = { ...rest, matvecs: run.used, steps, x, residualNorm };
  if (residual && step.isLost) return restartedFrom(made, { residual, residualNorm }, { size, isClaim: true });
  // The norm of A is estimated from below: the largest estimate of the run counts, also after a restart.
  const operatorNorm = Math.max(step.normal?.operatorNorm ?? 0, seen?.operatorNorm ?? 0);
  const reached = { residualNorm, normal: step.normal && { ...step.normal, operatorNorm } };
  const isTrue = residual !== undefined;
  // A method without x at hand keeps the best for the next restart, where x is formed.
  const believed = isTrue || !(state.best.isTrue && hasRestarted(state.verifiedResiduals));
  const falls = !method.solution && believed && measure(reached, size) < measure(state.best, size);
  const best = falls ? { x, ...reached, isTrue, step: steps } : state.best;
  const alternative = step.alternative ?? state.alternative;
  const fell = method.solution && residualNorm < state.residualNorm ? { ...best, step: steps } : best;
  return { ...made, recurrence, ...reached, best: fell, alternative, residual, ending };
}
