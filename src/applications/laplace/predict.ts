import type { Data } from "../../data/index.ts";
import { CurvatureError, checkObject } from "../../errors/index.ts";
import type { RunOptions } from "../../linalg/index.ts";
import { checkChoice, checkCount, checkSeed } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { type FunctionDistribution, functionDistributions } from "./functionDistribution.ts";
import type { LaplacePosterior } from "./laplacePosterior.ts";
import { laplaceBridge, monteCarlo, probitScaled, sigmoid, softmax, type TermDistribution } from "./links.ts";
import { checkPosterior } from "./logMarginalLikelihood.ts";
import { networkPredictions } from "./networkPredictions.ts";
import { predictedValues, valueTargets } from "./predictedValues.ts";
import type { Link, PredictionPlan, Predictions, TermPrediction } from "./predictions.ts";

/** Options of `predict`. */
export interface PredictOptions extends RunOptions {
  /**
   * Of class probabilities: "probit" (default), "bridge" or "bridgeNormalized" (softmax alone), "monteCarlo" over outputs, their variances alone with "monteCarloDiagonal", or
   * "network": the mean over networks of sampled weights. Of numbers: "moments" (default), in closed form, or "network".
   */
  readonly link?: Link | undefined;
  /** Samples of Monte Carlo (default 1,000) or networks (default 20). */
  readonly samples?: number | undefined;
  /** Seed of samples. */
  readonly seed?: number | undefined;
  /** Whether to return the covariance of the outputs of each term; default false. */
  readonly covariance?: boolean | undefined;
}

const CLASS_LINKS = ["probit", "bridge", "bridgeNormalized", "monteCarlo", "monteCarloDiagonal", "network"] as const;

/**
 * Predictive distribution of a posterior for rows, whose targets, if any, are not used. The network is linearized at its weights, so that outputs are Gaussian with covariance J P^-1 J' (which
 * predicts better than sampled networks where P is made of G: Immer, Korzepa and Bauer, 2021).
 *
 * Costs a forward and C reverse passes a row, or of a last layer with Kronecker blocks a forward pass; "network" a forward pass a sample.
 *
 * @throws CurvatureError "argument" for links that the likelihood does not have, and samples without a seed
 */
export async function predict(
  posterior: LaplacePosterior,
  data: Data,
  options: PredictOptions = {},
): Promise<Predictions> {
  const { plan, run } = checkedPlan(posterior, data, options);
  if (plan.link === "network") return networkPredictions(posterior, data, { ...plan, ...run });
  const parts: TermPrediction[] = [];
  let rows = 0;
  for await (const distribution of functionDistributions(posterior, data, run)) {
    parts.push(
      await termPredictions(posterior, distribution, { plan, firstTerm: rows * posterior.risk.layout.positions }),
    );
    rows += distribution.rows;
  }
  return joined(posterior, parts, { rows, plan });
}

/** The link that options and likelihood stand for. */
export function predictionPlan(posterior: LaplacePosterior, options: PredictOptions): PredictionPlan {
  const name = "predict";
  const { family } = posterior.likelihood;
  const isClasses = family === "categorical" || family === "bernoulli";
  const { link = isClasses ? "probit" : "moments", covariance = false } = options;
  checkChoice(name, `link for the ${family} likelihood`, link, isClasses ? CLASS_LINKS : ["moments", "network"]);
  if (family === "bernoulli" && (link === "bridge" || link === "bridgeNormalized")) {
    throw new CurvatureError("argument", `${name}: the Laplace bridge is for softmax; take "probit" or "monteCarlo"`);
  }
  const { samples = link === "network" ? 20 : 1000, seed } = options;
  checkCount(name, "samples", samples);
  const isSampled = link === "network" || link.startsWith("monteCarlo");
  if (isSampled) checkSeed(name, seed);
  return { link, samples: isSampled ? samples : 0, seed: seed ?? 0, covariance };
}

function checkedPlan(posterior: LaplacePosterior, data: Data, options: PredictOptions) {
  checkPosterior("predict", posterior);
  checkObject(data, "predict expects data made by arrays, csv, loadData or asyncData", ["rows", "batches"]);
  checkOptions("predict", options, "link samples seed covariance signal onProgress");
  const { signal, onProgress } = options;
  return {
    plan: predictionPlan(posterior, options),
    run: { ...(signal && { signal }), ...(onProgress && { onProgress }) },
  };
}

/** Predictions for the rows of a batch. */
export async function termPredictions(
  posterior: LaplacePosterior,
  distribution: FunctionDistribution,
  { plan, firstTerm }: { readonly plan: PredictionPlan; readonly firstTerm: number },
): Promise<TermPrediction> {
  const { family } = posterior.likelihood;
  const { f } = distribution;
  const C = posterior.risk.layout.outputs;
  const terms = f.length / C;
  const needsAll =
    plan.covariance || plan.link.startsWith("bridge") || plan.link === "monteCarlo" || family === "heteroscedastic";
  const found = await distribution.covariances(posterior, { diagonal: !needsAll });
  const variance = needsAll ? diagonals(found, C) : found;
  const base = { f, variance, ...(needsAll && { covariance: found }) };
  if (family !== "categorical" && family !== "bernoulli") return base;
  const probabilities = new Float64Array(f.length);
  const standardErrors = plan.samples > 0 ? new Float64Array(f.length) : undefined;
  const pointProbabilities = new Float64Array(f.length);
  const link = family === "categorical" ? softmax : (outputs: Float64Array) => outputs.map(sigmoid);
  for (let t = 0; t < terms; t++) {
    const own: TermDistribution = {
      f: f.subarray(t * C, (t + 1) * C),
      variance: variance.subarray(t * C, (t + 1) * C),
      ...(needsAll && { covariance: found.subarray(t * C * C, (t + 1) * C * C) }),
    };
    const { mean, errors } = linked(own, { plan, link, term: firstTerm + t });
    probabilities.set(mean, t * C);
    standardErrors?.set(errors!, t * C);
    pointProbabilities.set(link(own.f), t * C);
  }
  return { ...base, probabilities, standardErrors, pointProbabilities };
}

function linked(
  own: TermDistribution,
  {
    plan,
    link,
    term,
  }: { readonly plan: PredictionPlan; readonly link: (f: Float64Array) => Float64Array; readonly term: number },
): { readonly mean: Float64Array; readonly errors?: Float64Array } {
  if (plan.link === "probit") return { mean: link(probitScaled(own)) };
  if (plan.link === "bridge") return { mean: laplaceBridge(own) };
  if (plan.link === "bridgeNormalized") return { mean: laplaceBridge(own, { normalized: true }) };
  const { covariance: _, ...alone } = own;
  const sampled = monteCarlo(plan.link === "monteCarlo" ? own : alone, { ...plan, link, term });
  return { mean: sampled.mean, errors: sampled.standardErrors };
}

function diagonals(covariances: Float64Array, C: number): Float64Array {
  return Float64Array.from(
    { length: covariances.length / C },
    (_, k) => covariances[Math.floor(k / C) * C * C + (k % C) * (C + 1)],
  );
}

function joined(
  posterior: LaplacePosterior,
  parts: readonly TermPrediction[],
  { rows, plan }: { readonly rows: number; readonly plan: PredictionPlan },
): Predictions {
  const all = (of: (part: TermPrediction) => Float64Array | undefined) => concatenated(parts.map(of));
  const outputs = posterior.risk.layout.outputs;
  const f = all((part) => part.f)!;
  const variance = all((part) => part.variance)!;
  const covariance = all((part) => part.covariance);
  const [probabilities, standardErrors] = [all((part) => part.probabilities), all((part) => part.standardErrors)];
  const pointProbabilities = all((part) => part.pointProbabilities);
  const values = valueTargets(posterior) ? predictedValues(posterior, { f, variance, covariance }) : undefined;
  return {
    link: plan.link,
    rows,
    terms: f.length / outputs,
    outputs,
    f,
    variance,
    ...(plan.covariance && covariance && { covariance }),
    ...(probabilities && { probabilities }),
    ...(standardErrors && { standardErrors }),
    ...(pointProbabilities && { pointProbabilities }),
    ...(values && { values }),
    samples: plan.samples,
  };
}

function concatenated(parts: readonly (Float64Array | undefined)[]): Float64Array | undefined {
  if (parts.some((part) => part === undefined)) return undefined;
  const own = parts as readonly Float64Array[];
  const result = new Float64Array(own.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of own) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}
