import type { Data } from "../../data/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import type { Estimate, RunOptions } from "../../linalg/index.ts";
import { checkChoice } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { type Calibration, calibration } from "./calibration.ts";
import type { LaplacePosterior } from "./laplacePosterior.ts";
import type { LaplaceLikelihood } from "./likelihood.ts";
import { checkPosterior, logMarginalLikelihood } from "./logMarginalLikelihood.ts";
import { optimizePrior } from "./optimizePrior.ts";
import { predictionPlan } from "./predict.ts";
import type { Link } from "./predictions.ts";
import type { PriorPrecision } from "./prior.ts";
import { type PriorPoint, priorCurve, usualPrecisions } from "./priorCurve.ts";
import type { Stationarity } from "./stationarity.ts";

/** Options of `uncertaintyReport`. */
export interface UncertaintyReportOptions extends RunOptions {
  /** How the prior precision is chosen: by the "evidence" (default), by the loss of "validation" rows, or as it is "given". */
  readonly prior?: "evidence" | "validation" | "given" | undefined;
  /** By the evidence: one precision for all weights (default) or one for each tensor. */
  readonly by?: "scalar" | "tensor" | undefined;
  /** Whether the noise of squared errors is chosen by the evidence; default true for "evidence". */
  readonly sigmaNoise?: boolean | undefined;
  /** Rows by which "validation" chooses; default the test rows. */
  readonly validation?: Data | undefined;
  /** Held-out rows with targets, on which predictions are scored. */
  readonly test?: Data | undefined;
  /** Rows of another kind. */
  readonly outOfDistribution?: Data | undefined;
  readonly link?: Link | undefined;
  readonly samples?: number | undefined;
  readonly seed?: number | undefined;
  /** Prior precisions of the curves; default 25 from 1e-4 to 1e4. */
  readonly precisions?: readonly number[] | undefined;
}

/** A posterior, its prior and its predictions in numbers: plain data for a page or a file. */
export interface UncertaintyReport {
  readonly model: string;
  readonly loss: string;
  /** Description of the rows. */
  readonly data: string;
  readonly rows: number;
  /** The weights of the posterior, and how many. */
  readonly weights: string;
  readonly size: number;
  readonly structure: string;
  /** The matrix, in words. */
  readonly matrix: string;
  readonly likelihood: LaplaceLikelihood;
  /** The chosen prior precision. */
  readonly priorPrecision: PriorPrecision;
  readonly prior: "evidence" | "validation" | "given";
  readonly logMarginalLikelihood: Estimate;
  readonly effectiveParameters: Estimate;
  readonly stationarity: Stationarity;
  /** Evidence, and with test rows their loss, over prior precisions common to all weights. */
  readonly curve: readonly PriorPoint[];
  /** Of the curve: the precision of least test loss. */
  readonly bestOnTest?: PriorPoint;
  /** Scores of the test rows without the posterior, and with it at the chosen prior. */
  readonly calibration?: Calibration;
  /** Scores of the test rows at the precision of least test loss. */
  readonly calibrationAtBest?: Calibration;
  readonly test?: { readonly description: string; readonly rows: number };
  readonly outOfDistribution?: { readonly description: string; readonly rows: number };
  readonly decisions: readonly string[];
  readonly warnings: readonly string[];
}

const NAME = "uncertaintyReport";

/** A choice counts as worse than another if its loss is so much larger. */
const WORSE = 1.05;

/**
 * Chooses the prior of a posterior, scores its predictions on held-out rows before and after, and compares the choice with others: the evidence and the test loss over prior precisions. Says where the
 * evidence's choice predicts worse than another, or than no posterior at all. The posterior at the chosen prior is returned with it.
 *
 * @throws CurvatureError as `optimizePrior` and `calibration`
 */
export async function uncertaintyReport(
  posterior: LaplacePosterior,
  options: UncertaintyReportOptions = {},
): Promise<{ readonly posterior: LaplacePosterior; readonly report: UncertaintyReport }> {
  checkPosterior(NAME, posterior);
  checkOptions(
    NAME,
    options,
    "prior by sigmaNoise validation test outOfDistribution link samples seed precisions signal onProgress",
  );
  const { prior = "evidence", test, outOfDistribution } = options;
  checkChoice(NAME, "prior", prior, ["evidence", "validation", "given"]);
  const { signal, onProgress, link, samples, seed } = options;
  predictionPlan(posterior, { link, samples, seed });
  const chosen = await chosenPosterior(posterior, options);
  const run = { ...(signal && { signal }), ...(onProgress && { onProgress }) };
  const sampling = {
    ...(link && { link }),
    ...(samples !== undefined && { samples }),
    ...(seed !== undefined && { seed }),
  };
  const curveLink = link === "network" ? {} : sampling;
  onProgress?.({ stage: "evidence over prior precisions", done: 0 });
  const curve = await priorCurve(chosen, {
    precisions: options.precisions ?? usualPrecisions(),
    ...(test && { validation: test }),
    ...curveLink,
    ...run,
  });
  const scored = async (at: LaplacePosterior) =>
    test === undefined
      ? undefined
      : calibration(at, test, { ...sampling, ...(outOfDistribution && { outOfDistribution }), ...run });
  onProgress?.({ stage: "predictions for test rows", done: 0 });
  const own = await scored(chosen);
  const best = test === undefined ? undefined : curve.reduce((a, b) => (b.validationLoss! < a.validationLoss! ? b : a));
  const atBest = best && (await scored(await chosen.withPrior({ priorPrecision: best.priorPrecision })));
  const base = await facts(chosen, { prior, run });
  const { decisions, comparisons } = remarks({ ...options, prior, own, best });
  const report: UncertaintyReport = {
    ...base,
    curve,
    ...(best && { bestOnTest: best }),
    ...(own && { calibration: own }),
    ...(atBest && { calibrationAtBest: atBest }),
    ...(test && { test: { description: test.description, rows: test.rows } }),
    ...(outOfDistribution && {
      outOfDistribution: { description: outOfDistribution.description, rows: outOfDistribution.rows },
    }),
    decisions: [...chosen.decisions, ...decisions],
    warnings: [...chosen.warnings, ...comparisons],
  };
  return { posterior: chosen, report };
}

async function chosenPosterior(
  posterior: LaplacePosterior,
  options: UncertaintyReportOptions,
): Promise<LaplacePosterior> {
  const {
    prior = "evidence",
    by = "scalar",
    sigmaNoise,
    test,
    validation = test,
    precisions,
    link,
    samples,
    seed,
  } = options;
  const { signal, onProgress } = options;
  if (prior === "given") return posterior;
  if (prior === "validation" && validation === undefined) {
    throw new CurvatureError(
      "argument",
      `${NAME}: prior "validation" chooses by rows with targets; give validation or test, or take "evidence"`,
    );
  }
  onProgress?.({ stage: "choice of the prior", done: 0 });
  const found = await optimizePrior(posterior, {
    method: prior,
    ...(prior === "evidence" && { by, ...(sigmaNoise !== undefined && { sigmaNoise }) }),
    ...(prior === "validation" && {
      validation: validation!,
      ...(precisions && { precisions }),
      ...(link && link !== "network" && { link }),
      ...(samples !== undefined && { samples }),
      ...(seed !== undefined && { seed }),
    }),
    ...(signal && { signal }),
  });
  return found.posterior!;
}

async function facts(
  posterior: LaplacePosterior,
  { prior, run }: { readonly prior: UncertaintyReport["prior"]; readonly run: RunOptions },
) {
  const { risk, fit, of, likelihood, stationarity } = posterior;
  const { signal } = run;
  const { value, standardError } = await logMarginalLikelihood(posterior, { ...(signal && { signal }) });
  const gamma = await posterior.precision.effectiveParameters();
  return {
    model: risk.model.name,
    loss: risk.lossFunction.name,
    data: risk.data.description,
    rows: fit.rows,
    weights: posterior.weights,
    size: posterior.size,
    structure: posterior.structure,
    matrix: matrixText(of),
    likelihood,
    priorPrecision: posterior.prior.given,
    prior,
    logMarginalLikelihood: { value, standardError },
    effectiveParameters: { value: gamma.value, standardError: gamma.standardError },
    stationarity,
  };
}

function matrixText(of: LaplacePosterior["of"]): string {
  if (of === "ggn") return "Gauss-Newton matrix";
  return of === "empiricalFisher" ? "empirical Fisher matrix" : `Fisher matrix of type ${of.type}`;
}

/** What a reader should know of the choice beside its number. */
function remarks(request: {
  readonly prior: UncertaintyReport["prior"];
  readonly validation?: Data | undefined;
  readonly link?: Link | undefined;
  readonly own: Calibration | undefined;
  readonly best: PriorPoint | undefined;
}): { readonly decisions: readonly string[]; readonly comparisons: readonly string[] } {
  const { prior, validation, link, own, best } = request;
  const [decisions, comparisons]: [string[], string[]] = [[], []];
  if (prior === "validation" && validation === undefined) {
    decisions.push("the prior was chosen on the test rows themselves, whose scores are then too good");
  }
  if (link === "network") decisions.push("the test loss over prior precisions is that of linearized predictions");
  if (own === undefined || best === undefined) return { decisions, comparisons };
  const [after, before] = [own.after.negativeLogLikelihood.value, own.before.negativeLogLikelihood.value];
  const { validationLoss } = best;
  const by = prior === "evidence" ? "the evidence chose" : "was taken";
  if (isWorse(after, validationLoss!) && link !== "network") {
    comparisons.push(
      `the prior precision that ${by} predicts worse than another: test loss ${after.toPrecision(4)}, and ${validationLoss!.toPrecision(4)} at a precision of ${best.priorPrecision.toPrecision(3)}; the evidence is no test score`,
    );
  }
  if (isWorse(after, before)) {
    comparisons.push(
      `predictions with the posterior are worse than those without: test loss ${after.toPrecision(4)} against ${before.toPrecision(4)}; the weights are too uncertain for these rows, which is so where they were trained without this prior`,
    );
  }
  return { decisions, comparisons };
}

function isWorse(loss: number, other: number): boolean {
  return (
    loss > other && (loss > WORSE * Math.abs(other) || (other < 0 && loss - other > (WORSE - 1) * Math.abs(other)))
  );
}
