import { compose, diagonal, eigsh, type Outcome, type RunOptions } from "../../linalg/index.ts";
import { checkCount, checkNonnegative, checkSeed } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { outcome } from "../../linalg/runs/result.ts";
import { combination, norm, scaled } from "../../linalg/vectors/vector.ts";
import { hessian, type Risk } from "../../operators/index.ts";
import { column, type Vector } from "../../tensors/index.ts";
import { checkPositive } from "../checkPositive.ts";
import { type EvaluationCost, type Evaluations, evaluations } from "../evaluations.ts";
import { type ScaleOptions, scaleVector } from "./perturbationScale.ts";
import { ascentStep } from "./samSharpness.ts";
import { checkRiskFor, movedBy } from "./sharpnessRun.ts";

/** Options of `worstCaseSharpness`. */
export interface WorstCaseOptions extends ScaleOptions, RunOptions {
  /** Radius of the neighbourhood, in units of the scale. */
  readonly radius: number;
  /** Seed of the eigensolver that finds two of the starts. */
  readonly seed: number;
  /** Bound on the distance to the fixed point over the radius: 1e-6 by default, 1e-3 for float32 risks. */
  readonly tolerance?: number;
  /** Most steps of ascent from each start; 500 by default. */
  readonly steps?: number;
}

/** The end of the ascent from one start. */
export interface AscentEnd {
  readonly start: "gradient" | "eigenvector" | "minus eigenvector";
  /** `L(w + d) - L(w)` at its end. */
  readonly sharpness: number;
  /** Distance of d to `radius T^2 g(d) / |T g(d)|`, measured by `T^-1`, over the radius; 0 at a stationary point of the boundary. */
  readonly stationarity: number;
  readonly steps: number;
}

/** Largest loss found in a neighbourhood. */
export interface WorstCaseSharpness extends Outcome, EvaluationCost {
  /** `max L(w + d) - L(w)` over the ends of all starts: a lower bound of the maximum, and the maximum if one of the starts leads there. */
  readonly sharpness: number;
  /** The perturbation that attains it, `[size]`. */
  readonly perturbation: Vector;
  readonly radius: number;
  /** `L(w)` */
  readonly loss: number;
  /** `radius^2 / 2` times the largest eigenvalue of T H T, what the quadratic model says at a minimum; at least 0. */
  readonly secondOrder: number;
  /** Largest eigenvalue of T H T with the norm of its residual. */
  readonly eigenvalue: number;
  readonly eigenvalueResidual: number;
  /** The ends in the order of `sharpness`, largest first. How far they differ shows how much the starts matter. */
  readonly ends: readonly AscentEnd[];
}

const NAME = "worstCaseSharpness";

/**
 * Largest increase of the loss in a neighbourhood, `max L(w + d) - L(w)` over `|T^-1 d| <= radius`, by ascent to a fixed point of `d = radius T^2 g(w +
 * d) / |T g(w + d)|` from three starts: the gradient, and both signs of the top eigenvector of T H T. A step that lowers the loss is halved. Each
 * step takes one gradient and one value of the loss or more; the starts take an eigenpair. Status "converged" where the best end is stationary to the
 * tolerance.
 *
 * @throws CurvatureError "argument" or "shape" for options it cannot take, "aborted" when the signal fires
 */
export async function worstCaseSharpness(risk: Risk, options: WorstCaseOptions): Promise<WorstCaseSharpness> {
  checkRiskFor(NAME, risk);
  checkOptions(NAME, options, "radius seed tolerance steps scale eta signal onProgress");
  const { radius, seed, steps = 500, tolerance = risk.dtype === "float32" ? 1e-3 : 1e-6, signal, onProgress } = options;
  checkPositive(NAME, "radius", radius);
  checkSeed(NAME, seed);
  checkCount(NAME, "steps", steps);
  checkNonnegative(NAME, "tolerance", tolerance);
  const T = await scaleVector(NAME, { risk, ...options });
  const scaling = diagonal(T);
  const scaledHessian = compose(scaling, compose(hessian(risk), scaling), { symmetric: true });
  const top = await eigsh(scaledHessian, { k: 1, which: "largest", copies: false, seed, ...(signal && { signal }) });
  const evaluate = evaluations(risk, options);
  const context: Ascent = { risk, evaluate, theta: risk.theta(), T, radius, steps, tolerance };
  const [loss, g] = [await evaluate.loss(context.theta), await evaluate.gradient(context.theta)];
  const direction = scaled(
    radius,
    T.map((length, i) => length * column(top.vectors, 0)[i]!),
  );
  const starts = [
    { start: "gradient", d: ascentStep({ T, g, radius }) },
    { start: "eigenvector", d: direction },
    { start: "minus eigenvector", d: scaled(-1, direction) },
  ] as const;
  const ends: (AscentEnd & { readonly d: Vector })[] = [];
  for (const { start, d } of starts) {
    onProgress?.({ stage: `ascent from the ${start}`, done: ends.length, total: starts.length });
    if (d !== undefined) ends.push({ start, ...(await ascend(context, { d, loss })) });
  }
  ends.sort((a, b) => b.sharpness - a.sharpness);
  const [best] = ends;
  const { matvecs } = top;
  const value = top.values[0]!;
  return {
    sharpness: best!.sharpness,
    perturbation: best!.d,
    radius,
    loss,
    secondOrder: Math.max(0, (radius ** 2 * value) / 2),
    eigenvalue: value,
    eigenvalueResidual: top.residualNorms[0]!,
    ends: ends.map(({ d: _, ...end }) => end),
    ...evaluate.cost(),
    ...ending(best!, { tolerance, matvecs }),
  };
}

function ending(
  { stationarity, start }: AscentEnd,
  { tolerance, matvecs }: { readonly tolerance: number; readonly matvecs: number },
): Outcome {
  const converged = stationarity <= tolerance;
  const happened = `the best end, from the ${start}, is ${stationarity.toExponential(1)} radii from a fixed point`;
  return outcome(converged ? "converged" : "budget", {
    happened,
    matvecs,
    advice: converged ? "" : "raise steps or loosen tolerance; the value is a lower bound",
  });
}

interface Ascent {
  readonly risk: Risk;
  readonly evaluate: Evaluations;
  readonly theta: Vector;
  readonly T: Vector;
  readonly radius: number;
  readonly steps: number;
  readonly tolerance: number;
}

/** `|T^-1 (x - y)|`; entries of T that are zero hold theirs at zero. */
function scaledDistance(x: Vector, y: Vector | undefined, T: Vector): number {
  return norm(Float64Array.from(x, (entry, i) => (T[i] === 0 ? 0 : (entry - (y?.[i] ?? 0)) / T[i]!)));
}

/** Halvings of a step before the ascent counts as ended. */
const HALVINGS = 14;

/**
 * Fixed-point ascent on the boundary. The loss rises along each step unless it is halved: the new point maximizes the linear model, so that for a
 * convex loss every step ascends (the conditional gradient of Frank and Wolfe, 1956, with full steps).
 */
async function ascend(
  { risk, evaluate, theta, T, radius, steps, tolerance }: Ascent,
  start: { readonly d: Vector; readonly loss: number },
): Promise<Omit<AscentEnd, "start"> & { readonly d: Vector }> {
  const value = (d: Vector) => evaluate.loss(movedBy(risk, { theta, d }));
  let d = start.d;
  let height = await value(d);
  for (let step = 0; ; step++) {
    const g = await evaluate.gradient(movedBy(risk, { theta, d }));
    const ideal = ascentStep({ T, g, radius });
    const stationarity = ideal === undefined ? 0 : scaledDistance(ideal, d, T) / radius;
    const end = { d, sharpness: height - start.loss, stationarity, steps: step };
    if (ideal === undefined || stationarity <= tolerance || step >= steps) return end;
    const next = await uphill({
      d,
      ideal,
      height,
      value,
      onBoundary: (x) => scaled(radius / scaledDistance(x, undefined, T), x),
    });
    if (next === undefined) return end;
    ({ d, height } = next);
  }
}

async function uphill({
  d,
  ideal,
  height,
  value,
  onBoundary,
}: {
  readonly d: Vector;
  readonly ideal: Vector;
  readonly height: number;
  readonly value: (d: Vector) => Promise<number>;
  readonly onBoundary: (d: Vector) => Vector;
}): Promise<{ readonly d: Vector; readonly height: number } | undefined> {
  for (let halving = 0, share = 1; halving < HALVINGS; halving++, share /= 2) {
    const dtype = d instanceof Float32Array ? "float32" : "float64";
    const next = halving === 0 ? ideal : onBoundary(combination([1 - share, d], [share, ideal], { dtype }));
    const reached = await value(next);
    if (reached >= height - 1e-15 * Math.max(1, Math.abs(height))) return { d: next, height: reached };
  }
  return undefined;
}
