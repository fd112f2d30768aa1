import { precisionOf, type Vector, zeros } from "../../tensors/index.ts";
import { checkDeclaredSymmetric, checkVector, defaultTolerance, epsilon, precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { isInterruption } from "../runs/products.ts";
import { outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { axpy, combination, dot, norm, scaled } from "../vectors/vector.ts";
import { inUnits } from "./extremeScale.ts";
import type { LeastSquaresResult } from "./leastSquares.ts";
import { solverRun } from "./linearSolver.ts";
import { SYMMETRY_ADVICE } from "./refinement.ts";
import type { Method, SolverOptions, SolverState, StepResult, StopReason } from "./solverMethod.ts";

/** Options of `minresQlp`. */
export type MinresQlpOptions = SolverOptions<MinresQlpState>;

/** State of a run of `minresQlp`, from which it can go on. */
export interface MinresQlpState extends SolverState<MinresQlpRecurrence> {
  /** The part of b outside of the range of A, once it is known: from then on the system without it is solved. */
  readonly outside?: Vector | undefined;
  /** Whether that part could not be told as well as the tolerance asks. */
  readonly isCoarse?: boolean | undefined;
}

/** The last Lanczos vectors, columns of `W = V P`, and rows of L, of `Q T P = L`. */
export interface MinresQlpRecurrence {
  readonly step: number;
  readonly residual: Vector;
  readonly v: Vector;
  readonly vBefore: Vector;
  readonly beta: number;
  /** Sum of the columns of W that no later rotation changes, times their coefficients. */
  readonly settled: Vector;
  /** The two columns of W that later rotations change. */
  readonly w: readonly [older: Vector, newer: Vector];
  /** Left rotations of the two steps before. */
  readonly left: readonly [older: Rotation, newer: Rotation];
  /** `||r||` with sign, and entries of the right-hand side that belong to the two changing columns. */
  readonly zetaBar: number;
  readonly zeta: readonly [older: number, newer: number];
  /** Diagonal of L at these columns, as rotated so far, and the two entries left of it in each row. */
  readonly mu: readonly [older: number, newer: number];
  readonly theta: readonly [older: number, newer: number];
  readonly eta: readonly [older: number, newer: number];
  /** Coefficients of the last two settled columns. */
  readonly tau: readonly [older: number, newer: number];
  readonly scale: number;
  /** The least `||A r||` so far, and `||x||` there. */
  readonly least: { readonly gradient: number; readonly length: number };
}

interface Rotation {
  readonly c: number;
  readonly s: number;
}

const NAME = "minresQlp";

/**
 * Solution of `A x = b` for symmetric A of any rank by MINRES-QLP (Choi, Paige and Saunders, 2011): where A is singular the shortest x that
 * minimizes `||b - A x||`, also where b is not in the range of A. The tridiagonal T is factored as `Q T P = L`, lower triangular, which keeps
 * digits on ill-conditioned systems that `minres` loses. One product a step; two for `x0`, and two at the end and whenever the recurrence claims
 * to have converged, for the residual and its product with A. Where b is not in the range of A its part outside, which is the least residual, is
 * taken off once it is known, and the rest is solved from the x so far less its part along that residual (Liu, Milzarek and Roosta, 2023):
 * without this the answer has few digits. A method that minimizes `||r||` cannot bring `||A r||` much below `sqrt(eps) ||A|| ||r||`, eps the
 * rounding of the products, where b is not in the range: a tolerance below that ends as "stagnated", and `lsmr` attains more.
 * Converged means `||r|| <= tolerance ||b||` or `||A r|| <= tolerance ||A|| ||r||`. A start x0 keeps its part in the null space of A.
 *
 * @throws CurvatureError "argument", "shape" or "numeric" for options, operators or vectors it cannot take; whatever the operator throws,
 * with `state`
 */
export async function minresQlp(
  A: LinearOperator,
  b: Vector,
  options: MinresQlpOptions = {},
): Promise<LeastSquaresResult> {
  return runToEnd(minresQlpSteps(A, b, options));
}

/** The run of `minresQlp` step by step; yields a state after each, from which `state` resumes it. */
export async function* minresQlpSteps(
  A: LinearOperator,
  b: Vector,
  options: MinresQlpOptions = {},
): AsyncGenerator<MinresQlpState, LeastSquaresResult, void> {
  checkOptions(NAME, options, "tolerance matvecs x0 state signal onProgress");
  checkDeclaredSymmetric(NAME, A);
  checkVector(NAME, b, { what: "b", length: A.shape[0] });
  return yield* inUnits(b, options, (right, given) => unscaledSteps(A, right, given));
}

async function* unscaledSteps(
  A: LinearOperator,
  b: Vector,
  options: MinresQlpOptions,
): AsyncGenerator<MinresQlpState, LeastSquaresResult, void> {
  let { state } = options;
  if (!state?.outside) {
    const { result, residual, state: last } = yield* solverRun(method, { A, b, options });
    const { tolerance = defaultTolerance(A), matvecs = 1000 } = options;
    const compatible = result.residualNorm <= tolerance * norm(b);
    const recurrence = (last as MinresQlpState).recurrence;
    const isCoarse = result.status === "stagnated" && recurrence !== undefined && isOutside(recurrence);
    if (compatible || !residual || (result.status !== "converged" && !isCoarse)) return result;
    // Two products start the rest, one is a step of it, and two end it.
    if (matvecs - result.matvecs < 5) return result.status === "converged" ? unfinished(result) : result;
    state = { ...withoutOutside(A, { result, residual, x0: options.x0 }), isCoarse };
    yield state;
  }
  const outside = state.outside!;
  const { isCoarse = false } = state;
  const range = combination([1, b], [-1, outside], { dtype: precision(A) });
  const { result, residual } = yield* solverRun(method, { A, b: range, options: { ...options, state } });
  return whole(A, { result, residual: residual ?? zeros(range.length, precision(A)), outside, isCoarse });
}

/** A residual that is the least one, of an x that need not be the shortest: that takes products that are not there. */
function unfinished(result: LeastSquaresResult): LeastSquaresResult {
  const happened = `b is not in the range of A, and no products are left to make x the shortest one; ${result.message}`;
  return { ...result, ...outcome("budget", { happened, matvecs: result.matvecs, advice: "raise matvecs" }) };
}

/** Where the rest starts: x less its part along the residual, the only vector of the null space that the Krylov space holds. */
function withoutOutside(
  A: LinearOperator,
  { result, residual, x0 }: { result: LeastSquaresResult; residual: Vector; x0: Vector | undefined },
): MinresQlpState {
  const along = dot(residual, result.x) - (x0 ? dot(residual, x0) : 0);
  const x = combination([1, result.x], [-along / result.residualNorm ** 2, residual], { dtype: precision(A) });
  const unknown = Number.POSITIVE_INFINITY;
  return {
    method: NAME,
    columns: A.shape[1],
    matvecs: result.matvecs,
    steps: 0,
    x,
    residualNorm: unknown,
    best: { x, residualNorm: unknown, isTrue: false, step: 0 },
    verifiedResiduals: { last: unknown, before: unknown },
    outside: residual,
  };
}

/** The residual of the whole system, `outside` and what is left of the rest. */
function whole(
  A: LinearOperator,
  at: { result: LeastSquaresResult; residual: Vector; outside: Vector; isCoarse: boolean },
): LeastSquaresResult {
  const { result, residual, outside, isCoarse } = at;
  const residualNorm = norm(combination([1, outside], [1, residual], { dtype: precision(A) }));
  const happened = `b has a part of norm ${norm(outside).toPrecision(3)} outside of the range of A; of the rest: ${result.message}`;
  const { normalResidualNorm: _, ...rest } = result;
  if (!isCoarse || result.status !== "converged") return { ...rest, residualNorm, message: happened };
  const { matvecs } = result;
  const limit = `${happened}; that part is known to half of the digits only, too few for the tolerance`;
  const advice = `loosen tolerance, or use lsmr; ${SYMMETRY_ADVICE}`;
  return { ...rest, residualNorm, ...outcome("stagnated", { happened: limit, matvecs, advice }) };
}

const method: Method<MinresQlpRecurrence> = {
  name: NAME,
  stepProducts: 1,
  leastSquares: true,
  async start(residual, { A }) {
    const none = zeros(residual.length, precision(A));
    const beta = norm(residual);
    return {
      step: 0,
      residual,
      v: scaled(1 / beta, residual),
      vBefore: none,
      beta: 0,
      settled: none,
      w: [none, none],
      left: [IDENTITY, IDENTITY],
      zetaBar: beta,
      zeta: [0, 0],
      mu: [0, 0],
      theta: [0, 0],
      eta: [0, 0],
      tau: [0, 0],
      scale: 0,
      least: { gradient: Number.POSITIVE_INFINITY, length: 0 },
    };
  },
  async step({ x }, was, { A, run, current }) {
    const p = await run.matvec(was.v, current);
    if (isInterruption(p)) return p;
    axpy(-was.beta, was.vBefore, p);
    const alpha = dot(was.v, p);
    axpy(-alpha, was.v, p);
    const left = norm(p);
    const scale = Math.max(was.scale, Math.hypot(was.beta, alpha, left));
    const rounding = 16 * epsilon(precision(A)) * scale;
    return factored(x, was, { p, alpha, betaNext: left > rounding ? left : 0, scale, rounding });
  },
};

const IDENTITY: Rotation = { c: 1, s: 0 };

/** The reflection `[c s; s -c]` that takes (a, b) to (r, 0). */
function reflection(a: number, b: number): Rotation & { readonly r: number } {
  const r = Math.hypot(a, b);
  return r === 0 ? { c: 0, s: 1, r } : { c: a / r, s: b / r, r };
}

interface NewColumn {
  readonly p: Vector;
  readonly alpha: number;
  readonly betaNext: number;
  readonly scale: number;
  readonly rounding: number;
}

/**
 * Column k of `Q T`. The left reflections of steps k-2 and k-1 act on the new column (0, beta, alpha) of T and leave epsilon (row k-2), gamma
 * (row k-1) and a diagonal entry, which the new reflection joins with the next beta into lambda.
 */
function factored(x: Vector, was: MinresQlpRecurrence, column: NewColumn): StepResult<MinresQlpRecurrence> {
  const { p, alpha, betaNext, scale, rounding } = column;
  const [older, newer] = was.left;
  const epsilonEntry = was.step < 2 ? 0 : older.s * was.beta;
  const above = was.step < 2 ? was.beta : -older.c * was.beta;
  const gamma = was.step === 0 ? 0 : newer.c * above + newer.s * alpha;
  const diagonal = was.step === 0 ? alpha : newer.s * above - newer.c * alpha;
  const left = reflection(diagonal, betaNext);
  const singular = left.r <= rounding;
  const zeta = singular ? 0 : left.c * was.zetaBar;
  const zetaBar = singular ? was.zetaBar : left.s * was.zetaBar;
  const base = was.step === 0 ? x : was.settled;
  const lambda = singular ? 0 : left.r;
  const { solution, rows } = shortest({ ...was, settled: base }, { epsilonEntry, gamma, lambda, zeta, rounding });
  // r_k = s^2 r_(k-1) - zetaBar_(k+1) c v_(k+1), which costs no product
  const residual = singular ? was.residual : scaled(left.s * left.s, was.residual);
  if (betaNext > 0 && !singular) axpy((-zetaBar * left.c) / betaNext, p, residual);
  // ||A r|| of the step before, known from this column of T; zero at the end of the Krylov space.
  const gradient = Math.abs(was.zetaBar) * Math.hypot(diagonal, was.step === 0 ? betaNext : newer.c * betaNext);
  const normal = { residualNorm: betaNext === 0 ? 0 : gradient, operatorNorm: scale };
  const size = norm(solution);
  const recurrence = {
    ...rows,
    least: gradient < was.least.gradient ? { gradient, length: size } : was.least,
    step: was.step + 1,
    residual,
    v: betaNext > 0 ? scaled(1 / betaNext, p) : p,
    vBefore: was.v,
    beta: betaNext,
    left: [newer, { c: left.c, s: left.s }] as const,
    zetaBar,
    scale,
  };
  const reached = { x: solution, recurrence, residualNorm: norm(residual), normal };
  const grows = isOutside(recurrence) && gradient > 10 * was.least.gradient && size > 10 * was.least.length;
  return grows ? { ...reached, ending: GROWING } : reached;
}

/** The recurrence goes on falling then, but x grows along the residual, and with it the rounding of its other parts. */
const GROWING: StopReason = {
  status: "stagnated",
  happened: "x grows along the part of b outside of the range of A",
  advice: `loosen tolerance, or use lsmr; ${SYMMETRY_ADVICE}`,
};

/** Whether `||A r||` has been so small that r is the part of b outside of the range, to half of the digits. */
function isOutside({ least, scale, zetaBar, v }: MinresQlpRecurrence): boolean {
  const rounding = epsilon(precisionOf(v));
  return least.gradient <= 4 * Math.sqrt(rounding) * scale * Math.abs(zetaBar);
}

/**
 * Row k of L, and the x that belongs to it. The right reflections take epsilon into column k-2, which is then settled, and gamma into column
 * k-1; the columns of W follow. A diagonal entry of L that is zero to rounding leaves its coefficient free: zero gives the shortest x.
 */
function shortest(
  was: MinresQlpRecurrence,
  at: { epsilonEntry: number; gamma: number; lambda: number; zeta: number; rounding: number },
) {
  const dtype = precisionOf(was.v);
  let { gamma, lambda } = at;
  let [theta, eta, tau, v, settled] = [was.theta[1], 0, 0, was.v, was.settled];
  if (was.step >= 2) {
    const { c, s, r } = reflection(was.mu[0], at.epsilonEntry);
    [theta, gamma] = [c * theta + s * gamma, s * theta - c * gamma];
    [eta, lambda] = [s * lambda, -c * lambda];
    const column = combination([c, was.w[0]], [s, v], { dtype });
    v = combination([s, was.w[0]], [-c, v], { dtype });
    tau = r <= at.rounding ? 0 : (was.zeta[0] - was.theta[0] * was.tau[1] - was.eta[0] * was.tau[0]) / r;
    settled = combination([1, settled], [tau, column], { dtype });
  }
  let [mu, thetaNew, muBar, w, wBar, tauNow] = [0, 0, lambda, was.w[1], v, 0];
  if (was.step >= 1) {
    const { c, s, r } = reflection(was.mu[1], gamma);
    [mu, thetaNew, muBar] = [r, s * lambda, -c * lambda];
    w = combination([c, was.w[1]], [s, v], { dtype });
    wBar = combination([s, was.w[1]], [-c, v], { dtype });
    tauNow = r <= at.rounding ? 0 : (was.zeta[1] - theta * tau - was.eta[1] * was.tau[1]) / r;
  }
  const last = Math.abs(muBar) <= at.rounding ? 0 : (at.zeta - thetaNew * tauNow - eta * tau) / muBar;
  const solution = combination([1, settled], [tauNow, w], { dtype });
  axpy(last, wBar, solution);
  const rows = {
    settled,
    w: [w, wBar],
    zeta: [was.zeta[1], at.zeta],
    mu: [mu, muBar],
    theta: [theta, thetaNew],
    eta: [was.eta[1], eta],
    tau: [was.tau[1], tau],
  } as const;
  return { solution, rows };
}
