import type { Vector } from "../tensors/index.ts";
import { drive } from "./drive.ts";
import { type Method, type SolverOptions, type SolverState, solverSteps } from "./linearSolver.ts";
import type { LeastSquaresResult } from "./lsmr.ts";
import type { LinearOperator } from "./operator.ts";
import { isInterruption } from "./products.ts";
import { axpy, dot, norm } from "./vector.ts";

/** Options of `cgls`. */
export type CglsOptions = SolverOptions<CglsState>;

/** State of a run of `cgls`, from which it can go on. */
export type CglsState = SolverState<CglsRecurrence>;

/** Residual of the system, search direction, `||A' r||^2` and the largest `||A p|| / ||p||` seen. */
export interface CglsRecurrence {
  readonly residual: Vector;
  readonly direction: Vector;
  readonly gamma: number;
  readonly scale: number;
}

const NAME = "cgls";

/**
 * Least-squares solution, `min ||b - A x||`, for A of any shape and rank by conjugate gradients on the normal equations in the form that
 * does not square A (Hestenes and Stiefel, 1952; Bjorck, 1996, algorithm 7.4.1): from `x0 = 0` the shortest one. Two products a step, one
 * with A and one with its transpose; one at the start, and two at the end and whenever the recurrence claims to have converged. `||r||` never
 * rises; `lsmr` has a smoother `||A' r||` and can stop a little earlier.
 *
 * @throws CurvatureError "argument", "shape" or "numeric" for options, operators or vectors it cannot take, "unsupported" where A is not
 * symmetric and has no adjoint; whatever the operator throws, with `state`
 */
export async function cgls(A: LinearOperator, b: Vector, options: CglsOptions = {}): Promise<LeastSquaresResult> {
  return drive(cglsSteps(A, b, options));
}

/** The run of `cgls` step by step; yields a state after each, from which `state` resumes it. */
export async function* cglsSteps(
  A: LinearOperator,
  b: Vector,
  options: CglsOptions = {},
): AsyncGenerator<CglsState, LeastSquaresResult, void> {
  return yield* solverSteps(method, { A, b, options });
}

const method: Method<CglsRecurrence> = {
  name: NAME,
  stepProducts: 2,
  startProducts: 1,
  leastSquares: true,
  async start(residual, { run, current }) {
    const direction = await run.adjointMatvec(residual, current);
    if (isInterruption(direction)) return direction;
    const gamma = dot(direction, direction);
    if (gamma === 0) return { status: "converged", happened: "A' r is zero: no x has a smaller residual" };
    return { residual, direction, gamma, scale: 0 };
  },
  async step(x, was, { run, current }) {
    const q = await run.matvec(was.direction, current);
    if (isInterruption(q)) return q;
    const scale = Math.max(was.scale, norm(q) / norm(was.direction));
    const alpha = was.gamma / dot(q, q);
    if (!Number.isFinite(alpha)) return { status: "breakdown", happened: "A p is zero along the search direction p" };
    const [next, residual] = [x.slice(), was.residual.slice()];
    axpy(alpha, was.direction, next);
    axpy(-alpha, q, residual);
    const s = await run.adjointMatvec(residual, current);
    if (isInterruption(s)) return s;
    const gamma = dot(s, s);
    const direction = s.slice();
    axpy(gamma / was.gamma, was.direction, direction);
    const normal = { residualNorm: Math.sqrt(gamma), operatorNorm: scale };
    return { x: next, recurrence: { residual, direction, gamma, scale }, residualNorm: norm(residual), normal };
  },
};
