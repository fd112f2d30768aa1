import { toPrecision, type Vector, zeros } from "../../tensors/index.ts";
import { checkOperator, checkSquare, checkState, checkVector, epsilon, precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkedRun } from "../runs/checkedRun.ts";
import { iterate } from "../runs/iterate.ts";
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
  const { name, resumed } = method;
  const { tolerance, run } = checkedRun(A, options, { name });
  if (options.x0) checkVector(name, options.x0, { what: "x0", length: A.shape[1] });
  const right = toPrecision(b, precision(A));
  let state: SolverState<R>;
  const context = { A, b: right, run, current: () => state, method, tolerance, size: norm(right), pool };
  state = options.state ?? initialState(context, options);
  checkState(name, state, { method: name, columns: A.shape[1] });
  if (state.recurrence && resumed) state = { ...state, recurrence: resumed(state.recurrence) };
  const given = [right, ...vectorsOf(state, method)];
  return yield* iterate<SolverState<R>, StopReason, SolverEnd>(state, {
    stopReason(now) {
      state = now;
      return stopReason(now, context);
    },
    async step(now) {
      const next = await (isToVerify(now, context) ? verified(now, context) : advanced(now, context));
      if (!isStopReason(next)) pool?.free(vectorsOf(now, method), [...given, ...vectorsOf(next, method)]);
      return next;
    },
    conclude: (last, reason) => conclude(last, context, reason),
    report: ({ residualNorm }) => run.report(residualNorm),
  });
}

/** Whether the residual has to be computed from x: at the start, where the recurrence is over, or claims to have converged. */
function isToVerify<R>(state: SolverState<R>, context: SolverRun<R>): boolean {
  const { A, method, size } = context;
  if (state.residual !== undefined) return false;
  if (state.steps === 0 || isDue(state, method)) return true;
  const low = isSolved(state, context) || state.residualNorm <= (epsilon(precision(A)) / 8) * size;
  return low && shouldVerify(measure(state, size), state.verifiedResiduals);
}

function vectorsOf<R>(state: SolverState<R>, method: Method<R>): readonly (Vector | undefined)[] {
  const { x, residual, recurrence, best } = state;
  return [x, residual, best.x, ...((recurrence && method.vectors?.(recurrence)) ?? [])];
}

function isDue<R>({ recurrence }: SolverState<R>, method: Method<R>): boolean {
  return recurrence !== undefined && method.isDue?.(recurrence) === true;
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

function stopReason<R>(state: SolverState<R>, context: SolverRun<R>): StopReason | undefined {
  if (state.ending) return state.ending;
  if (state.residual !== undefined && isSolved(state, context)) return { status: "converged" };
  const { A, run, method, tolerance, size } = context;
  if (isToVerify(state, context) && !isDue(state, method)) return undefined;
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
async function verified<R>(state: SolverState<R>, context: SolverRun<R>): Promise<SolverState<R> | StopReason> {
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

/** One step of the recurrence, which starts first where it has to. */
async function advanced<R>(state: SolverState<R>, context: SolverRun<R>): Promise<SolverState<R> | StopReason> {
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
