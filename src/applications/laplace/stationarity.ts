import type { RunOptions } from "../../linalg/index.ts";
import { dot, norm } from "../../linalg/vectors/vector.ts";
import type { Risk } from "../../operators/index.ts";
import type { ApproximatedMatrix } from "../../structured/index.ts";
import type { Vector } from "../../tensors/index.ts";
import type { FitSummary } from "./fitSummary.ts";
import { curvatureFactor, type LaplaceLikelihood, lossFactor } from "./likelihood.ts";
import { posteriorMean } from "./posteriorMean.ts";
import type { PosteriorCurvature } from "./posteriorPrecision.ts";
import type { Prior } from "./prior.ts";

/** How far the weights are from a maximum of likelihood and prior together. */
export interface Stationarity {
  /** Norm of the gradient of the negative log joint, g = g_data + g_prior. */
  readonly gradientNorm: number;
  /** Norm of that of the negative log-likelihood over T, summed over rows. */
  readonly dataGradientNorm: number;
  /** Norm of that of the prior, delta (theta - mu). */
  readonly priorGradientNorm: number;
  /** `g' P^-1 g / 2`: what one Newton step would gain in the log joint, in nats. 0 at a maximum. */
  readonly newtonGain: number;
  /** The gain above which the weights count as no maximum: half the number of weights, the gain of a step of one standard deviation in all, up to 1. */
  readonly limit: number;
}

/** The gradient of the joint at the weights and what a Newton step would gain. One solution with the precision. */
export async function stationarityOf(
  state: {
    readonly risk: Risk;
    readonly chosen: { readonly indices: Int32Array | undefined };
    /** Gradient of the mean loss in the weights of the posterior. */
    readonly gradient: Vector;
    readonly of: ApproximatedMatrix;
    readonly likelihood: LaplaceLikelihood;
    readonly prior: Prior;
    readonly curvature: PosteriorCurvature;
    readonly fit: FitSummary;
  },
  options: RunOptions,
): Promise<Stationarity> {
  const { risk, chosen, gradient, of, likelihood, prior, curvature, fit } = state;
  const theta = posteriorMean(risk, chosen.indices);
  const h = lossFactor(likelihood) / (fit.scale * likelihood.temperature);
  const data = Float64Array.from(gradient, (g) => h * g);
  const pull = Float64Array.from(theta, (x, i) => prior.precision[i] * (x - prior.mean[i]));
  const g = data.map((x, i) => x + pull[i]);
  const factor = curvatureFactor(likelihood, { scale: fit.scale, of });
  const precision = curvature.precision({ factor, delta: prior.precision });
  const { signal } = options;
  const step = await precision.solve({ rows: g.length, columns: 1, data: g }, { ...(signal && { signal }) });
  return {
    gradientNorm: norm(g),
    dataGradientNorm: norm(data),
    priorGradientNorm: norm(pull),
    newtonGain: dot(g, step.data) / 2,
    limit: Math.min(1, g.length / 2),
  };
}
