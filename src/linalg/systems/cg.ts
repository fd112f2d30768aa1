import { precisionOf, toPrecision, type Vector } from "../../tensors/index.ts";
import { checkCount, checkDeclaredSymmetric, checkVector, epsilon, precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { isInterruption, type Products, preconditionerProducts } from "../runs/products.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { combination, combinationWithNorm, dot, innerProducts, isFiniteVector } from "../vectors/vector.ts";
import { type VectorPool, vectorPool } from "../vectors/vectorPool.ts";
import { definiteEnding } from "./definiteEnding.ts";
import { solverSteps } from "./linearSolver.ts";
import { SYMMETRY_ADVICE, shouldVerify } from "./refinement.ts";
import { difference } from "./solverEnd.ts";
import {
  type DefiniteStatus,
  isStopReason,
  type Method,
  type SolverContext,
  type SolverOptions,
  type SolverResult,
  type SolverState,
  type StepResult,
  type StopReason,
} from "./solverMethod.ts";

/** Options of conjugate gradients. */
export interface CgOptions extends SolverOptions<CgState> {
  /**
   * Bound on the residual norm over the norm of b: 1e-8 by default, 1e-4 for float32 operators. With 0 the budget is spent as far as it lowers
   * the residual that is computed from x.
   */
  readonly tolerance?: number | undefined;
  /** Symmetric positive definite operator close to the inverse of A; applied once a step, not counted in `matvecs`. */
  readonly preconditioner?: LinearOperator | undefined;
  /** Steps between two replacements of the recursive residual by the true one, each one product; 50 by default. */
  readonly recompute?: number | undefined;
}

/** State of a run of `cg`, from which it can go on. */
export type CgState = SolverState<CgRecurrence>;

/** The residual and the search direction. */
export interface CgRecurrence {
  readonly residual: Vector;
  /** Search direction before, and `r' z` that belongs to it; absent at the start and after a restart. */
  readonly search?: { readonly direction: Vector; readonly rz: number };
  /** Largest `||A p|| / ||p||` seen, by which a curvature counts as zero. */
  readonly scale: number;
}

/** A solution of `A x = b`, or the best approximation to it; with status "indefinite" also a direction of negative curvature. */
export type CgResult = SolverResult & DefiniteStatus;

const NAME = "cg";

/**
 * Solution of `A x = b` for symmetric positive definite A by the method of conjugate gradients (Hestenes and Stiefel, 1952), optionally
 * preconditioned. One product a step; one more for `x0`, one every `recompute` steps, and one whenever the recurrence claims to have
 * converged or ends otherwise, since the residual that is reported is computed from x. Where that is still too large the method starts
 * again from it, until that no longer helps: status "stagnated", whose message names the accuracy that rounding allows. Error falls as
 * `((sqrt(kappa) - 1) / (sqrt(kappa) + 1))^steps` with the condition number kappa. A semidefinite A is solved where b lies in its range.
 * Negative curvature ends the run as "indefinite" with its direction, which is a direction of descent.
 *
 * @throws CurvatureError "argument", "shape" or "numeric" for options, operators or vectors it cannot take; whatever the operator throws,
 * with `state`
 */
export async function cg(A: LinearOperator, b: Vector, options: CgOptions = {}): Promise<CgResult> {
  return runToEnd(iteration(A, b, options, vectorPool()));
}

/** The run of `cg` step by step; yields a state after each, from which `state` resumes it. */
export function cgSteps(
  A: LinearOperator,
  b: Vector,
  options: CgOptions = {},
): AsyncGenerator<CgState, CgResult, void> {
  return iteration(A, b, options);
}

async function* iteration(
  A: LinearOperator,
  b: Vector,
  options: CgOptions,
  pool?: VectorPool,
): AsyncGenerator<CgState, CgResult, void> {
  checkOptions(NAME, options, "recompute preconditioner tolerance matvecs x0 state signal onProgress");
  checkDeclaredSymmetric(NAME, A);
  const { recompute = 50, preconditioner: M, signal } = options;
  checkCount(NAME, "recompute", recompute);
  if (M) {
    checkDeclaredSymmetric(`${NAME} (preconditioner)`, M);
    checkVector(`${NAME} (preconditioner)`, b, { what: "b", length: M.shape[1] });
  }
  const inverse = preconditionerProducts(M, { name: NAME, signal });
  const result = yield* solverSteps(methodWith({ inverse, recompute }), { A, b, options, pool });
  // An ending as "indefinite" comes with its direction.
  return result as CgResult;
}

interface Settings {
  readonly inverse: Products | undefined;
  readonly recompute: number;
}

function methodWith(settings: Settings): Method<CgRecurrence> {
  return {
    name: NAME,
    stepProducts: 1,
    start: async (residual) => ({ residual, scale: 0 }),
    step: (state, was, context) => step(state, was, { ...context, ...settings }),
    vectors: ({ residual, search }) => [residual, search?.direction],
    advice: {
      stagnated: `loosen tolerance, or use a float64 operator; ${SYMMETRY_ADVICE}`,
      breakdown: "add damping, or take a positive definite preconditioner",
      indefinite: "add damping, take a positive semidefinite matrix, or descend along direction",
    },
  };
}

/** One step along the next conjugate direction. */
async function step(
  state: Pick<CgState, "x" | "steps" | "residualNorm">,
  was: CgRecurrence,
  context: SolverContext & Settings,
): Promise<StepResult<CgRecurrence> | StopReason> {
  const { A, b, run, current, recompute, pool } = context;
  const search = await nextDirection(was, state.residualNorm, context);
  if (isStopReason(search)) return search;
  const { direction: p, rz } = search;
  const made = await productWithSums(p, context);
  if ("status" in made) return made;
  const { Ap, xx: squared, xy, yy } = made;
  const scale = Math.max(was.scale, Math.sqrt(yy / squared));
  const curvature = xy / squared;
  const dtype = precision(A);
  const ending = definiteEnding(p, { squared, curvature, rounding: 4 * epsilon(dtype) * scale });
  if (ending) return ending;
  const alpha = rz / (curvature * squared);
  const x = combination([1, state.x], [alpha, p], { dtype, into: pool?.take(p.length, dtype) });
  const { vector: residual, norm: residualNorm } = combinationWithNorm([1, was.residual], [-alpha, Ap], {
    dtype,
    into: Ap,
  });
  if ((state.steps + 1) % recompute !== 0 || run.left <= 1) {
    return { x, recurrence: { residual, search, scale }, residualNorm };
  }
  const Ax = await run.matvec(x, current);
  if (isInterruption(Ax)) return Ax;
  const { vector, norm } = difference(b, Ax);
  // A recurrence that has lost touch with x has claimed more than there is: start again.
  const isLost = shouldVerify(residualNorm, { last: norm });
  return { x, recurrence: { residual: vector, search, scale }, residualNorm: norm, residual: vector, isLost };
}

/** `A p` with `p' p`, `p' A p` and `||A p||^2`, which also show whether it is finite. */
async function productWithSums(p: Vector, { run, current }: SolverContext) {
  let sums = { xx: 0, xy: 0, yy: 0 };
  const isFinite = (y: Vector) => {
    sums = innerProducts(p, y);
    return Number.isFinite(sums.yy) || isFiniteVector(y);
  };
  const Ap = await run.matvec(p, current, isFinite);
  return isInterruption(Ap) ? Ap : { Ap, ...sums };
}

/** `z + (r' z / r' z before) p` with `z = M r`. */
async function nextDirection(
  { residual: r, search }: CgRecurrence,
  residualNorm: number,
  { inverse, pool, current }: SolverContext & Settings,
): Promise<NonNullable<CgRecurrence["search"]> | StopReason> {
  const z = inverse ? await inverse.matvec(r, current) : r;
  if (isInterruption(z)) return z;
  const rz = inverse ? dot(r, z) : residualNorm ** 2;
  if (rz <= 0 && !inverse) return { status: "stagnated", happened: "the residual vanishes to rounding" };
  if (rz <= 0) {
    const happened = `the preconditioner gives r' M r = ${rz.toPrecision(3)}: it is not positive definite`;
    return { status: "breakdown", happened };
  }
  const dtype = precisionOf(r);
  if (!search) return { direction: toPrecision(z, dtype).slice(), rz };
  const into = pool?.take(r.length, dtype);
  return { direction: combination([1, z], [rz / search.rz, search.direction], { dtype, into }), rz };
}
