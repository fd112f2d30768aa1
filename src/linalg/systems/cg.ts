import { toPrecision, type Vector, zeros } from "../../tensors/index.ts";
import {
  checkCount,
  checkDeclaredSymmetric,
  checkNonnegative,
  checkState,
  checkVector,
  epsilon,
  precision,
} from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { drive } from "../runs/drive.ts";
import {
  type Interruption,
  isInterruption,
  type Products,
  preconditionerProducts,
  products,
} from "../runs/products.ts";
import { type Outcome, outcome } from "../runs/result.ts";
import { type SpareVectors, spareVectors } from "../vectors/spareVectors.ts";
import {
  combination,
  combinationWithNorm,
  dot,
  innerProducts,
  isFiniteVector,
  norm,
  scaled,
} from "../vectors/vector.ts";
import { type Claims, hasClaimed, isInVain, isRefined, limitedBy, SYMMETRY_ADVICE, sizeOf } from "./attainable.ts";
import { inUnits } from "./extremeScale.ts";

/** Options of conjugate gradients. */
export interface CgOptions extends RunOptions {
  /**
   * Bound on the residual norm over the norm of b: 1e-8 by default, 1e-4 for float32 operators. With 0 the budget is spent as far as it lowers
   * the residual that is computed from x.
   */
  readonly tolerance?: number;
  /** Most products; 1000 by default. The last one is kept for the true residual. */
  readonly matvecs?: number;
  /** `[n]`, where to start; zero by default. Costs one product. */
  readonly x0?: Vector;
  /** Symmetric positive definite operator close to the inverse of A; applied once a step, not counted in `matvecs`. */
  readonly preconditioner?: LinearOperator;
  /** Steps between two replacements of the recursive residual by the true one, each one product; 50 by default. */
  readonly recompute?: number;
  /** Where an earlier run with the same A, b and options stopped. */
  readonly state?: CgState;
}

/** Everything that the next step needs: plain data, from which the run can go on. */
export interface CgState {
  readonly method: "cg";
  readonly columns: number;
  readonly matvecs: number;
  readonly steps: number;
  readonly x: Vector;
  /** `b - A x`, as the recurrence has it, and its norm. */
  readonly residual: Vector;
  readonly residualNorm: number;
  /** Whether `residual` was computed from x itself. */
  readonly isTrue: boolean;
  /** Search direction before, and `r' z` that belongs to it; absent at the start and after a restart. */
  readonly search?: { readonly direction: Vector; readonly rz: number };
  /** Largest `||A p|| / ||p||` seen, by which a curvature counts as zero. */
  readonly scale: number;
  /** The x with the smallest residual so far, and the step it belongs to. */
  readonly best: { readonly x: Vector; readonly residualNorm: number; readonly isTrue: boolean; readonly step: number };
  /** True residual norms at the last two times that the recurrence claimed to have converged. */
  readonly claimed: Claims;
}

/** A solution of `A x = b`, or the best approximation to it. */
export interface CgResult extends Outcome {
  /** `[n]` */
  readonly x: Vector;
  /**
   * `||b - A x||`, computed from x. The recurrence's own value where no product could be made for it: after "aborted" and "nonfinite", and
   * where the budget was used up by the step that broke down.
   */
  readonly residualNorm: number;
  /** With status "indefinite": unit vector `[n]` along which A has negative curvature. */
  readonly direction?: Vector;
  /** With status "indefinite": `direction' A direction`. */
  readonly curvature?: number;
}

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
  return drive(iteration(A, b, options, spareVectors()));
}

interface Run {
  readonly A: LinearOperator;
  readonly b: Vector;
  readonly run: Products;
  readonly preconditioner: Products | undefined;
  readonly tolerance: number;
  /** `tolerance ||b||` */
  readonly target: number;
  /** Size of residual that rounding in x alone exceeds: a recurrence that is below it has lost touch with x. */
  readonly unreachable: number;
  readonly recompute: number;
  readonly spares: SpareVectors | undefined;
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
  spares?: SpareVectors,
): AsyncGenerator<CgState, CgResult, void> {
  checkVector(NAME, b, { what: "b", length: A.shape[1] });
  return yield* inUnits(b, options, (right, given) => unscaledIteration(A, right, given, spares));
}

async function* unscaledIteration(
  A: LinearOperator,
  b: Vector,
  options: CgOptions,
  spares: SpareVectors | undefined,
): AsyncGenerator<CgState, CgResult, void> {
  const context = { ...prepared(A, b, options), spares };
  const { run, target, unreachable } = context;
  let state = options.state ?? initialState(context, options);
  checkState(NAME, state, { method: NAME, columns: A.shape[1] });
  const given = [context.b, ...vectorsOf(state)];
  for (;;) {
    if (state.isTrue && state.residualNorm <= target) return conclude(state, context, { status: "converged" });
    const low = state.residualNorm <= Math.max(target, unreachable);
    const claims = !state.isTrue && low && isRefined(state.residualNorm, state.claimed);
    const ending = claims ? undefined : stoppedBy(state, context);
    if (ending) return conclude(state, context, ending);
    const unknown = claims || (!state.isTrue && state.steps === 0);
    const next = unknown ? await verified(state, context) : await step(state, context);
    if ("status" in next) return conclude(state, context, next);
    spares?.free(vectorsOf(state), [...given, ...vectorsOf(next)]);
    state = next;
    run.report(state.residualNorm);
    yield state;
  }
}

function vectorsOf({ x, residual, search, best }: CgState): readonly (Vector | undefined)[] {
  return [x, residual, search?.direction, best.x];
}

function prepared(A: LinearOperator, b: Vector, options: CgOptions): Omit<Run, "spares"> {
  checkDeclaredSymmetric(NAME, A);
  const n = A.shape[1];
  checkVector(NAME, b, { what: "b", length: n });
  const { tolerance = precision(A) === "float32" ? 1e-4 : 1e-8, matvecs = 1000, recompute = 50 } = options;
  checkNonnegative(NAME, "tolerance", tolerance);
  checkCount(NAME, "matvecs", matvecs);
  checkCount(NAME, "recompute", recompute);
  if (options.x0) checkVector(NAME, options.x0, { what: "x0", length: n });
  const M = options.preconditioner;
  if (M) {
    checkDeclaredSymmetric(`${NAME} (preconditioner)`, M);
    checkVector(`${NAME} (preconditioner)`, b, { what: "b", length: M.shape[1] });
  }
  const used = options.state?.matvecs ?? 0;
  return {
    A,
    b: toPrecision(b, precision(A)),
    run: products(A, { ...options, name: NAME, matvecs, used }),
    preconditioner: preconditionerProducts(M, { name: NAME, signal: options.signal }),
    tolerance,
    target: tolerance * norm(b),
    unreachable: (epsilon(precision(A)) / 8) * norm(b),
    recompute,
  };
}

/** Without `x0` the residual of x = 0 is b itself. With it, the first product finds the residual. */
function initialState({ A, b }: Pick<Run, "A" | "b">, { x0 }: CgOptions): CgState {
  const n = A.shape[1];
  const x = x0 ? toPrecision(x0, precision(A)).slice() : zeros(n, precision(A));
  const residualNorm = x0 ? Number.POSITIVE_INFINITY : norm(b);
  const isTrue = x0 === undefined;
  const best = { x, residualNorm, isTrue, step: 0 };
  const progress = {
    steps: 0,
    scale: 0,
    claimed: { last: Number.POSITIVE_INFINITY, before: Number.POSITIVE_INFINITY },
  };
  return { method: NAME, columns: n, matvecs: 0, x, residual: b, residualNorm, isTrue, best, ...progress };
}

/** Why a step ends the run. */
interface Ending {
  readonly status: "converged" | "budget" | "breakdown" | "indefinite" | "stagnated" | Interruption["status"];
  readonly happened?: string;
  readonly direction?: Vector;
  readonly curvature?: number;
}

function stoppedBy(state: CgState, { A, b, run, target }: Run): Ending | undefined {
  // After a claim that was wrong the search started again from the true residual, which should have helped.
  const restarted = state.isTrue && state.steps > 0 && state.search === undefined;
  if (restarted && isInVain(state.claimed))
    return { status: "stagnated", happened: limitedBy(precision(A), state.residualNorm / norm(b)) };
  if (run.left < 2) return { status: "budget" };
  // In exact arithmetic n steps are enough; rounding may double that, and a b outside of the range never gets there.
  const most = 2 * state.columns + 10;
  if (state.steps - state.best.step <= most) return undefined;
  return {
    status: "stagnated",
    happened: `the residual has not fallen for ${most} steps, ${target.toPrecision(3)} is asked for`,
  };
}

/** The state with the true residual of x, from which the search starts again. */
async function verified(state: CgState, { b, run }: Run): Promise<CgState | Ending> {
  if (run.left < 1) return { status: "budget" };
  const Ax = await run.matvec(state.x, () => state);
  if (isInterruption(Ax)) return Ax;
  const { vector: residual, norm: residualNorm } = difference(b, Ax);
  return claimed({ ...state, matvecs: run.used, residual, residualNorm, isTrue: true });
}

/** One step along the next conjugate direction. */
async function step(state: CgState, context: Run): Promise<CgState | Ending> {
  const { A, b, run, recompute, spares } = context;
  const search = await nextDirection(state, context);
  if ("status" in search) return search;
  const { direction: p, rz } = search;
  const made = await productWithSums(p, state, run);
  if ("status" in made) return made;
  const { Ap, xx: squared, xy, yy } = made;
  const scale = Math.max(state.scale, Math.sqrt(yy / squared));
  const curvature = xy / squared;
  const rounding = 4 * epsilon(precision(A)) * scale;
  if (curvature < -rounding) return { status: "indefinite", direction: scaled(1 / Math.sqrt(squared), p), curvature };
  if (curvature <= rounding)
    return { status: "breakdown", happened: "A has curvature zero along the search direction: it is singular" };
  const alpha = rz / (curvature * squared);
  const dtype = precision(A);
  const x = combination([1, state.x], [alpha, p], { dtype, into: spares?.take(p.length, dtype) });
  const steps = state.steps + 1;
  const recurrence = combinationWithNorm([1, state.residual], [-alpha, Ap], { dtype, into: Ap });
  const moved = { ...state, matvecs: run.used, steps, x, search, scale };
  if (steps % recompute !== 0 || run.left <= 1) return withResidual(moved, recurrence);
  const Ax = await run.matvec(x, () => state);
  if (isInterruption(Ax)) return Ax;
  const replaced = { ...withResidual(moved, difference(b, Ax), { isTrue: true }), matvecs: run.used };
  // A recurrence that has lost touch with x has claimed more than there is: start again.
  return isRefined(recurrence.norm, { last: replaced.residualNorm }) ? claimed(replaced) : replaced;
}

/** `A p` with `p' p`, `p' A p` and `||A p||^2`, which also tell whether it is finite. */
async function productWithSums(p: Vector, state: CgState, run: Products) {
  let sums = { xx: 0, xy: 0, yy: 0 };
  const isFinite = (y: Vector) => {
    sums = innerProducts(p, y);
    return Number.isFinite(sums.yy) || isFiniteVector(y);
  };
  const Ap = await run.matvec(p, () => state, isFinite);
  return isInterruption(Ap) ? Ap : { Ap, ...sums };
}

/** The state after a step with its residual, as the recurrence has it or computed from x. */
function withResidual(
  state: CgState,
  { vector: residual, norm: residualNorm }: ReturnType<typeof difference>,
  { isTrue = false } = {},
): CgState {
  const { x, steps } = state;
  // A recurrence that has claimed too much before does not outdo a residual computed from x.
  const falls = residualNorm < state.best.residualNorm && (isTrue || !hasClaimed(state.claimed));
  const best = falls ? { x, residualNorm, isTrue, step: steps } : state.best;
  return { ...state, residual, residualNorm, isTrue, best };
}

/** The state whose residual was computed from x since the recurrence was no longer to be believed, from which the search starts again. */
function claimed({ search: _, ...state }: CgState): CgState {
  const { x, steps, residualNorm } = state;
  const claims = steps > 0 ? { last: residualNorm, before: state.claimed.last } : state.claimed;
  const better = state.best.isTrue && state.best.residualNorm <= residualNorm;
  const best = better ? state.best : { x, residualNorm, isTrue: true, step: steps };
  return { ...state, best, claimed: claims };
}

/** `z + (r' z / r' z before) p` with `z = M r`. */
async function nextDirection(
  state: CgState,
  { preconditioner, spares }: Run,
): Promise<NonNullable<CgState["search"]> | Ending> {
  const r = state.residual;
  const z = preconditioner ? await preconditioner.matvec(r, () => state) : r;
  if (isInterruption(z)) return z;
  const rz = preconditioner ? dot(r, z) : state.residualNorm ** 2;
  if (rz <= 0 && !preconditioner) return { status: "stagnated", happened: "the residual vanishes to rounding" };
  if (rz <= 0) {
    return {
      status: "breakdown",
      happened: `the preconditioner gives r' M r = ${rz.toPrecision(3)}: it is not positive definite`,
    };
  }
  const dtype = r instanceof Float32Array ? "float32" : "float64";
  if (!state.search) return { direction: toPrecision(z, dtype).slice(), rz };
  const into = spares?.take(r.length, dtype);
  return { direction: combination([1, z], [rz / state.search.rz, state.search.direction], { dtype, into }), rz };
}

/** `b - A x`, written over the product, and its norm. */
function difference(b: Vector, Ax: Vector): { readonly vector: Vector; readonly norm: number } {
  return combinationWithNorm([1, b], [-1, Ax], { dtype: b instanceof Float32Array ? "float32" : "float64", into: Ax });
}

/** The result: the x of smallest residual, and that residual computed from it where a product is left for it. */
async function conclude(state: CgState, { b, run, tolerance, target }: Run, ending: Ending): Promise<CgResult> {
  let { x, residualNorm, isTrue } = state.residualNorm < state.best.residualNorm ? state : state.best;
  let final = ending;
  if (!isTrue && !isInterrupted(ending) && run.left > 0) {
    const Ax = await run.matvec(x, () => state);
    if (isInterruption(Ax)) final = Ax;
    else [residualNorm, isTrue] = [difference(b, Ax).norm, true];
  }
  const isBetter = isTrue ? state.best.residualNorm < residualNorm : hasClaimed(state.claimed);
  if (state.best.isTrue && isBetter) ({ x, residualNorm, isTrue } = state.best);
  const reached = isTrue && residualNorm <= target && final.status === "budget";
  const status = reached ? "converged" : final.status;
  const { direction, curvature, happened } = final;
  const size = `residual norm ${sizeOf(residualNorm, norm(b))} after ${state.steps} steps, ${target.toPrecision(3)} (${tolerance} ||b||) asked for`;
  const reason = status === "indefinite" ? `A has negative curvature ${curvature!.toPrecision(3)}` : happened;
  const said = outcome(status, {
    happened: reason ? `${reason}; ${size}` : size,
    matvecs: run.used,
    ...adviceFor(status),
  });
  return { x, residualNorm, ...said, ...(direction ? { direction, curvature: curvature! } : {}) };
}

function isInterrupted({ status }: Ending): boolean {
  return status === "aborted" || status === "nonfinite";
}

function adviceFor(status: Ending["status"]): { readonly advice?: string } {
  if (status === "stagnated") return { advice: `loosen tolerance, or use a float64 operator; ${SYMMETRY_ADVICE}` };
  if (status === "budget") return { advice: "raise matvecs, loosen tolerance, add damping or a preconditioner" };
  if (status === "breakdown") return { advice: "add damping, or take a positive definite preconditioner" };
  if (status === "indefinite")
    return { advice: "add damping, take a positive semidefinite matrix, or descend along direction" };
  return {};
}
