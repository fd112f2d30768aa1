import { CurvatureError } from "../../errors/index.ts";
import type { StructuredOperator } from "../../structured/index.ts";
import { logLikelihood } from "./fitSummary.ts";
import type { LaplacePosterior } from "./laplacePosterior.ts";

/** A prior precision for each weight at the maximum of the evidence. */
export interface WeightOptimum {
  /** [size]; 0 and infinity where the maximum lies there. */
  readonly precision: Float64Array;
  /** Indices of weights of precision 0: the data say nothing about them, and their posterior is improper. */
  readonly zeros: Int32Array;
  /** Indices of weights of infinite precision: they are at the mean of the prior. */
  readonly infinities: Int32Array;
  /** The evidence there, in the limit. */
  readonly logMarginalLikelihood: number;
  readonly effectiveParameters: number;
}

/**
 * Maximum of the evidence of independent weights in a precision for each, in closed form: with h the curvature and m = (theta - mu)^2 of a weight,
 *
 *     delta = (sqrt(h^2 + 4 h / m) - h) / 2
 *
 * (the root of h / (delta (h + delta)) = m), 0 where h = 0 and infinite where m = 0. With as many precisions as weights the evidence overfits.
 *
 * @throws CurvatureError "unsupported" unless the matrix is diagonal
 */
export async function weightOptimum(posterior: LaplacePosterior): Promise<WeightOptimum> {
  const { matrix, factor, mean, prior, fit, likelihood } = posterior;
  const { blocks } = matrix as Partial<StructuredOperator>;
  if (blocks?.every(({ block }) => block.kind === "diagonal") !== true) {
    throw new CurvatureError(
      "unsupported",
      'optimizePrior: a prior precision for each weight has a closed form for structure: "diagonal" alone; take by: "scalar" or "tensor"',
    );
  }
  const diagonal = await (matrix as StructuredOperator).diagonal();
  const precision = new Float64Array(mean.length);
  const [zeros, infinities]: [number[], number[]] = [[], []];
  let [ratio, energy, gamma] = [0, 0, 0];
  for (let i = 0; i < mean.length; i++) {
    const h = factor * diagonal[i];
    const m = (mean[i] - prior.mean[i]) ** 2;
    if (h === 0) zeros.push(i);
    else if (m === 0) {
      infinities.push(i);
      precision[i] = Number.POSITIVE_INFINITY;
    } else {
      // Without the cancellation of the difference for large h m.
      const delta = 2 / m / (1 + Math.sqrt(1 + 4 / (h * m)));
      precision[i] = delta;
      ratio += Math.log1p(h / delta);
      energy += delta * m;
      gamma += h / (h + delta);
    }
  }
  return {
    precision,
    zeros: Int32Array.from(zeros),
    infinities: Int32Array.from(infinities),
    logMarginalLikelihood: logLikelihood(fit, likelihood) - (ratio + energy) / 2,
    effectiveParameters: gamma,
  };
}
