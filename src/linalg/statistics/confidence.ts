import { CurvatureError } from "../../errors/index.ts";
import type { Estimate } from "../runs/result.ts";

// By the central limit theorem the mean of m independent samples, less the truth and over its standard error, follows Student's
// distribution with m - 1 degrees of freedom, exactly so for normal samples. Samples of a quadratic form are skewed to the right, as
// chi-squared numbers are where one eigenvalue dominates: of those the 95 % interval holds the truth in 86 % of runs with 10 samples,
// 91 % with 30 and 93 % with 100.

/** Rule by which an interval follows from a standard error. */
export interface Certainty {
  /** Probability that the interval holds the truth. */
  readonly confidence: number;
  /** Half the interval's width over the standard error, from Student's distribution; 0 where nothing is estimated. */
  readonly quantile: number;
  /** Number of random samples that the standard error rests on. */
  readonly probes: number;
  /** Whether these are at most 30, so that skewed samples may leave the interval too narrow. */
  readonly fewProbes: boolean;
}

/** Interval that holds the truth with probability `confidence`. */
export interface Interval extends Certainty {
  readonly lower: number;
  readonly upper: number;
}

const FEW_PROBES = 30;

/**
 * Certainty of a mean of `probes` samples that is looked at `looks` times before one of the intervals is chosen: each look may be wrong with
 * probability `(1 - confidence) / looks`, so that all together are with at most `1 - confidence` (Bonferroni, 1936), whichever is chosen.
 */
export function certainty(
  confidence: number,
  {
    probes,
    looks = 1,
    exact = false,
  }: { readonly probes: number; readonly looks?: number | undefined; readonly exact?: boolean | undefined },
): Certainty {
  if (exact) return { confidence, quantile: 0, probes, fewProbes: false };
  const quantile = studentQuantile(1 - (1 - confidence) / (2 * looks), probes - 1);
  return { confidence, quantile, probes, fewProbes: probes <= FEW_PROBES };
}

/** The interval around an estimate. */
export function interval({ value, standardError }: Estimate, how: Certainty): Interval {
  const half = standardError === 0 ? 0 : how.quantile * standardError;
  const unknown = Number.isNaN(value) || half === Number.POSITIVE_INFINITY;
  const [lower, upper] = unknown ? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] : [value - half, value + half];
  return { lower, upper, ...how };
}

/** Remark of a message where an interval rests on few probes. */
export function fewProbesRemark({ fewProbes }: Certainty): string {
  return fewProbes ? ", few for an interval" : "";
}

/** Refuses a confidence that is not a probability between 0 and 1. */
export function checkConfidence(name: string, confidence: unknown): void {
  if (typeof confidence === "number" && confidence > 0 && confidence < 1) return;
  const message = `${name} expects confidence to be between 0 and 1, got ${String(confidence)}; pass for example 0.95`;
  throw new CurvatureError("argument", message);
}

/**
 * Quantile of Student's t distribution: the t with `P(T <= t) = probability`, by bisection of its distribution function. Infinity without
 * a degree of freedom. To 12 digits.
 *
 * @throws CurvatureError "argument" for anything but a probability and a number
 */
export function studentQuantile(probability: number, degreesOfFreedom: number): number {
  if (
    typeof probability !== "number" ||
    !(probability > 0 && probability < 1) ||
    typeof degreesOfFreedom !== "number"
  ) {
    const got = `${String(probability)} and ${String(degreesOfFreedom)}`;
    const message = `studentQuantile expects a probability between 0 and 1 and a number of degrees of freedom, got ${got}`;
    throw new CurvatureError("argument", message);
  }
  if (!(degreesOfFreedom >= 1)) return Number.POSITIVE_INFINITY;
  const tail = Math.min(probability, 1 - probability);
  let [low, high] = [0, 1];
  while (upperTail(high, degreesOfFreedom) > tail) high *= 2;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (upperTail(middle, degreesOfFreedom) > tail) low = middle;
    else high = middle;
  }
  return probability < 0.5 ? -high : high;
}

/** `P(T > t) = I_x(v / 2, 1 / 2) / 2` for t >= 0 with `x = v / (v + t^2)`, I the regularized incomplete beta function. */
function upperTail(t: number, v: number): number {
  const x = v / (v + t * t);
  const [a, b] = [v / 2, 0.5];
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
  if (x === 1) return 0.5;
  // The continued fraction converges fast below this x; above it the symmetry I_x(a, b) = 1 - I_(1 - x)(b, a) is used.
  if (x < (a + 1) / (a + b + 2)) return (front * betaFraction(x, a, b)) / a / 2;
  return (1 - (front * betaFraction(1 - x, b, a)) / b) / 2;
}

/** Continued fraction of the incomplete beta function, evaluated from its front (Lentz, 1976; Abramowitz and Stegun, 26.5.8). */
function betaFraction(x: number, a: number, b: number): number {
  let [c, d] = [1, 1 / (1 - ((a + b) * x) / (a + 1))];
  let fraction = d;
  for (let m = 1; m <= 500; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    for (const term of [even, odd]) {
      d = 1 / (1 + term * d);
      c = 1 + term / c;
      fraction *= c * d;
    }
    if (Math.abs(c * d - 1) < 1e-15) break;
  }
  return fraction;
}

/** Logarithm of the gamma function for positive x, by Stirling's series after a shift to x >= 12. */
function logGamma(x: number): number {
  let [y, shift] = [x, 0];
  for (; y < 12; y++) shift += Math.log(y);
  const z = 1 / (y * y);
  const series = (1 / 12 - z * (1 / 360 - z * (1 / 1260 - z * (1 / 1680 - z * (1 / 1188))))) / y;
  return (y - 0.5) * Math.log(y) - y + 0.5 * Math.log(2 * Math.PI) + series - shift;
}
