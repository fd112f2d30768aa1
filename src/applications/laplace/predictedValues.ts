import type { LaplacePosterior } from "./laplacePosterior.ts";

/** Predictive distribution of numbers: T terms of d numbers each, [T, d], row-major. */
export interface PredictedValues {
  /** d */
  readonly size: number;
  readonly mean: Float64Array;
  /** Variance of the mean under the posterior: what more data would take away. Without the noise of a label. */
  readonly functionVariance: Float64Array;
  /** Expected variance of a label around its mean: the noise that stays. */
  readonly noiseVariance: Float64Array;
  /** Variance of a label, the sum of both. Intervals for labels are made of it. */
  readonly variance: Float64Array;
  /** What the network says without the posterior. */
  readonly pointMean: Float64Array;
  readonly pointVariance: Float64Array;
}

/** Whether labels of the likelihood are numbers, and not classes. */
export function valueTargets({ likelihood: { family } }: LaplacePosterior): boolean {
  return family !== "categorical" && family !== "bernoulli";
}

/**
 * Moments of labels in closed form for Gaussian outputs f ~ N(f*, Sigma):
 *
 * - N(f, sigma^2): mean f*, variance Sigma_cc + sigma^2;
 * - Poisson(e^f): e^f is lognormal, so that the mean is r = e^(f* + Sigma_cc / 2), the variance r + (e^Sigma_cc - 1) r^2;
 * - N(m, e^s): mean m*, variance Sigma_mm + e^(s* + Sigma_ss / 2).
 */
export function predictedValues(
  posterior: LaplacePosterior,
  {
    f,
    variance,
  }: { readonly f: Float64Array; readonly variance: Float64Array; readonly covariance?: Float64Array | undefined },
): PredictedValues {
  const { likelihood, risk } = posterior;
  const outputs = { f, variance, size: risk.layout.outputs };
  if (likelihood.family === "gaussian") return gaussianValues(outputs, likelihood.sigmaNoise ** 2);
  return likelihood.family === "poisson" ? poissonValues(outputs) : heteroscedasticValues(outputs);
}

/** Means and variances of outputs, [T, size] each. */
interface Outputs {
  readonly f: Float64Array;
  readonly variance: Float64Array;
  readonly size: number;
}

function gaussianValues({ f, variance, size }: Outputs, noise: number): PredictedValues {
  return {
    size,
    mean: f,
    functionVariance: variance,
    noiseVariance: f.map(() => noise),
    variance: variance.map((x) => x + noise),
    pointMean: f,
    pointVariance: f.map(() => noise),
  };
}

function poissonValues({ f, variance, size }: Outputs): PredictedValues {
  const mean = f.map((x, k) => Math.exp(x + variance[k] / 2));
  const functionVariance = mean.map((r, k) => Math.expm1(variance[k]) * r * r);
  const pointMean = f.map(Math.exp);
  return {
    size,
    mean,
    functionVariance,
    noiseVariance: mean,
    variance: mean.map((r, k) => r + functionVariance[k]),
    pointMean,
    pointVariance: pointMean,
  };
}

/** Of outputs m and s, one after the other in each term. */
function heteroscedasticValues({ f, variance, size: C }: Outputs): PredictedValues {
  const d = C / 2;
  const pick = (of: (m: number, s: number) => number) =>
    Float64Array.from({ length: f.length / 2 }, (_, k) => {
      const m = Math.floor(k / d) * C + (k % d);
      return of(m, m + d);
    });
  const mean = pick((m) => f[m]);
  const functionVariance = pick((m) => variance[m]);
  const noiseVariance = pick((_, s) => Math.exp(f[s] + variance[s] / 2));
  return {
    size: d,
    mean,
    functionVariance,
    noiseVariance,
    variance: functionVariance.map((x, k) => x + noiseVariance[k]),
    pointMean: mean,
    pointVariance: pick((_, s) => Math.exp(f[s])),
  };
}
