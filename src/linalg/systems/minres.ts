import { type Precision, precisionOf, toPrecision, type Vector, zeros } from "../../tensors/index.ts";
import { checkDeclaredSymmetric, epsilon, precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { isInterruption, type Products, preconditionerProducts } from "../runs/products.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { axpy, combination, dot, norm, scaled } from "../vectors/vector.ts";
import { solverSteps } from "./linearSolver.ts";
import { SYMMETRY_ADVICE } from "./refinement.ts";
import {
  isStopReason,
  type Method,
  type SolverOptions,
  type SolverResult,
  type SolverState,
  type StepResult,
  type StopReason,
} from "./solverMethod.ts";

/** Options of `minres`. */
export interface MinresOptions extends SolverOptions<MinresState> {
  /** Symmetric positive definite operator close to the inverse of |A|; applied once a step, not counted in `matvecs`. */
  readonly preconditioner?: LinearOperator | undefined;
}

/** State of a run of `minres`, from which it can go on. */
export type MinresState = SolverState<MinresRecurrence>;

/** The Lanczos vectors, search directions and rotations of the last two steps. */
export interface MinresRecurrence {
  readonly residual: Vector;
  /** Lanczos vectors before preconditioning, not normalized, and the newest one after it. */
  readonly before: Vector;
  readonly last: Vector;
  readonly preconditioned: Vector;
  readonly directions: readonly [older: Vector, newer: Vector];
  readonly beta: number;
  readonly betaBefore: number;
  /** Entries of the band that the last rotation left, and that rotation. */
  readonly dbar: number;
  readonly epsilon: number;
  readonly cosine: number;
  readonly sine: number;
  readonly phi: number;
  /** Largest column norm of T, an estimate of the norm of A from below. */
  readonly scale: number;
  /** The least `||A r|| / (||A|| ||r||)` so far, and `||r||` with it. */
  readonly lowest: { readonly outside: number; readonly residualNorm: number };
}

const NAME = "minres";

/**
 * Solution of `A x = b` for symmetric A, definite or not, by the minimum residual method (Paige and Saunders, 1975), optionally
 * preconditioned. One product a step; beside them one for `x0`, and one whenever the recurrence claims to have converged or ends, since the
 * residual that is reported is computed from x. The residual norm never rises. A singular system is solved where b lies in the range of A;
 * elsewhere the run ends as "stagnated" near the least residual: x may then have grown along the null space, so an earlier x with the same
 * residual norm by the recurrence is tried as well, for one more product, and `minresQlp` gives the shortest x.
 *
 * @throws CurvatureError "argument", "shape" or "numeric" for options, operators or vectors it cannot take; whatever the operator throws,
 * with `state`
 */
export async function minres(A: LinearOperator, b: Vector, options: MinresOptions = {}): Promise<SolverResult> {
  return runToEnd(minresSteps(A, b, options));
}

/** The run of `minres` step by step; yields a state after each, from which `state` resumes it. */
export async function* minresSteps(
  A: LinearOperator,
  b: Vector,
  options: MinresOptions = {},
): AsyncGenerator<MinresState, SolverResult, void> {
  checkOptions(NAME, options, "preconditioner tolerance matvecs x0 state signal onProgress");
  checkDeclaredSymmetric(NAME, A);
  const M = options.preconditioner;
  if (M) checkDeclaredSymmetric(`${NAME} (preconditioner)`, M);
  const inverse = preconditionerProducts(M, { name: NAME, signal: options.signal });
  return yield* solverSteps(methodWith(inverse), { A, b, options });
}

function methodWith(inverse: Products | undefined): Method<MinresRecurrence> {
  const precondition = async (r: Vector, current: () => unknown): Promise<Vector | StopReason> => {
    if (!inverse) return r;
    const z = await inverse.matvec(r, current);
    return isInterruption(z) ? z : toPrecision(z, precisionOf(r));
  };
  return {
    name: NAME,
    stepProducts: 1,
    async start(residual, { current }) {
      const z = await precondition(residual, current);
      if (isStopReason(z)) return z;
      const squared = dot(residual, z);
      if (squared > 0) return initialRecurrence(residual, z, Math.sqrt(squared));
      return inverse ? notDefinite(squared) : { status: "breakdown", happened: "the residual vanishes to rounding" };
    },
    async step({ x }, was, { A, b, run, current }) {
      const v = scaled(1 / was.beta, was.preconditioned);
      const w = await run.matvec(v, current);
      if (isInterruption(w)) return w;
      if (was.betaBefore !== 0) axpy(-was.beta / was.betaBefore, was.before, w);
      const alpha = dot(v, w);
      axpy(-alpha / was.beta, was.last, w);
      const z = await precondition(w, current);
      if (isStopReason(z)) return z;
      const squared = dot(w, z);
      if (squared < 0) return notDefinite(squared);
      const scale = Math.max(was.scale, Math.hypot(was.beta * (was.scale === 0 ? 0 : 1), alpha, Math.sqrt(squared)));
      const rounding = 16 * epsilon(precision(A)) * scale;
      const beta = Math.sqrt(squared) > rounding ? Math.sqrt(squared) : 0;
      return rotated(x, was, { v, w, z, alpha, beta, scale, rounding, size: norm(b) });
    },
    advice: {
      breakdown: "take a positive definite preconditioner, or add damping",
      stagnated: `loosen tolerance; where b is not in the range of A, minresQlp or lsmr give the shortest x; ${SYMMETRY_ADVICE}`,
    },
  };
}

/** The recurrence before the first step, from a residual, the same preconditioned, and the root beta of their inner product. */
function initialRecurrence(residual: Vector, preconditioned: Vector, beta: number): MinresRecurrence {
  const none = zeros(residual.length, precisionOf(residual));
  const vectors = { residual, before: none, last: residual, preconditioned, directions: [none, none] as const };
  const rotations = { dbar: 0, epsilon: 0, cosine: -1, sine: 0, phi: beta };
  const lowest = { outside: Number.POSITIVE_INFINITY, residualNorm: beta };
  return { ...vectors, ...rotations, beta, betaBefore: 0, scale: 0, lowest };
}

function notDefinite(product: number): StopReason {
  return {
    status: "breakdown",
    happened: `the preconditioner gives r' M r = ${product.toPrecision(3)}: it is not positive definite`,
  };
}

interface NewColumn {
  readonly v: Vector;
  readonly w: Vector;
  readonly z: Vector;
  readonly alpha: number;
  readonly beta: number;
  readonly scale: number;
  readonly rounding: number;
  /** `||b||` */
  readonly size: number;
}

/** QR decomposition of T brought up to the new column, and x moved along the direction that belongs to it. */
function rotated(x: Vector, was: MinresRecurrence, column: NewColumn): StepResult<MinresRecurrence> | StopReason {
  const { v, w, z, alpha, beta, scale, rounding, size } = column;
  const dtype = precisionOf(x);
  const delta = was.cosine * was.dbar + was.sine * alpha;
  const gbar = was.sine * was.dbar - was.cosine * alpha;
  const dbar = -was.cosine * beta;
  const gamma = Math.hypot(gbar, beta);
  // ||A r|| / (||A|| ||r||) of the x before this step: what is left lies in the null space, and further steps only add to x from there.
  const outside = Math.hypot(gbar, dbar) / scale;
  const root = Math.sqrt(epsilon(dtype));
  if (gamma <= rounding || outside <= root / 8 || hasTurned(outside, was, root)) {
    const attainable = 16 * epsilon(dtype) * (scale * norm(x) + size);
    return norm(was.residual) <= attainable ? roundingOnly(dtype) : LEAST_RESIDUAL;
  }
  const falls = outside < was.lowest.outside;
  const lowest = falls ? { outside, residualNorm: was.phi } : was.lowest;
  const [cosine, sine] = [gbar / gamma, beta / gamma];
  const [step, phi] = [cosine * was.phi, sine * was.phi];
  const direction = combination([1 / gamma, v], [-was.epsilon / gamma, was.directions[0]], { dtype });
  axpy(-delta / gamma, was.directions[1], direction);
  const next = x.slice();
  axpy(step, direction, next);
  // r_k = s^2 r_(k-1) - phi_k c v_(k+1), which costs no product (Choi, Paige and Saunders, 2011, eq. 3.6)
  const residual = scaled(sine * sine, was.residual);
  if (beta > 0) axpy((-phi * cosine) / beta, w, residual);
  const directions = [was.directions[1], direction] as const;
  const vectors = { residual, before: was.last, last: w, preconditioned: z, directions };
  const rotations = { dbar, epsilon: was.sine * beta, cosine, sine, phi };
  const recurrence = { ...vectors, ...rotations, beta, betaBefore: was.beta, scale, lowest };
  const residualNorm = norm(residual);
  const ending = beta === 0 ? EXHAUSTED : undefined;
  // The ratio belongs to the x before this step.
  const alternative = falls && outside <= COARSE * root ? x : undefined;
  return { x: next, recurrence, residualNorm, alternative, ending };
}

/** Where b is not in the range of A, `||A r|| / (||A|| ||r||)` falls to about the root of the rounding before rounding lets it rise again. */
const COARSE = 64;
const RISEN = 16;

/**
 * Whether rounding has taken over: the ratio was low and has risen, though the residual has not fallen. Further steps would add to x from the null
 * space without bound. In a system that has a solution the ratio rises only where the residual falls by as much.
 */
function hasTurned(outside: number, { lowest, phi }: MinresRecurrence, root: number): boolean {
  return lowest.outside <= COARSE * root && outside > RISEN * lowest.outside && phi > 0.9 * lowest.residualNorm;
}

const EXHAUSTED: StopReason = { status: "stagnated", happened: "the Krylov space is exhausted" };

const LEAST_RESIDUAL: StopReason = {
  status: "stagnated",
  happened: "b is not in the range of A, or A is close to singular, and the residual no longer falls",
  advice: "minresQlp or lsmr give the shortest x of the least residual",
};

/** Of a residual that is rounding no part is known to lie outside of the range. */
function roundingOnly(dtype: Precision): StopReason {
  return { status: "stagnated", happened: `rounding in ${dtype} allows no less` };
}
