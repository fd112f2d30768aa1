import { precisionOf, toPrecision, type Vector, zeros } from "../../tensors/index.ts";
import { checkSquare, epsilon, precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { isInterruption, type Products, preconditionerProducts } from "../runs/products.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { axpy, dot, norm } from "../vectors/vector.ts";
import { solverSteps } from "./linearSolver.ts";
import {
  isStopReason,
  type Method,
  type SolverContext,
  type SolverOptions,
  type SolverResult,
  type SolverState,
  type StopReason,
} from "./solverMethod.ts";

/** Options of `bicgstab`. */
export interface BicgstabOptions extends SolverOptions<BicgstabState> {
  /** Operator close to the inverse of A, of any kind; applied twice a step, not counted in `matvecs`. */
  readonly preconditioner?: LinearOperator | undefined;
}

/** State of a run of `bicgstab`, from which it can go on. */
export type BicgstabState = SolverState<BicgstabRecurrence>;

/** Residual, shadow residual, search direction and its product. */
export interface BicgstabRecurrence {
  readonly residual: Vector;
  readonly shadow: Vector;
  readonly direction: Vector;
  readonly product: Vector;
  readonly rho: number;
  readonly alpha: number;
  readonly omega: number;
}

const NAME = "bicgstab";

/**
 * Solution of `A x = b` for a square A of any kind by BiCGStab (van der Vorst, 1992), preconditioned from the right, with the memory of seven
 * vectors. Two products a step; one more at the end and whenever the recurrence claims to have converged or breaks down, which starts it
 * again from the true residual. The residual norm may rise on the way: the best x is kept. `gmres` is safer where its memory can be had.
 *
 * @throws CurvatureError "argument", "shape" or "numeric" for options, operators or vectors it cannot take; whatever the operator throws,
 * with `state`
 */
export async function bicgstab(A: LinearOperator, b: Vector, options: BicgstabOptions = {}): Promise<SolverResult> {
  return runToEnd(bicgstabSteps(A, b, options));
}

/** The run of `bicgstab` step by step; yields a state after each, from which `state` resumes it. */
export async function* bicgstabSteps(
  A: LinearOperator,
  b: Vector,
  options: BicgstabOptions = {},
): AsyncGenerator<BicgstabState, SolverResult, void> {
  checkOptions(NAME, options, "preconditioner tolerance matvecs x0 state signal onProgress");
  const { preconditioner: M, signal } = options;
  if (M) checkSquare(`${NAME} (preconditioner)`, M);
  const inverse = preconditionerProducts(M, { name: NAME, signal });
  return yield* solverSteps(methodWith(inverse), { A, b, options });
}

function methodWith(inverse: Products | undefined): Method<BicgstabRecurrence> {
  return {
    name: NAME,
    stepProducts: 2,
    async start(residual, { A }) {
      const none = zeros(residual.length, precision(A));
      return { residual, shadow: residual, direction: none, product: none, rho: 1, alpha: 1, omega: 0 };
    },
    async step({ x }, was, context) {
      const rho = dot(was.shadow, was.residual);
      if (lost(rho, was.shadow, was.residual)) return brokenDown("the residual is orthogonal to the first one");
      const direction = was.residual.slice();
      if (was.omega !== 0) {
        const beta = (rho / was.rho) * (was.alpha / was.omega);
        axpy(-was.omega * beta, was.product, direction);
        axpy(beta, was.direction, direction);
      }
      const first = await preconditionedProduct(direction, inverse, context);
      if (isStopReason(first)) return first;
      const slope = dot(was.shadow, first.product);
      if (lost(slope, was.shadow, first.product)) return brokenDown("A p is orthogonal to the first residual");
      const alpha = rho / slope;
      const half = was.residual.slice();
      axpy(-alpha, first.product, half);
      const second = await preconditionedProduct(half, inverse, context);
      if (isStopReason(second)) return second;
      const squared = dot(second.product, second.product);
      const omega = squared === 0 ? 0 : dot(second.product, half) / squared;
      const [next, residual] = [x.slice(), half];
      axpy(alpha, first.vector, next);
      axpy(omega, second.vector, next);
      axpy(-omega, second.product, residual);
      const recurrence = { ...was, residual, direction, product: first.product, rho, alpha, omega };
      const residualNorm = norm(residual);
      const isStuck = omega === 0 && residualNorm > 0;
      const ending = isStuck ? brokenDown("the stabilizing step is zero") : undefined;
      return { x: next, recurrence, residualNorm, ending };
    },
  };
}

/** `z = M v` and `A z`. */
async function preconditionedProduct(
  v: Vector,
  inverse: Products | undefined,
  { A, run, current }: SolverContext,
): Promise<{ readonly vector: Vector; readonly product: Vector } | StopReason> {
  const z = inverse ? await inverse.matvec(v, current) : v.slice();
  if (isInterruption(z)) return z;
  const vector = toPrecision(z, precision(A));
  const product = await run.matvec(vector, current);
  return isInterruption(product) ? product : { vector, product };
}

/** Whether an inner product is rounding beside the sizes of its factors. */
function lost(product: number, x: Vector, y: Vector): boolean {
  const rounding = epsilon(precisionOf(x));
  return Math.abs(product) <= rounding * norm(x) * norm(y);
}

function brokenDown(happened: string): StopReason {
  return { status: "breakdown", happened, advice: "use gmres, which cannot break down in this way, or another x0" };
}
