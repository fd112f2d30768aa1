import { precisionOf, toPrecision, type Vector, zeros } from "../../tensors/index.ts";
import { epsilon, precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { isInterruption, type Products } from "../runs/products.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { axpy, dot, norm, scal, scaled } from "../vectors/vector.ts";
import { type LeastSquaresOptions, type LeastSquaresResult, leastSquaresSteps, notDefinite } from "./leastSquares.ts";
import { isStopReason, type Method, type SolverContext, type SolverState, type StopReason } from "./solverMethod.ts";

/** Options of `lsmr`. */
export type LsmrOptions = LeastSquaresOptions<LsmrState>;

/** State of a run of `lsmr`, from which it can go on. */
export type LsmrState = SolverState<LsmrRecurrence>;

/** The bidiagonalization, the search directions and the two rotations, in the notation of the paper. */
export interface LsmrRecurrence {
  readonly u: Vector;
  readonly v: Vector;
  /** `M^-1 v`; absent without a preconditioner M. */
  readonly dual?: Vector | undefined;
  readonly h: Vector;
  readonly hbar: Vector;
  readonly residual: Vector;
  readonly alpha: number;
  readonly alphabar: number;
  readonly zetabar: number;
  readonly rho: number;
  readonly rhobar: number;
  readonly cbar: number;
  readonly sbar: number;
  /** Largest norm of a row or column of the bidiagonal matrix so far, an estimate of the norm of A from below. */
  readonly operatorNorm: number;
  /** `A h` and `A hbar`, which follow from the bidiagonalization without a product. */
  readonly Ah: Vector;
  readonly Ahbar: Vector;
}

const NAME = "lsmr";

/**
 * Least-squares solution, `min ||b - A x||^2 + damping ||x||^2`, for A of any shape and rank by LSMR (Fong and Saunders, 2011), which is MINRES
 * on the normal equations without forming them, optionally preconditioned (Arioli, 2013): from `x0 = 0` the shortest one, with a
 * preconditioner M the one of least `x' M^-1 x`. Two products a step, one with A and one with its transpose; one at the start, and two at the
 * end and whenever the recurrence claims to have converged. Converged means `||r|| <= tolerance ||b||` or
 * `||A' r|| <= tolerance ||A|| ||r||`, whose norm the bidiagonalization estimates from below; with damping A stands for `[A; sqrt(damping) I]`
 * and b for `[b; 0]`, with a preconditioner A for A times a square root of M.
 *
 * @throws CurvatureError "argument", "shape" or "numeric" for options, operators or vectors it cannot take, "unsupported" where A is not
 * symmetric and has no adjoint; whatever the operator throws, with `state`
 */
export async function lsmr(A: LinearOperator, b: Vector, options: LsmrOptions = {}): Promise<LeastSquaresResult> {
  return runToEnd(lsmrSteps(A, b, options));
}

/** The run of `lsmr` step by step; yields a state after each, from which `state` resumes it. */
export async function* lsmrSteps(
  A: LinearOperator,
  b: Vector,
  options: LsmrOptions = {},
): AsyncGenerator<LsmrState, LeastSquaresResult, void> {
  checkOptions(NAME, options, "damping preconditioner tolerance matvecs x0 state signal onProgress");
  return yield* leastSquaresSteps(recurrenceWith, { name: NAME, A, b, options });
}

function recurrenceWith(inverse: Products | undefined): Pick<Method<LsmrRecurrence>, "start" | "step"> {
  return {
    async start(residual, { A, run, current }) {
      const beta = norm(residual);
      const u = scaled(1 / beta, residual);
      const w = await run.adjointMatvec(u, current);
      if (isInterruption(w)) return w;
      const found = await scaledPair(w, { inverse, current, limit: 0 });
      if (isStopReason(found)) return found;
      const { alpha, ...pair } = found;
      if (alpha === 0) return { status: "converged", happened: "A' r is zero: no x has a smaller residual" };
      const [rows, columns] = [zeros(A.shape[0], precision(A)), zeros(A.shape[1], precision(A))];
      const rotations = { alphabar: alpha, zetabar: alpha * beta, rho: 1, rhobar: 1, cbar: 1, sbar: 0 };
      const vectors = { u, ...pair, h: pair.v, hbar: columns, residual, Ah: rows, Ahbar: rows };
      return { ...vectors, ...rotations, alpha, operatorNorm: alpha };
    },
    async step({ x }, was, { A, run, current }) {
      const Av = await run.matvec(was.v, current);
      if (isInterruption(Av)) return Av;
      const u = Av.slice();
      axpy(-was.alpha, was.u, u);
      const limit = epsilon(precision(A)) * was.operatorNorm;
      const beta = normalizedBy(u, { limit });
      const w = await run.adjointMatvec(u, current);
      if (isInterruption(w)) return w;
      axpy(-beta, was.dual ?? was.v, w);
      const found = await scaledPair(w, { inverse, current, limit });
      if (isStopReason(found)) return found;
      const { alpha, ...pair } = found;
      return advancedBy(x, was, { u, ...pair, alpha: beta === 0 ? 0 : alpha, beta, Av });
    },
  };
}

/** `v = M w` and w itself, both over `alpha = sqrt(w' M w)`; without a preconditioner w alone. Alpha 0 where it is rounding only. */
async function scaledPair(
  w: Vector,
  { inverse, current, limit }: { inverse: Products | undefined; current: SolverContext["current"]; limit: number },
): Promise<{ readonly v: Vector; readonly dual?: Vector | undefined; readonly alpha: number } | StopReason> {
  if (!inverse) return { v: w, alpha: normalizedBy(w, { limit }) };
  const v = await inverse.matvec(w, current);
  if (isInterruption(v)) return v;
  const squared = dot(w, v);
  if (squared < 0 || (squared === 0 && norm(w) > 0)) return notDefinite(squared);
  const alpha = Math.sqrt(squared);
  if (alpha <= limit) return { v, dual: w, alpha: 0 };
  const dtype = precisionOf(w);
  return { v: scaled(1 / alpha, toPrecision(v, dtype)), dual: scaled(1 / alpha, w), alpha };
}

/** Scales a vector to length 1 and gives its norm; 0 where it is rounding only. */
function normalizedBy(x: Vector, { limit }: { limit: number }): number {
  const size = norm(x);
  if (size <= limit) return 0;
  scal(1 / size, x);
  return size;
}

function advancedBy(
  x: Vector,
  was: LsmrRecurrence,
  {
    u,
    v,
    dual,
    alpha,
    beta,
    Av,
  }: { u: Vector; v: Vector; dual?: Vector | undefined; alpha: number; beta: number; Av: Vector },
) {
  const rho = Math.hypot(was.alphabar, beta);
  const [c, s] = [was.alphabar / rho, beta / rho];
  const theta = s * alpha;
  const alphabar = c * alpha;
  const thetabar = was.sbar * rho;
  const rhobar = Math.hypot(was.cbar * rho, theta);
  const [cbar, sbar] = [(was.cbar * rho) / rhobar, theta / rhobar];
  const zeta = cbar * was.zetabar;
  const zetabar = -sbar * was.zetabar;
  const back = -(thetabar * rho) / (was.rho * was.rhobar);
  // h_k = v_k - (theta_k / rho_(k-1)) h_(k-1) was formed before its product was known: A h_k follows from A v_k.
  const Ah = was.Ah.slice();
  axpy(1, Av, Ah);
  const hbar = plus(was.h, back, was.hbar);
  const Ahbar = plus(Ah, back, was.Ahbar);
  const [next, residual] = [x.slice(), was.residual.slice()];
  axpy(zeta / (rho * rhobar), hbar, next);
  axpy(-zeta / (rho * rhobar), Ahbar, residual);
  const h = plus(v, -theta / rho, was.h);
  const operatorNorm = Math.max(was.operatorNorm, Math.hypot(was.alpha, beta), Math.hypot(alpha, beta));
  const recurrence = {
    u,
    v,
    dual,
    h,
    hbar,
    residual,
    alpha,
    alphabar,
    zetabar,
    rho,
    rhobar,
    cbar,
    sbar,
    operatorNorm,
    Ah: scaled(-theta / rho, Ah),
    Ahbar,
  };
  const normal = { residualNorm: Math.abs(zetabar), operatorNorm };
  return { x: next, recurrence, residualNorm: norm(residual), normal };
}

/** `x + c y`, as a new vector. */
function plus(x: Vector, c: number, y: Vector): Vector {
  const result = x.slice();
  axpy(c, y, result);
  return result;
}
