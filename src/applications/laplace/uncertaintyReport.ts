import type { Data } from "../../data/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import type { Estimate, RunOptions } from "../../linalg/index.ts";
import { checkChoice } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { runToEnd } from "../../linalg/runs/runToEnd.ts";
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
  /** Where an earlier run with the same posterior and options stopped. */
  readonly state?: UncertaintyState | undefined;
}

/** State of a run of `uncertaintyReport`: what it has of prior, curve and scores. */
export interface UncertaintyState {
  readonly method: "uncertaintyReport";
  /** Weights of the posterior. */
  readonly columns: number;
  readonly chosen?: { readonly priorPrecision: PriorPrecision; readonly sigmaNoise: number };
  readonly curve?: readonly PriorPoint[];
  readonly calibration?: Calibration;
  readonly calibrationAtBest?: Calibration;
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

/** The posterior at the chosen prior, and its report. */
export interface ReportedPosterior {
  readonly posterior: LaplacePosterior;
  readonly report: UncertaintyReport;
}

/**
 * Chooses the prior of a posterior, scores its predictions on held-out rows before and after, and compares the choice with others: the evidence and the test loss over prior precisions. Says where the
 * evidence's choice predicts worse than another, or than no posterior at all. The posterior at the chosen prior is returned with it.
 *
 * @throws CurvatureError as `optimizePrior` and `calibration`
 */
export function uncertaintyReport(
  posterior: LaplacePosterior,
  options: UncertaintyReportOptions = {},
): Promise<ReportedPosterior> {
  return runToEnd(uncertaintyReportSteps(posterior, options));
}

/** The run of `uncertaintyReport`: yields a state after the choice of the prior, after the curve and after each scoring, from which `state` resumes it. */
export async function* uncertaintyReportSteps(
  posterior: LaplacePosterior,
  options: UncertaintyReportOptions = {},
): AsyncGenerator<UncertaintyState, ReportedPosterior, void> {
  let state = checkedState(posterior, options);
  const { test } = options;
  const chosen = await chosenPosterior(posterior, options, state);
  const { prior, likelihood } = chosen;
  if (state.chosen === undefined) {
    state = { ...state, chosen: { priorPrecision: prior.given, sigmaNoise: likelihood.sigmaNoise } };
    yield state;
  }
  if (state.curve === undefined) {
    state = { ...state, curve: await curveOf(chosen, options) };
    yield state;
  }
  if (test !== undefined && state.calibration === undefined) {
    options.onProgress?.({ stage: "predictions for test rows", done: 0 });
    state = { ...state, calibration: await scored(chosen, test, options) };
    yield state;
  }
  const best = bestOnTest(state, options);
  if (test !== undefined && best !== undefined && state.calibrationAtBest === undefined) {
    const at = await chosen.withPrior({ priorPrecision: best.priorPrecision });
    state = { ...state, calibrationAtBest: await scored(at, test, options) };
    yield state;
  }
  return { posterior: chosen, report: await reportOf(chosen, options, state) };
}

function checkedState(posterior: LaplacePosterior, options: UncertaintyReportOptions): UncertaintyState {
  checkPosterior(NAME, posterior);
  checkOptions(
    NAME,
    options,
    "prior by sigmaNoise validation test outOfDistribution link samples seed precisions state signal onProgress",
  );
  const { prior = "evidence", link, samples, seed } = options;
  checkChoice(NAME, "prior", prior, ["evidence", "validation", "given"]);
  predictionPlan(posterior, { link, samples, seed });
  const { state = { method: NAME, columns: posterior.size } } = options;
  if (state.method === NAME && state.columns === posterior.size) return state;
  throw new CurvatureError(
    "argument",
    `${NAME} expects the state of a run of its own with ${posterior.size} weights, got one of ${String(state.method)} with ${state.columns}`,
  );
}

/** Signal, progress and the options of predictions. */
function predictionOptions({ link, samples, seed, signal, onProgress }: UncertaintyReportOptions) {
  return {
    run: { ...(signal && { signal }), ...(onProgress && { onProgress }) },
    sampling: {
      ...(link && { link }),
      ...(samples !== undefined && { samples }),
      ...(seed !== undefined && { seed }),
    },
  };
}

function curveOf(chosen: LaplacePosterior, options: UncertaintyReportOptions): Promise<readonly PriorPoint[]> {
  const { link, test, precisions = usualPrecisions(), onProgress } = options;
  const { run, sampling } = predictionOptions(options);
  onProgress?.({ stage: "evidence over prior precisions", done: 0 });
  return priorCurve(chosen, {
    precisions,
    ...(test && { validation: test }),
    ...(link === "network" ? {} : sampling),
    ...run,
  });
}

function scored(at: LaplacePosterior, test: Data, options: UncertaintyReportOptions): Promise<Calibration> {
  const { outOfDistribution } = options;
  const { run, sampling } = predictionOptions(options);
  return calibration(at, test, { ...sampling, ...(outOfDistribution && { outOfDistribution }), ...run });
}

function bestOnTest({ curve }: UncertaintyState, { test }: UncertaintyReportOptions): PriorPoint | undefined {
  return test === undefined ? undefined : curve!.reduce((a, b) => (b.validationLoss! < a.validationLoss! ? b : a));
}

async function reportOf(
  chosen: LaplacePosterior,
  options: UncertaintyReportOptions,
  state: UncertaintyState,
): Promise<UncertaintyReport> {
  const { prior = "evidence", test, outOfDistribution } = options;
  const { calibration: own, calibrationAtBest: atBest } = state;
  const best = bestOnTest(state, options);
  const base = await facts(chosen, { prior, run: predictionOptions(options).run });
  const { decisions, comparisons } = remarks({ ...options, prior, own, best });
  return {
    ...base,
    curve: state.curve!,
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
}

async function chosenPosterior(
  posterior: LaplacePosterior,
  options: UncertaintyReportOptions,
  { chosen }: UncertaintyState,
): Promise<LaplacePosterior> {
  const { prior = "evidence", by = "scalar", sigmaNoise, validation = options.test, precisions, link } = options;
  if (prior === "given") return posterior;
  if (chosen !== undefined) {
    const { priorPrecision, sigmaNoise: noise } = chosen;
    const isGaussian = posterior.likelihood.family === "gaussian";
    return posterior.withPrior({ priorPrecision, ...(isGaussian && { sigmaNoise: noise }) });
  }
  if (prior === "validation" && validation === undefined) {
    throw new CurvatureError(
      "argument",
      `${NAME}: prior "validation" chooses by rows with targets; give validation or test, or take "evidence"`,
    );
  }
  const { signal, onProgress } = options;
  const { sampling } = predictionOptions(link === "network" ? { ...options, link: undefined } : options);
  onProgress?.({ stage: "choice of the prior", done: 0 });
  const found = await optimizePrior(posterior, {
    method: prior,
    ...(prior === "evidence" && { by, ...(sigmaNoise !== undefined && { sigmaNoise }) }),
    ...(prior === "validation" && { validation: validation!, ...(precisions && { precisions }), ...sampling }),
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
