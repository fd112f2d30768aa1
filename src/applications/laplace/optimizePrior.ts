import type { Data } from "../../data/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import type { RunOptions } from "../../linalg/index.ts";
import { checkChoice } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { noiseOptimum, scalarOptimum, tensorOptimum } from "./evidenceOptimum.ts";
import type { LaplacePosterior } from "./laplacePosterior.ts";
import { noisePower } from "./likelihood.ts";
import { checkPosterior, type LogMarginalLikelihood, logMarginalLikelihood } from "./logMarginalLikelihood.ts";
import type { Link } from "./predictions.ts";
import type { PriorPrecision } from "./prior.ts";
import { type PriorPoint, priorCurve, usualPrecisions } from "./priorCurve.ts";
import { type WeightOptimum, weightOptimum } from "./weightOptimum.ts";

/** Options of `optimizePrior`. */
export interface OptimizePriorOptions extends RunOptions {
  /** By the evidence (default), or by the negative log-likelihood of predictions for `validation`. */
  readonly method?: "evidence" | "validation" | undefined;
  /** One precision for all weights (default), for each tensor, or for each weight of a diagonal matrix. */
  readonly by?: "scalar" | "tensor" | "weight" | undefined;
  /** Whether the noise of squared errors is optimized too, by the evidence; default true for "evidence" and such a loss. */
  readonly sigmaNoise?: boolean | undefined;
  /** Rows with targets, for "validation". */
  readonly validation?: Data | undefined;
  /** Prior precisions that "validation" tries; default 25 from 1e-4 to 1e4. */
  readonly precisions?: readonly number[] | undefined;
  /** Link of the predictions that are scored: tune with the one that you predict with. */
  readonly link?: Link | undefined;
  readonly samples?: number | undefined;
  readonly seed?: number | undefined;
}

/** A prior that was chosen, and how well. */
export interface OptimizedPrior {
  readonly method: "evidence" | "validation";
  readonly by: "scalar" | "tensor" | "weight";
  /** As it is given to `laplace` or `withPrior`; by weight, with zeros and infinities where these are the best. */
  readonly priorPrecision: PriorPrecision;
  readonly sigmaNoise: number;
  /** The posterior with this prior; undefined where some precisions are 0 or infinite. */
  readonly posterior: LaplacePosterior | undefined;
  /** The evidence there. */
  readonly evidence: Pick<LogMarginalLikelihood, "value" | "standardError">;
  readonly effectiveParameters: number;
  /**
   * Largest derivative of the evidence in the logarithm of a precision or of the noise there, recomputed from the result: 0 at a maximum. Undefined for "validation" and by
   * weight.
   */
  readonly slope: number | undefined;
  /** Mean negative log-likelihood of the validation rows, for "validation". */
  readonly validationLoss: number | undefined;
  /** The precisions tried, for "validation". */
  readonly curve: readonly PriorPoint[];
  /** Weights whose best precision is 0 or infinite, by weight. */
  readonly improper: Pick<WeightOptimum, "zeros" | "infinities"> | undefined;
  readonly message: string;
}

const NAME = "optimizePrior";

/**
 * The prior precision that the evidence, or a validation loss, prefers, and with it the noise of squared errors. Nothing is fitted again: the evidence of a
 * structured matrix is a function of its eigenvalues, whose maximum is a bracketed root in log precision; a validation loss takes one pass over the validation rows for all precisions. The evidence is
 * no test score: compare both.
 *
 * @throws CurvatureError "argument" for options that do not fit, "unsupported" where the matrix has no such optimum in closed form, "numeric" where the maximum lies at 0 or infinity
 */
export async function optimizePrior(
  posterior: LaplacePosterior,
  options: OptimizePriorOptions = {},
): Promise<OptimizedPrior> {
  checkPosterior(NAME, posterior);
  checkOptions(NAME, options, "method by sigmaNoise validation precisions link samples seed signal onProgress");
  const { method = "evidence", by = "scalar" } = options;
  checkChoice(NAME, "method", method, ["evidence", "validation"]);
  checkChoice(NAME, "by", by, ["scalar", "tensor", "weight"]);
  const isGaussian = posterior.likelihood.family === "gaussian";
  const { sigmaNoise = isGaussian && method === "evidence" && by !== "weight" } = options;
  if (sigmaNoise && (!isGaussian || method !== "evidence" || by === "weight")) {
    throw new CurvatureError(
      "argument",
      `${NAME}: the noise is optimized for squared errors, by the evidence, with one precision or one for each tensor; leave sigmaNoise out`,
    );
  }
  if (method === "validation") return byValidation(posterior, options);
  return by === "weight" ? byWeight(posterior) : byEvidence(posterior, { by, sigmaNoise, options });
}

async function byEvidence(
  posterior: LaplacePosterior,
  {
    by,
    sigmaNoise,
    options,
  }: { readonly by: "scalar" | "tensor"; readonly sigmaNoise: boolean; readonly options: OptimizePriorOptions },
): Promise<OptimizedPrior> {
  const { signal } = options;
  const run = { ...(signal && { signal }) };
  const optimumAt = ({ factor }: { readonly factor: number }) =>
    (by === "scalar" ? scalarOptimum : tensorOptimum)(posterior, { factor, ...run });
  const found = sigmaNoise
    ? await noiseOptimum(posterior, optimumAt)
    : { ...(await optimumAt(posterior)), sigmaNoise: posterior.likelihood.sigmaNoise };
  const { precisions } = found;
  const priorPrecision: PriorPrecision =
    by === "scalar"
      ? precisions[0]
      : Object.fromEntries(posterior.groups.map(({ name }, index) => [name, precisions[index]]));
  const best = await posterior.withPrior({ priorPrecision, ...(sigmaNoise && { sigmaNoise: found.sigmaNoise }) });
  const evidence = await logMarginalLikelihood(best, run);
  const slope = await slopeAt(best, { by, sigmaNoise });
  return {
    method: "evidence",
    by,
    priorPrecision,
    sigmaNoise: found.sigmaNoise,
    posterior: best,
    evidence,
    effectiveParameters: (await best.precision.effectiveParameters(run)).value,
    slope,
    validationLoss: undefined,
    curve: [],
    improper: undefined,
    message: `the evidence is stationary: its largest slope in the logarithm of a precision${sigmaNoise ? " or of the noise" : ""} is ${slope?.toExponential(1) ?? "not known"}`,
  };
}

/** The largest slope of the evidence, from the posterior itself. */
async function slopeAt(
  { precision, prior, groups, mean, fit, likelihood, of }: LaplacePosterior,
  { by, sigmaNoise }: { readonly by: "scalar" | "tensor"; readonly sigmaNoise: boolean },
): Promise<number | undefined> {
  const gamma = (await precision.effectiveParameters()).value;
  const energy = (indices: Iterable<number>) => {
    let sum = 0;
    for (const i of indices) sum += prior.precision[i] * (mean[i] - prior.mean[i]) ** 2;
    return sum;
  };
  const slopes: number[] = [];
  if (by === "scalar") slopes.push((gamma - energy(mean.keys())) / 2);
  else {
    const inverse = await precision.inverseDiagonal?.();
    if (inverse === undefined) return undefined;
    for (const { indices } of groups) {
      const own = indices.reduce((sum, i) => sum + 1 - prior.precision[i] * inverse[i], 0);
      slopes.push((own - energy(indices)) / 2);
    }
  }
  if (sigmaNoise) {
    const { sigmaNoise: sigma, temperature } = likelihood;
    slopes.push((fit.lossSum / sigma ** 2 - fit.elements) / temperature + noisePower(of) * gamma);
  }
  return Math.max(...slopes.map(Math.abs));
}

async function byWeight(posterior: LaplacePosterior): Promise<OptimizedPrior> {
  const found = await weightOptimum(posterior);
  const { precision, zeros, infinities } = found;
  const isProper = zeros.length + infinities.length === 0;
  return {
    method: "evidence",
    by: "weight",
    priorPrecision: precision,
    sigmaNoise: posterior.likelihood.sigmaNoise,
    posterior: isProper ? await posterior.withPrior({ priorPrecision: precision }) : undefined,
    evidence: { value: found.logMarginalLikelihood, standardError: 0 },
    effectiveParameters: found.effectiveParameters,
    slope: undefined,
    validationLoss: undefined,
    curve: [],
    improper: { zeros, infinities },
    message: isProper
      ? "each weight has its own precision in closed form; with so many the evidence overfits"
      : `the best precision of ${zeros.length} weights is 0 (the data say nothing about them) and of ${infinities.length} infinite (they are at the mean of the prior): replace these before you use it`,
  };
}

async function byValidation(posterior: LaplacePosterior, options: OptimizePriorOptions): Promise<OptimizedPrior> {
  const { by = "scalar" } = options;
  const curve = await validationCurve(posterior, options);
  const best = curve.reduce((a, b) => (b.validationLoss! < a.validationLoss! ? b : a));
  const at = await posterior.withPrior({ priorPrecision: best.priorPrecision });
  const isEnd = best === curve[0] || best === curve.at(-1);
  return {
    method: "validation",
    by,
    priorPrecision: best.priorPrecision,
    sigmaNoise: posterior.likelihood.sigmaNoise,
    posterior: at,
    evidence: { value: best.logMarginalLikelihood, standardError: best.standardError },
    effectiveParameters: (await at.precision.effectiveParameters()).value,
    slope: undefined,
    validationLoss: best.validationLoss,
    curve,
    improper: undefined,
    message: isEnd
      ? "the smallest validation loss is at an end of the precisions tried; try others beyond"
      : `the smallest validation loss of ${curve.length} precisions`,
  };
}

function validationCurve(posterior: LaplacePosterior, options: OptimizePriorOptions): Promise<readonly PriorPoint[]> {
  const { validation, by = "scalar", precisions = usualPrecisions(), link, samples, seed } = options;
  if (validation === undefined || by !== "scalar") {
    throw new CurvatureError(
      "argument",
      `${NAME}: method "validation" needs rows with targets as validation, and chooses one precision for all weights; leave by out`,
    );
  }
  const { signal, onProgress } = options;
  return priorCurve(posterior, {
    precisions,
    validation,
    ...(link && { link }),
    ...(samples !== undefined && { samples }),
    ...(seed !== undefined && { seed }),
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
  });
}
