import { CurvatureError } from "../../errors/index.ts";
import type { Vector } from "../../tensors/index.ts";
import { checkSquare } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { isInterruption, preconditionerProducts } from "../runs/products.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { axpy, norm } from "../vectors/vector.ts";
import { solverSteps } from "./linearSolver.ts";
import type { Method, SolverOptions, SolverResult, SolverState } from "./solverMethod.ts";

/** Options of `richardson`. */
export interface RichardsonOptions extends SolverOptions<RichardsonState> {
  /** Operator close to the inverse of A, of any kind; applied once a step, not counted in `matvecs`. */
  readonly preconditioner?: LinearOperator | undefined;
  /** Step omega; 1 by default with a preconditioner, required without one. */
  readonly scale?: number | undefined;
}

/** State of a run of `richardson`, from which it can go on. */
export type RichardsonState = SolverState<RichardsonRecurrence>;

/** The residual, and its norm at the start. */
export interface RichardsonRecurrence {
  readonly residual: Vector;
  readonly first: number;
}

const NAME = "richardson";

/** Growth of the residual after which the iteration counts as divergent. */
const DIVERGED = 1e3;

/**
 * Solution of `A x = b` for a square A by the Richardson iteration `x += omega M (b - A x)`, preconditioned by M; from zero, the Neumann series
 * of `(M A)^-1`. One product a step, and one at the end. Converges if and only if all eigenvalues of `I - omega M A` lie inside of the unit
 * circle, by their largest modulus a step: for symmetric positive definite A without M, if omega is below 2 over the largest eigenvalue.
 * Where it can be used `cg` is far faster; this needs no inner products and tolerates any M.
 *
 * @throws CurvatureError "argument", "shape" or "numeric" for options, operators or vectors it cannot take; whatever the operator throws,
 * with `state`
 */
export async function richardson(A: LinearOperator, b: Vector, options: RichardsonOptions = {}): Promise<SolverResult> {
  return runToEnd(richardsonSteps(A, b, options));
}

/** The run of `richardson` step by step; yields a state after each, from which `state` resumes it. */
export async function* richardsonSteps(
  A: LinearOperator,
  b: Vector,
  options: RichardsonOptions = {},
): AsyncGenerator<RichardsonState, SolverResult, void> {
  checkOptions(NAME, options, "preconditioner scale tolerance matvecs x0 state signal onProgress");
  const { preconditioner: M, signal, scale = M ? 1 : undefined } = options;
  if (!(typeof scale === "number" && scale > 0 && scale < Number.POSITIVE_INFINITY)) {
    const message = `${NAME} expects scale to be a positive finite number unless there is a preconditioner, got ${scale}`;
    throw new CurvatureError("argument", `${message}; 1 over the largest eigenvalue always converges`);
  }
  if (M) checkSquare(`${NAME} (preconditioner)`, M);
  const inverse = preconditionerProducts(M, { name: NAME, signal });
  const method: Method<RichardsonRecurrence> = {
    name: NAME,
    stepProducts: 1,
    start: async (residual) => ({ residual, first: norm(residual) }),
    async step({ x }, was, { run, current }) {
      const z = inverse ? await inverse.matvec(was.residual, current) : was.residual;
      if (isInterruption(z)) return z;
      const Az = await run.matvec(z, current);
      if (isInterruption(Az)) return Az;
      const [next, residual] = [x.slice(), was.residual.slice()];
      axpy(scale, z, next);
      axpy(-scale, Az, residual);
      const residualNorm = norm(residual);
      const diverges = !(residualNorm <= DIVERGED * was.first);
      if (diverges)
        return { status: "breakdown", happened: `it diverges: the residual grew to ${residualNorm.toPrecision(3)}` };
      return { x: next, recurrence: { residual, first: was.first }, residualNorm };
    },
    advice: { breakdown: "lower scale, raise damping, or use cg, minres or gmres" },
  };
  return yield* solverSteps(method, { A, b, options });
}
