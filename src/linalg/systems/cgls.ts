import { precisionOf, toPrecision, type Vector } from "../../tensors/index.ts";
import { precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { isInterruption, type Products } from "../runs/products.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { combination, dot, norm } from "../vectors/vector.ts";
import { type LeastSquaresOptions, type LeastSquaresResult, leastSquaresSteps, notDefinite } from "./leastSquares.ts";
import type { Method, SolverState } from "./solverMethod.ts";

/** Options of `cgls`. */
export type CglsOptions = LeastSquaresOptions<CglsState>;

/** State of a run of `cgls`, from which it can go on. */
export type CglsState = SolverState<CglsRecurrence>;

/** Residual of the system, search direction and its norm, `||A' r||^2` and the largest `||A p|| / ||p||` seen, norms as the preconditioner has them. */
export interface CglsRecurrence {
  readonly residual: Vector;
  readonly direction: Vector;
  /** `p' M^-1 p` */
  readonly squaredLength: number;
  /** `(A' r)' M (A' r)` */
  readonly gamma: number;
  readonly scale: number;
}

const NAME = "cgls";

/**
 * Least-squares solution, `min ||b - A x||^2 + damping ||x||^2`, for A of any shape and rank by conjugate gradients on the normal equations in
 * the form that does not square A (Hestenes and Stiefel, 1952; Bjorck, 1996, algorithm 7.4.1), optionally preconditioned: from `x0 = 0` the
 * shortest one, with a preconditioner M the one of least `x' M^-1 x`. Two products a step, one with A and one with its transpose; one at the
 * start, and two at the end and whenever the recurrence claims to have converged. Converged means as in `lsmr`. What is minimized never rises;
 * `lsmr` has a smoother `||A' r||` and can stop a little earlier.
 *
 * @throws CurvatureError "argument", "shape" or "numeric" for options, operators or vectors it cannot take, "unsupported" where A is not
 * symmetric and has no adjoint; whatever the operator throws, with `state`
 */
export async function cgls(A: LinearOperator, b: Vector, options: CglsOptions = {}): Promise<LeastSquaresResult> {
  return runToEnd(cglsSteps(A, b, options));
}

/** The run of `cgls` step by step; yields a state after each, from which `state` resumes it. */
export async function* cglsSteps(
  A: LinearOperator,
  b: Vector,
  options: CglsOptions = {},
): AsyncGenerator<CglsState, LeastSquaresResult, void> {
  checkOptions(NAME, options, "damping preconditioner tolerance matvecs x0 state signal onProgress");
  return yield* leastSquaresSteps(recurrenceWith, { name: NAME, A, b, options });
}

function recurrenceWith(inverse: Products | undefined): Pick<Method<CglsRecurrence>, "start" | "step"> {
  return {
    async start(residual, { A, run, current }) {
      const s = await run.adjointMatvec(residual, current);
      if (isInterruption(s)) return s;
      const z = inverse ? await inverse.matvec(s, current) : s;
      if (isInterruption(z)) return z;
      const gamma = dot(s, z);
      if (norm(s) === 0) return { status: "converged", happened: "A' r is zero: no x has a smaller residual" };
      if (!(gamma > 0)) return notDefinite(gamma);
      return { residual, direction: toPrecision(z, precision(A)), squaredLength: gamma, gamma, scale: 0 };
    },
    async step({ x }, was, { run, current }) {
      const q = await run.matvec(was.direction, current);
      if (isInterruption(q)) return q;
      const scale = Math.max(was.scale, norm(q) / Math.sqrt(was.squaredLength));
      const alpha = was.gamma / dot(q, q);
      if (!Number.isFinite(alpha)) return { status: "breakdown", happened: "A p is zero along the search direction p" };
      const dtype = precisionOf(x);
      const next = combination([1, x], [alpha, was.direction], { dtype });
      const residual = combination([1, was.residual], [-alpha, q], { dtype });
      const s = await run.adjointMatvec(residual, current);
      if (isInterruption(s)) return s;
      const z = inverse ? await inverse.matvec(s, current) : s;
      if (isInterruption(z)) return z;
      const gamma = dot(s, z);
      if (gamma < 0) return notDefinite(gamma);
      const beta = gamma / was.gamma;
      const direction = combination([1, z], [beta, was.direction], { dtype });
      // z and p are orthogonal in the inner product of the inverse of M.
      const squaredLength = gamma + beta * beta * was.squaredLength;
      const normal = { residualNorm: Math.sqrt(gamma), operatorNorm: scale };
      const recurrence = { residual, direction, squaredLength, gamma, scale };
      return { x: next, recurrence, residualNorm: norm(residual), normal };
    },
  };
}
