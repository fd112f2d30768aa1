import type { Data } from "../../data/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import type { RunOptions } from "../../linalg/index.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { functionDistributions } from "./functionDistribution.ts";
import { labelLosses } from "./labelLosses.ts";
import type { LaplacePosterior } from "./laplacePosterior.ts";
import { checkPosterior, logMarginalLikelihood } from "./logMarginalLikelihood.ts";
import { predictionPlan, termPredictions } from "./predict.ts";
import type { Link } from "./predictions.ts";

/** Options of `priorCurve`. */
export interface PriorCurveOptions extends RunOptions {
  /** Prior precisions, each common to all weights; default 25 from 1e-4 to 1e4. */
  readonly precisions?: readonly number[] | undefined;
  /** Rows with targets, whose loss is computed at each precision. */
  readonly validation?: Data | undefined;
  /** Link of the predictions; default that of `predict`. "network" is not offered here: it would sample networks for each precision. */
  readonly link?: Link | undefined;
  readonly samples?: number | undefined;
  readonly seed?: number | undefined;
}

/** Evidence and validation loss at one prior precision. */
export interface PriorPoint {
  readonly priorPrecision: number;
  readonly logMarginalLikelihood: number;
  /** Of the evidence; 0 where it is exact. */
  readonly standardError: number;
  /** Mean negative log-likelihood of the validation rows' labels under the predictive distribution, in nats. */
  readonly validationLoss?: number;
}

const NAME = "priorCurve";

/** 25 precisions from 1e-4 to 1e4 at equal ratios. */
export function usualPrecisions(): readonly number[] {
  return Array.from({ length: 25 }, (_, k) => 10 ** (-4 + k / 3));
}

/**
 * The evidence, and a validation loss, over prior precisions. Eigenvalues or Lanczos runs are computed once for all precisions, and the Jacobians of the validation rows once: one pass
 * over them in all.
 *
 * @throws CurvatureError "argument" for options it cannot take
 */
export async function priorCurve(
  posterior: LaplacePosterior,
  options: PriorCurveOptions = {},
): Promise<readonly PriorPoint[]> {
  checkPosterior(NAME, posterior);
  checkOptions(NAME, options, "precisions validation link samples seed signal onProgress");
  const { precisions = usualPrecisions(), validation, link, samples, seed, ...run } = options;
  if (precisions.length === 0) throw new CurvatureError("argument", `${NAME} expects at least one precision, got none`);
  if (link === "network") throw new CurvatureError("argument", `${NAME} takes a link other than "network"`);
  const moved: LaplacePosterior[] = [];
  for (const priorPrecision of precisions) moved.push(await posterior.withPrior({ priorPrecision }));
  const losses =
    validation === undefined ? undefined : await validationLosses(moved, validation, { link, samples, seed, ...run });
  const curve: PriorPoint[] = [];
  for (const [k, at] of moved.entries()) {
    const { value, standardError } = await logMarginalLikelihood(at);
    curve.push({
      priorPrecision: precisions[k],
      logMarginalLikelihood: value,
      standardError,
      ...(losses && { validationLoss: losses[k] }),
    });
  }
  return curve;
}

async function validationLosses(
  moved: readonly LaplacePosterior[],
  validation: Data,
  { link, samples, seed, ...run }: RunOptions & Pick<PriorCurveOptions, "link" | "samples" | "seed">,
): Promise<readonly number[]> {
  checkTargets(NAME, validation);
  const plan = predictionPlan(moved[0], { link, samples, seed });
  const sums = moved.map(() => 0);
  let [weight, firstTerm] = [0, 0];
  for await (const distribution of functionDistributions(moved[0], validation, run)) {
    let counted = 0;
    for (const [k, at] of moved.entries()) {
      const predicted = await termPredictions(at, distribution, { plan, firstTerm });
      const found = await labelLosses(at, predicted, distribution);
      sums[k] += found.sum;
      counted = found.weight;
    }
    weight += counted;
    firstTerm += distribution.f.length / moved[0].risk.layout.outputs;
  }
  return sums.map((sum) => sum / weight);
}

/** @throws CurvatureError "data" for rows without targets */
export function checkTargets(name: string, data: Data): void {
  if (data.targets !== undefined) return;
  throw new CurvatureError("data", `${name} expects rows with targets, but ${data.description} has none`);
}
