import { CurvatureError } from "../../errors/index.ts";
import type { LinearOperator, RunOptions } from "../../linalg/index.ts";
import { checkCount, checkPositive, checkSeed } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import type { Risk } from "../../operators/index.ts";
import type { ApproximatedMatrix } from "../../structured/index.ts";
import type { Matrix, Vector } from "../../tensors/index.ts";
import type { FitSummary } from "./fitSummary.ts";
import { curvatureFactor, type LaplaceLikelihood } from "./likelihood.ts";
import { posteriorMean } from "./posteriorMean.ts";
import type { PosteriorCurvature, PosteriorPrecision } from "./posteriorPrecision.ts";
import { type Prior, type PriorMean, type PriorPrecision, priorOf, type WeightGroup } from "./prior.ts";
import { type Stationarity, stationarityOf } from "./stationarity.ts";
import type { ChosenWeights } from "./weightChoice.ts";

/** What of a posterior may change without a pass over the data. */
export interface PriorChange {
  readonly priorPrecision?: PriorPrecision | undefined;
  readonly priorMean?: PriorMean | undefined;
  readonly sigmaNoise?: number | undefined;
  readonly temperature?: number | undefined;
}

/** A Gaussian posterior of weights, `N(mean, P^-1)`. */
export interface LaplacePosterior {
  /** The objective as a function of the tensors that the posterior is about. */
  readonly risk: Risk;
  /** Number of weights of the posterior. */
  readonly size: number;
  /** The weights, in words. */
  readonly weights: string;
  /** Of a subnetwork: the indices of its weights into flat vectors of `risk`. */
  readonly indices: Int32Array | undefined;
  /** The tensors that the weights are of. */
  readonly groups: readonly WeightGroup[];
  /** The trained weights, [size]. */
  readonly mean: Float64Array;
  /** Form of the precision, in words. */
  readonly structure: string;
  readonly of: ApproximatedMatrix;
  /** K, the curvature of the *mean* loss: P = factor K + diag(prior.precision). */
  readonly matrix: LinearOperator;
  /** (1 / T) times what turns K into the matrix of the negative log-likelihood summed over rows. */
  readonly factor: number;
  readonly curvature: PosteriorCurvature;
  /** P at this prior, noise and temperature. */
  readonly precision: PosteriorPrecision;
  readonly prior: Prior;
  readonly likelihood: LaplaceLikelihood;
  readonly fit: FitSummary;
  /** Gradient of the mean loss in the weights, [size]. */
  readonly gradient: Vector;
  readonly stationarity: Stationarity;
  /** What was decided where options left it open, and why. */
  readonly decisions: readonly string[];
  /** What makes the posterior doubtful. */
  readonly warnings: readonly string[];
  /** The posterior of the same weights and rows at another prior, noise or temperature: no pass over the data. It shares all memory with this one. */
  withPrior(change: PriorChange): Promise<LaplacePosterior>;
  /** Weights drawn from the posterior: each column is a flat vector of `risk`, [risk.size, count]. Column k depends on the seed and k alone. */
  sample(options: RunOptions & { readonly count: number; readonly seed: number }): Promise<Matrix>;
  /** Frees the curvature and the objective that were made for it, also of all posteriors made by `withPrior`. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** What a posterior is made of. */
export interface PosteriorState {
  readonly risk: Risk;
  readonly chosen: Pick<ChosenWeights, "indices" | "description">;
  readonly groups: readonly WeightGroup[];
  readonly structure: string;
  readonly of: ApproximatedMatrix;
  readonly matrix: LinearOperator;
  readonly curvature: PosteriorCurvature;
  readonly fit: FitSummary;
  readonly prior: Prior;
  readonly likelihood: LaplaceLikelihood;
  readonly gradient: Vector;
  readonly stationarity: Stationarity;
  readonly decisions: readonly string[];
  dispose(): Promise<void>;
}

/** The posterior of a state. */
export function posteriorOf(state: PosteriorState): LaplacePosterior {
  const { risk, chosen, groups, structure, of, matrix, curvature, fit, prior, likelihood, gradient, decisions } = state;
  const { indices, description } = chosen;
  const mean = posteriorMean(risk, indices);
  // Rows of a saved posterior are not those of the risk it is loaded with; `fit.scale` are those of the fit.
  const factor = curvatureFactor(likelihood, { scale: fit.scale, of });
  const precision = curvature.precision({ factor, delta: prior.precision });
  return {
    risk,
    size: mean.length,
    weights: description,
    indices,
    groups,
    mean,
    structure,
    of,
    matrix,
    factor,
    curvature,
    precision,
    prior,
    likelihood,
    fit,
    gradient,
    stationarity: state.stationarity,
    decisions,
    warnings: warningsOf(state),
    withPrior: (change) => changed(state, change),
    sample: (options) => sampled({ risk, indices, mean, precision }, options),
    dispose: state.dispose,
    [Symbol.asyncDispose]: state.dispose,
  };
}

async function changed(state: PosteriorState, change: PriorChange): Promise<LaplacePosterior> {
  const name = "withPrior";
  checkOptions(name, change, "priorPrecision priorMean sigmaNoise temperature");
  const { likelihood, prior, groups, chosen, risk } = state;
  const {
    sigmaNoise = likelihood.sigmaNoise,
    temperature = likelihood.temperature,
    priorPrecision,
    priorMean = prior.mean,
  } = change;
  checkPositive(name, "sigmaNoise", sigmaNoise);
  checkPositive(name, "temperature", temperature);
  if (likelihood.family !== "gaussian" && change.sigmaNoise !== undefined) {
    throw new CurvatureError(
      "argument",
      `${name}: sigmaNoise is the noise of squared errors, but the loss is ${risk.lossFunction.name}; leave it out`,
    );
  }
  const size = chosen.indices?.length ?? risk.size;
  const next = {
    ...state,
    likelihood: { ...likelihood, sigmaNoise, temperature },
    prior: priorOf(name, { precision: priorPrecision ?? prior.given, mean: priorMean, size, groups }),
  };
  return posteriorOf({ ...next, stationarity: await stationarityOf(next, {}) });
}

function warningsOf({ stationarity, chosen, risk, fit }: PosteriorState): readonly string[] {
  const warnings: string[] = [];
  const { newtonGain, limit, gradientNorm, dataGradientNorm, priorGradientNorm } = stationarity;
  if (newtonGain > limit) {
    const by = priorGradientNorm > dataGradientNorm ? "the prior, with which they were not trained" : "the data";
    warnings.push(
      `the weights are no maximum of likelihood and prior together: a Newton step would gain ${newtonGain.toPrecision(3)} nats (gradient norm ${gradientNorm.toPrecision(3)}, mostly of ${by}); train to the end with weight decay of precision / rows, or read the evidence with care`,
    );
  }
  const size = chosen.indices?.length ?? risk.size;
  if (fit.rows < 10) warnings.push(`the curvature is that of ${fit.rows} rows for ${size} weights`);
  return warnings;
}

async function sampled(
  { risk, indices, mean, precision }: Pick<LaplacePosterior, "risk" | "indices" | "mean" | "precision">,
  options: RunOptions & { readonly count: number; readonly seed: number },
): Promise<Matrix> {
  checkOptions("sample", options, "count seed signal onProgress");
  const { count, seed, signal } = options;
  checkCount("sample", "count", count);
  checkSeed("sample", seed);
  const deviations = await precision.samples(count, { seed, ...(signal && { signal }) });
  const theta = Float64Array.from(risk.theta());
  const data = new Float64Array(theta.length * count);
  for (let k = 0; k < count; k++) {
    const own = data.subarray(k * theta.length, (k + 1) * theta.length);
    own.set(theta);
    for (let i = 0; i < mean.length; i++) {
      own[indices === undefined ? i : indices[i]] += deviations.data[k * mean.length + i];
    }
  }
  return { rows: theta.length, columns: count, data };
}
