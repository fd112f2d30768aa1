import { precisionOf, toPrecision, type Vector, zeros } from "../../tensors/index.ts";
import {
  checkDeclaredSymmetric,
  checkPositive,
  checkState,
  checkVector,
  epsilon,
  precision,
} from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { checkedRun } from "../runs/checkedRun.ts";
import { iterate } from "../runs/iterate.ts";
import { isInterruption } from "../runs/products.ts";
import { type Outcome, outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { combination, dot, norm, scaled } from "../vectors/vector.ts";
import { inUnits } from "./extremeScale.ts";
import type { StopReason } from "./solverMethod.ts";

/** Options of `steihaug`. */
export interface SteihaugOptions extends RunOptions {
  /** Radius of the trust region. */
  readonly radius: number;
  /** Bound on `||g + A x||` over `||g||` inside of the region: 1e-8 by default, 1e-4 for float32 operators. */
  readonly tolerance?: number | undefined;
  /** Most products, one a step; 1000 by default. */
  readonly matvecs?: number | undefined;
  /** Where an earlier run with the same A, g and options stopped. */
  readonly state?: SteihaugState | undefined;
}

/** Plain data, from which the run can go on. */
export interface SteihaugState {
  readonly method: "steihaug";
  readonly columns: number;
  readonly matvecs: number;
  readonly x: Vector;
  /** `-(g + A x)` and its squared norm. */
  readonly residual: Vector;
  readonly squared: number;
  readonly direction: Vector;
  /** `g' x + x' A x / 2` */
  readonly model: number;
  readonly scale: number;
  /** After the last step, to the boundary. */
  readonly ending?: Ending | undefined;
}

interface Ending extends StopReason {
  readonly reached?: SteihaugResult["reached"] | undefined;
  /** Attainable `||g + A x||` where the recurrence claims less. */
  readonly rounding?: number | undefined;
}

/** An approximate minimizer of the quadratic model within the trust region. */
export interface SteihaugResult extends Outcome {
  /** `[n]`, of length at most `radius`. */
  readonly x: Vector;
  /** `g' x + x' A x / 2`, what the model falls by: at most 0. */
  readonly model: number;
  /** Where the run ended: at a minimum inside, at the boundary, or at the boundary along negative curvature. */
  readonly reached: "interior" | "boundary" | "negative curvature" | "nothing";
  /** `||g + A x||`, as the recurrence has it, or what rounding allows with status "stagnated". */
  readonly residualNorm: number;
  /** Where negative curvature was met: unit vector along it, and its curvature. */
  readonly direction?: Vector | undefined;
  readonly curvature?: number | undefined;
}

const NAME = "steihaug";

/**
 * Step of a trust-region method: an approximate minimizer of `g' x + x' A x / 2` with `||x|| <= radius` for symmetric A, definite or not, by
 * conjugate gradients that end at the boundary or follow negative curvature to it (Steihaug, 1983; Toint, 1981). The model falls by at least half
 * of what is possible where A is positive semidefinite (Yuan, 2000), and at least as far as along the gradient always. One product a step.
 * No product is made to check the residual: a tolerance that rounding cannot hold ends as "stagnated".
 *
 * @throws CurvatureError "argument", "shape" or "numeric" for options, operators or vectors it cannot take; whatever the operator throws,
 * with `state`
 */
export async function steihaug(A: LinearOperator, g: Vector, options: SteihaugOptions): Promise<SteihaugResult> {
  return runToEnd(steihaugSteps(A, g, options));
}

/** The run of `steihaug` step by step; yields a state after each, from which `state` resumes it. */
export async function* steihaugSteps(
  A: LinearOperator,
  g: Vector,
  options: SteihaugOptions,
): AsyncGenerator<SteihaugState, SteihaugResult, void> {
  checkOptions(NAME, options, "radius tolerance matvecs state signal onProgress");
  checkDeclaredSymmetric(NAME, A);
  checkVector(NAME, g, { what: "g", length: A.shape[1] });
  return yield* inUnits(g, options, (slope, given) => unscaledSteps(A, slope, given));
}

async function* unscaledSteps(
  A: LinearOperator,
  g: Vector,
  options: SteihaugOptions,
): AsyncGenerator<SteihaugState, SteihaugResult, void> {
  const { radius } = options;
  const { tolerance, run } = checkedRun(A, options, { name: NAME });
  checkPositive(NAME, "radius", radius);
  const start = options.state ?? initialState(A, g);
  checkState(NAME, start, { method: NAME, columns: A.shape[1] });
  const size = norm(g);
  return yield* iterate<SteihaugState, Ending, SteihaugResult>(start, {
    stopReason: (state) =>
      state.ending ??
      endedInside(state, { target: tolerance * size, size }) ??
      (run.left < 1 ? { status: "budget" } : undefined),
    async step(state) {
      const Ap = await run.matvec(state.direction, () => state);
      return isInterruption(Ap) ? Ap : stepped(state, Ap, { radius, matvecs: run.used });
    },
    conclude: (state, reason) => concluded({ ...state, matvecs: run.used }, reason),
    report: ({ squared }) => run.report(Math.sqrt(squared)),
  });
}

function initialState(A: LinearOperator, g: Vector): SteihaugState {
  const residual = scaled(-1, toPrecision(g, precision(A)));
  const x = zeros(residual.length, precision(A));
  const start = { method: NAME, columns: residual.length, matvecs: 0, model: 0, scale: 0 } as const;
  return { ...start, x, residual, squared: dot(residual, residual), direction: residual };
}

/** The end inside of the region, unless the tolerance asks for less than rounding lets `||g + A x||` be. */
function endedInside(state: SteihaugState, { target, size }: { target: number; size: number }): Ending | undefined {
  const residualNorm = Math.sqrt(state.squared);
  const dtype = precisionOf(state.x);
  const rounding = epsilon(dtype) * (state.scale * norm(state.x) + size);
  if (residualNorm <= target && rounding <= target) return { status: "converged", reached: "interior" };
  if (residualNorm > Math.max(target, rounding / 8)) return undefined;
  const happened = `rounding in ${dtype} allows no less than about ${rounding.toPrecision(2)}, ${target.toPrecision(3)} is asked for`;
  return { status: "stagnated", reached: "interior", happened, rounding };
}

/** One step inside, or the last one, to the boundary. */
function stepped(
  state: SteihaugState,
  Ap: Vector,
  { radius, matvecs }: { readonly radius: number; readonly matvecs: number },
): SteihaugState {
  const { x, residual, direction: p, squared } = state;
  const length = dot(p, p);
  const curvature = dot(p, Ap) / length;
  const scale = Math.max(state.scale, norm(Ap) / Math.sqrt(length));
  const dtype = precisionOf(x);
  const flat = curvature <= 4 * epsilon(dtype) * scale;
  const alpha = flat ? Number.POSITIVE_INFINITY : squared / (curvature * length);
  const toBoundary = boundaryStep(x, p, radius);
  const step = Math.min(alpha, toBoundary);
  // Along p the model's slope is -r'p = -||r||^2.
  const model = state.model - step * squared + (step * step * curvature * length) / 2;
  const next = combination([1, x], [step, p], { dtype });
  const left = combination([1, residual], [-step, Ap], { dtype });
  const moved = { ...state, matvecs, x: next, residual: left, squared: dot(left, left), model, scale };
  if (flat) {
    const direction = scaled(1 / Math.sqrt(length), p);
    return { ...moved, ending: { status: "converged", reached: "negative curvature", direction, curvature } };
  }
  if (toBoundary <= alpha) return { ...moved, ending: { status: "converged", reached: "boundary" } };
  const beta = moved.squared / squared;
  return { ...moved, direction: combination([1, left], [beta, p], { dtype }) };
}

/** The positive t with `||x + t p|| = radius`, in units of the radius, whose square may overflow or vanish. */
function boundaryStep(x: Vector, p: Vector, radius: number): number {
  const size = norm(p);
  const along = dot(x, p) / size / radius;
  const room = Math.max(1 - (norm(x) / radius) ** 2, 0);
  // Of the two forms of the root the one without cancellation; x and p never point away from each other here.
  return (radius * (room / (along + Math.sqrt(along * along + room)))) / size;
}

const PLACES = {
  interior: "minimum inside of the region",
  boundary: "ended at the boundary",
  "negative curvature": "followed negative curvature to the boundary",
  nothing: "",
} as const;

function concluded({ x, squared, model, matvecs }: SteihaugState, reason: Ending): SteihaugResult {
  const { status, reached = "nothing", happened, direction, curvature, rounding = 0 } = reason;
  const residualNorm = Math.max(Math.sqrt(squared), rounding);
  const size = `||g + A x|| is ${residualNorm.toPrecision(3)} after ${matvecs} products, the model fell by ${(-model).toPrecision(3)}`;
  const parts = [happened, PLACES[reached], size].filter(Boolean);
  const ended = outcome(status, { happened: parts.join("; "), matvecs });
  return { x, model, reached, residualNorm, direction, curvature, ...ended };
}
