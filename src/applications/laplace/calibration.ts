import type { Data } from "../../data/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import type { Estimate, RunOptions } from "../../linalg/index.ts";
import { checkCount } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import type { BatchProduct } from "../../operators/index.ts";
import { type ClassScores, classScores, coinScores } from "./classScores.ts";
import { type Labels, labelLosses } from "./labelLosses.ts";
import type { LaplacePosterior } from "./laplacePosterior.ts";
import { checkPosterior } from "./logMarginalLikelihood.ts";
import { type PredictOptions, predict } from "./predict.ts";
import type { Predictions } from "./predictions.ts";
import { checkTargets } from "./priorCurve.ts";
import { rankedShare } from "./rankedShare.ts";
import { type ValueScores, valueScores } from "./valueScores.ts";

/** Options of `calibration`. */
export interface CalibrationOptions extends Omit<PredictOptions, "covariance"> {
  /** Rows of another kind than those trained on, which should be recognized by their uncertainty. Their targets, if any, are not used. */
  readonly outOfDistribution?: Data | undefined;
  /** Bins of equal width of the reliability diagram; default 15. */
  readonly bins?: number | undefined;
  /** Levels of intervals; default 0.5, 0.8, 0.9, 0.95. */
  readonly levels?: readonly number[] | undefined;
}

/** How good predictive distributions are on held-out rows. */
export interface PredictiveScores {
  /** Mean negative log-likelihood of labels, in nats a term, with the standard error of the mean. */
  readonly negativeLogLikelihood: Estimate;
  /** Of classes and Bernoulli outputs. */
  readonly classes?: ClassScores;
  /** Of numbers. */
  readonly values?: ValueScores;
  /**
   * Probability that a row of another kind is more uncertain than one of the held-out rows (AUROC). Uncertainty is one less the largest probability, or the variance of a label, averaged
   * over the terms of a row.
   */
  readonly outOfDistribution?: number;
}

/** Scores of the network's own predictions and of those with the posterior. */
export interface Calibration {
  readonly rows: number;
  readonly link: Predictions["link"];
  /** Without the posterior. */
  readonly before: PredictiveScores;
  /** With it. */
  readonly after: PredictiveScores;
}

const NAME = "calibration";

/**
 * Calibration of predictions on held-out rows, without and with the posterior: negative log-likelihood, expected calibration error with the bins of a reliability diagram, Brier score, recognition of
 * rows of another kind, and coverage of intervals for numbers. Takes predictions for all rows, as `predict` does.
 *
 * @throws CurvatureError "data" for rows without targets, "argument" as `predict`
 */
export async function calibration(
  posterior: LaplacePosterior,
  data: Data,
  options: CalibrationOptions = {},
): Promise<Calibration> {
  checkPosterior(NAME, posterior);
  checkOptions(NAME, options, "link samples seed outOfDistribution bins levels signal onProgress");
  const { outOfDistribution, bins = 15, levels = [0.5, 0.8, 0.9, 0.95], ...rest } = options;
  checkCount(NAME, "bins", bins);
  checkLevels(levels);
  checkTargets(NAME, data);
  const { family } = posterior.likelihood;
  const plan = { ...rest, covariance: family === "heteroscedastic" && rest.link !== "network" };
  const predicted = await predict(posterior, data, plan);
  const labels = await labelsOf(posterior, data, rest);
  const strange = outOfDistribution === undefined ? undefined : await predict(posterior, outOfDistribution, plan);
  const scores = (point: boolean) => scored(posterior, { predicted, strange, labels, bins, levels, point });
  return { rows: predicted.rows, link: predicted.link, before: await scores(true), after: await scores(false) };
}

function checkLevels(levels: readonly number[]): void {
  if (levels.length > 0 && levels.every((level) => level > 0 && level < 1)) return;
  throw new CurvatureError("argument", `${NAME} expects levels between 0 and 1, got ${levels.join(", ") || "none"}`);
}

interface ScoringRequest {
  readonly predicted: Predictions;
  readonly strange: Predictions | undefined;
  readonly labels: Labels;
  readonly bins: number;
  readonly levels: readonly number[];
  readonly point: boolean;
}

async function scored(posterior: LaplacePosterior, request: ScoringRequest): Promise<PredictiveScores> {
  const { predicted, strange, labels, bins, levels, point } = request;
  const { family } = posterior.likelihood;
  const isSampled = predicted.link === "network" && predicted.values !== undefined && !point;
  const { sum, squares, weight } = isSampled
    ? momentLosses(predicted, labels)
    : await labelLosses(posterior, predicted, labels, { point });
  const value = sum / weight;
  const spread = Math.max(squares / weight - value ** 2, 0);
  const probabilities = point ? predicted.pointProbabilities : predicted.probabilities;
  const score = family === "categorical" ? classScores : coinScores;
  return {
    negativeLogLikelihood: { value, standardError: Math.sqrt(spread / Math.max(predicted.terms - 1, 1)) },
    ...(probabilities && { classes: score(probabilities, labels, { outputs: predicted.outputs, bins }) }),
    ...(predicted.values && { values: valueScores(predicted.values, labels, { levels, point }) }),
    ...(strange && { outOfDistribution: rankedShare(doubts(predicted, point), doubts(strange, point)) }),
  };
}

/** Sampled networks have moments alone: labels count as Gaussian. */
function momentLosses({ values }: Predictions, { y, weights }: Labels) {
  const { size, mean, variance } = values!;
  let [sum, squares, weight] = [0, 0, 0];
  for (let t = 0; t < mean.length / size; t++) {
    const w = weights === undefined ? 1 : Number(weights[t]);
    if (w === 0) continue;
    let loss = 0;
    for (let k = t * size; k < (t + 1) * size; k++) {
      loss += (Math.log(2 * Math.PI * variance[k]) + (Number(y.data[k]) - mean[k]) ** 2 / variance[k]) / 2;
    }
    sum += w * loss;
    squares += w * loss * loss;
    weight += w;
  }
  return { sum, squares, weight };
}

/** The uncertainty of each row. */
function doubts(
  { rows, outputs, probabilities, pointProbabilities, values, terms }: Predictions,
  point: boolean,
): Float64Array {
  const each = terms / rows;
  const result = new Float64Array(rows);
  const add = (term: number, doubt: number) => {
    result[Math.floor(term / each)] += doubt / each;
  };
  const p = point ? pointProbabilities : probabilities;
  for (let t = 0; t < terms; t++) {
    if (p !== undefined) {
      const own = p.subarray(t * outputs, (t + 1) * outputs);
      add(t, 1 - own.reduce((largest, x) => Math.max(largest, outputs === 1 ? Math.max(x, 1 - x) : x), 0));
      continue;
    }
    const { size, variance, pointVariance } = values!;
    const own = (point ? pointVariance : variance).subarray(t * size, (t + 1) * size);
    add(t, own.reduce((sum, x) => sum + x, 0) / size);
  }
  return result;
}

const labelsProduct: BatchProduct = {
  build: ({ y, weights }) => ({ outputs: { y, ...(weights !== undefined && { weights }) } }),
};

/** The targets of rows as the loss reads them, and the weights of terms. */
async function labelsOf(posterior: LaplacePosterior, data: Data, { signal }: RunOptions): Promise<Labels> {
  const rows = await posterior.risk.on(data);
  const [y, weights]: [number[], number[]] = [[], []];
  try {
    await rows.engine.run(labelsProduct, {
      options: { ...(signal && { signal }) },
      collect(outputs) {
        for (const value of outputs.y.data) y.push(Number(value));
        for (const value of outputs.weights?.data ?? []) weights.push(Number(value));
      },
    });
  } finally {
    await rows.dispose();
  }
  return {
    y: { data: Float64Array.from(y), dims: [y.length] },
    weights: weights.length > 0 ? Float64Array.from(weights) : undefined,
  };
}
