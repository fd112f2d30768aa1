import { type Vector, zeros } from "../tensors/index.ts";
import { epsilon, precision } from "./checks.ts";
import { drive } from "./drive.ts";
import { type Method, type SolverOptions, type SolverResult, type SolverState, solverSteps } from "./linearSolver.ts";
import type { LinearOperator } from "./operator.ts";
import { isInterruption } from "./products.ts";
import { axpy, norm, scal, scaled } from "./vector.ts";

/** A least-squares solution of `A x = b`. */
export interface LeastSquaresResult extends SolverResult {
  /** `||A' (b - A x)||`, the gradient of half the squared residual; absent where no product was made for it. */
  readonly normalResidualNorm?: number;
}

/** Options of `lsmr`. */
export type LsmrOptions = SolverOptions<LsmrState>;

/** State of a run of `lsmr`, from which it can go on. */
export type LsmrState = SolverState<LsmrRecurrence>;

/** The bidiagonalization, the search directions and the two rotations, in the notation of the paper. */
export interface LsmrRecurrence {
  readonly u: Vector;
  readonly v: Vector;
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
  /** Frobenius norm of the bidiagonal matrix so far, squared. */
  readonly squaredNorm: number;
  /** `A h` and `A hbar`, which follow from the bidiagonalization without a product. */
  readonly Ah: Vector;
  readonly Ahbar: Vector;
}

const NAME = "lsmr";

/**
 * Least-squares solution, `min ||b - A x||`, for A of any shape and rank by LSMR (Fong and Saunders, 2011), which is MINRES on the normal
 * equations without forming them: from `x0 = 0` the shortest one. Two products a step, one with A and one with its transpose; one at the
 * start, and two at the end and whenever the recurrence claims to have converged. Converged means `||r|| <= tolerance ||b||` or
 * `||A' r|| <= tolerance ||A||_F ||r||`, whose norm the bidiagonalization estimates.
 *
 * @throws CurvatureError "argument", "shape" or "numeric" for options, operators or vectors it cannot take, "unsupported" where A is not
 * symmetric and has no adjoint; whatever the operator throws, with `state`
 */
export async function lsmr(A: LinearOperator, b: Vector, options: LsmrOptions = {}): Promise<LeastSquaresResult> {
  return drive(lsmrSteps(A, b, options));
}

/** The run of `lsmr` step by step; yields a state after each, from which `state` resumes it. */
export async function* lsmrSteps(
  A: LinearOperator,
  b: Vector,
  options: LsmrOptions = {},
): AsyncGenerator<LsmrState, LeastSquaresResult, void> {
  return yield* solverSteps(method, { A, b, options });
}

const method: Method<LsmrRecurrence> = {
  name: NAME,
  stepProducts: 2,
  startProducts: 1,
  leastSquares: true,
  async start(residual, { A, run, current }) {
    const beta = norm(residual);
    const u = scaled(1 / beta, residual);
    const v = await run.adjointMatvec(u, current);
    if (isInterruption(v)) return v;
    const alpha = norm(v);
    if (alpha === 0) return { status: "converged", happened: "A' r is zero: no x has a smaller residual" };
    scal(1 / alpha, v);
    const [rows, columns] = [zeros(A.shape[0], precision(A)), zeros(A.shape[1], precision(A))];
    return {
      u,
      v,
      h: v,
      hbar: columns,
      residual,
      alpha,
      alphabar: alpha,
      zetabar: alpha * beta,
      rho: 1,
      rhobar: 1,
      cbar: 1,
      sbar: 0,
      squaredNorm: alpha * alpha,
      Ah: rows,
      Ahbar: rows,
    };
  },
  async step(x, was, { A, run, current }) {
    const Av = await run.matvec(was.v, current);
    if (isInterruption(Av)) return Av;
    const u = Av.slice();
    axpy(-was.alpha, was.u, u);
    const size = Math.sqrt(was.squaredNorm);
    const beta = normalizedBy(u, { limit: epsilon(precision(A)) * size });
    const v = await run.adjointMatvec(u, current);
    if (isInterruption(v)) return v;
    axpy(-beta, was.v, v);
    const alpha = beta === 0 ? 0 : normalizedBy(v, { limit: epsilon(precision(A)) * size });
    return advancedBy(x, was, { u, v, alpha, beta, Av });
  },
};

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
  { u, v, alpha, beta, Av }: { u: Vector; v: Vector; alpha: number; beta: number; Av: Vector },
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
  const squaredNorm = was.squaredNorm + beta * beta + alpha * alpha;
  const recurrence = {
    u,
    v,
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
    squaredNorm,
    Ah: scaled(-theta / rho, Ah),
    Ahbar,
  };
  const normal = { residualNorm: Math.abs(zetabar), operatorNorm: Math.sqrt(squaredNorm) };
  return { x: next, recurrence, residualNorm: norm(residual), normal };
}

/** `x + c y`, as a new vector. */
function plus(x: Vector, c: number, y: Vector): Vector {
  const result = x.slice();
  axpy(c, y, result);
  return result;
}
