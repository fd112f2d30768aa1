import type { CurvatureReport, Quantity } from "../applications/report.ts";
import { accuracySentence, isRough, MORE_PRODUCTS } from "./eigenvalueAccuracy.ts";
import {
  capitalized,
  caution,
  deviationInErrors,
  eigenvalue,
  estimate,
  type Finding,
  finding,
  maximal,
  RESIDUALS,
  STANDARD_ERRORS,
} from "./finding.ts";
import { flatness } from "./flatness.ts";
import { formatCount, formatEstimate, formatNumber, formatSeconds, formatShare } from "./format.ts";
import { layerSensitivity } from "./layerSensitivity.ts";
import {
  exactFrobenius,
  exactTrace,
  type NamedMatrix,
  presentMatrices,
  roundingLevel,
  withPresentNames,
} from "./matrixText.ts";
import { minimum } from "./minimum.ts";

/** Finding on sharpness: the largest eigenvalue, its consequences for a step and for a learning rate, and the trace. */
export function sharpness(report: CurvatureReport): Finding | undefined {
  const named = presentMatrices(report)[0];
  const top = named && maximal(named.matrix.eigenvalues.largest);
  if (!named) return undefined;
  if (!top) return finding("sharpness", traceSentence(report, named));
  const { matrix, text } = named;
  const details = [
    text.curvatureOf && top.value > RESIDUALS * top.residualNorm ? stepSentence(report, top.value) : undefined,
    traceSentence(report, named),
    report.loss.reduction === "sum"
      ? "The loss is a sum over its terms, so every curvature grows with their number; divide by it to compare with data of another size."
      : undefined,
  ];
  if (top.residualNorm > 0.1 * Math.abs(top.value) && top.residualNorm > roundingLevel(matrix, report.dtype)) {
    const known = `The largest eigenvalue of ${text.noun} is known only roughly: ${eigenvalue(top)}, within ${formatNumber(top.residualNorm, 2)}.`;
    return caution("sharpness", known, [MORE_PRODUCTS, ...details]);
  }
  if (top.value <= roundingLevel(matrix, report.dtype)) {
    return finding("sharpness", `No direction of positive curvature was found in ${text.noun}.`, details);
  }
  if (!text.curvatureOf) {
    return finding("sharpness", `The largest eigenvalue of ${text.noun} is ${eigenvalue(top)}.`, [
      text.measures,
      ...details,
    ]);
  }
  const within = text.curvatureOf === "the loss" ? "" : ", in the linearized network";
  return finding("sharpness", `The sharpest direction has curvature ${eigenvalue(top)}${within}.`, details);
}

function stepSentence({ loss, gradient }: CurvatureReport, top: number): string {
  const value = formatNumber(loss.value, 3);
  const doubling = Math.sqrt((2 * loss.value) / top);
  const step =
    loss.value > 0
      ? `Along it a step of length ${formatNumber(doubling, 3)} adds as much as the whole loss (${value}), to second order`
      : `Along it a step of length 0.1 adds ${formatNumber(0.005 * top, 3)} to the loss (${value}), to second order`;
  const slope = gradient.norm > 0 ? ", beside the slope's share of at most |g| times the length" : "";
  return `${step}${slope}; plain gradient descent is stable along it for learning rates below 2/λ = ${formatNumber(2 / top, 3)}.`;
}

function traceSentence(report: CurvatureReport, { matrix, text }: NamedMatrix): string {
  const { value, standardError } = matrix.trace;
  const spread = `The trace of ${text.noun}, the sum of all its eigenvalues, is ${estimate(matrix.trace)}`;
  if (Math.abs(value) <= STANDARD_ERRORS * standardError && standardError > 0) {
    return `${spread}: not told from zero with this many products.`;
  }
  const perWeight = formatEstimate(value / report.model.parameters, standardError / report.model.parameters);
  const top = matrix.eigenvalues.largest.map((v) => v.value).filter((v) => v > 0);
  const share = top.reduce((sum, v) => sum + v, 0) / value;
  const held =
    matrix.psd && top.length > 0 && share > 0 && share <= 1
      ? `; the ${top.length === 1 ? "largest eigenvalue holds" : `${top.length} largest hold`} ${formatShare(share)} of it`
      : "";
  return `${spread}, on average ${perWeight} per weight${held}.`;
}

/** Finding on stationarity: the decrease of the loss by one gradient step of the safe size. */
export function stationarity(report: CurvatureReport): Finding {
  const norm = report.gradient.norm;
  if (norm === 0) return finding("gradient", "The gradient is zero: a stationary point.");
  const highest = maximal(report.matrices.hessian?.eigenvalues.largest ?? []);
  const top = highest?.value ?? 0;
  const size = `The gradient has norm ${formatNumber(norm)}`;
  if (!highest || !(top > 10 * highest.residualNorm)) return finding("gradient", `${size}.`);
  const least = norm ** 2 / (2 * top);
  const gain = `A gradient step of the safe size 1/λ = ${formatNumber(1 / top, 3)} lowers the loss by ${formatNumber(least, 2)} or more`;
  const share = report.loss.value > 0 ? least / report.loss.value : undefined;
  const part = share === undefined ? "" : ` (${formatShare(share)} of the loss)`;
  const details = [`${gain}${part}, to second order.`];
  if (share !== undefined && share > 0.01) {
    const check = "If training had ended, check that data, their scaling and the loss are those of training.";
    return caution("gradient", `${size}: the loss still falls along it.`, [...details, check]);
  }
  return finding("gradient", `${size}.`, details);
}

/** Finding on the distance of the Hessian from the Gauss-Newton matrix, which is the part due to the curvature of the network itself. */
export function gaussNewtonGap(report: CurvatureReport): Finding | undefined {
  const { hessian, ggn } = report.matrices;
  const share = report.residualShare;
  if (!hessian || !ggn) return undefined;
  const traces = traceComparison(["the Hessian", hessian.trace], ["the Gauss-Newton matrix", ggn.trace]);
  if (!share || !Number.isFinite(share.value)) return finding("gaussNewton", traces);
  const low = share.value - RESIDUALS * share.standardError;
  const high = share.value + RESIDUALS * share.standardError;
  const details = [`‖H − G‖ is ${estimate(share)} of ‖H‖ in the Frobenius norm.`, traces];
  if (high < 0.1) return finding("gaussNewton", "The Gauss-Newton matrix is close to the Hessian.", details);
  if (low > 0.5) {
    const use =
      "Take the Hessian's numbers for this loss; those of the Gauss-Newton matrix are of the linearized network.";
    return caution("gaussNewton", "The Gauss-Newton matrix is far from the Hessian.", [...details, use]);
  }
  if (high - low > 0.5) {
    const more = "More random vectors (probes, or --probes on the command line) make it better known.";
    return caution("gaussNewton", "The distance of Hessian and Gauss-Newton matrix is not well known.", [
      ...details,
      more,
    ]);
  }
  return finding("gaussNewton", "The Gauss-Newton matrix differs noticeably from the Hessian.", details);
}

function traceComparison([a, x]: readonly [string, Quantity], [b, y]: readonly [string, Quantity]): string {
  const difference = x.value - y.value;
  const error = Math.hypot(x.standardError, y.standardError);
  if (difference === 0 || Math.abs(difference) <= STANDARD_ERRORS * error) {
    return `The traces of ${a} and ${b} (${estimate(x)} and ${estimate(y)}) agree within their errors.`;
  }
  return `The trace of ${a} (${estimate(x)}) is ${difference > 0 ? "larger" : "smaller"} than that of ${b} (${estimate(y)}).`;
}

/** The matrices that equal another one for this loss; undefined if there is none. */
export function equalitySentence({ equalMatrices = [], matrices }: CurvatureReport): string | undefined {
  const [first] = equalMatrices;
  if (first === undefined) return undefined;
  const titles = equalMatrices.map(({ title }) => title);
  const worst = Math.max(...equalMatrices.map(({ difference }) => difference));
  const listed = titles.length > 1 ? `${titles.slice(0, -1).join(", ")} and ${titles.at(-1)}` : titles[0];
  const evidence = `products with a random vector differ by ${formatNumber(worst, 2)} of their size`;
  return `${listed}: equal to ${matrices[first.equals]?.words?.noun ?? first.equals} for this loss, so computed once (${evidence}).`;
}

/** Finding that compares the empirical Fisher with the matrix that it replaces, and the Fisher matrix with the Gauss-Newton matrix. */
export function fisherComparison(report: CurvatureReport): Finding | undefined {
  const { ggn, fisher2, fisher1, empiricalFisher } = report.matrices;
  const expected = fisher2 ?? fisher1;
  const noun = fisher2 ? "the Fisher matrix (type II)" : "the Fisher matrix (type I)";
  const agreement = [
    equalitySentence(report),
    ggn && expected ? traceComparison([noun, expected.trace], ["the Gauss-Newton matrix", ggn.trace]) : undefined,
    fisher1 && fisher2
      ? traceComparison(["the Fisher matrix (type I)", fisher1.trace], [noun, fisher2.trace])
      : undefined,
  ];
  const target = expected ?? ggn;
  const targetNoun = expected ? "the Fisher matrix" : "the Gauss-Newton matrix";
  if (!empiricalFisher || !target || !(target.trace.value > STANDARD_ERRORS * target.trace.standardError)) {
    const [first, ...rest] = agreement.filter((sentence) => sentence !== undefined);
    return first === undefined ? undefined : finding("fisher", first, rest);
  }
  const ratio = empiricalFisher.trace.value / target.trace.value;
  const error =
    Math.hypot(empiricalFisher.trace.standardError, ratio * target.trace.standardError) / target.trace.value;
  const details = [`Its trace is ${formatEstimate(ratio, error)} times that of ${targetNoun}.`, ...agreement];
  const low = ratio - STANDARD_ERRORS * error;
  const high = ratio + STANDARD_ERRORS * error;
  if (high < 0.5 || low > 2) {
    const use = `Where a method asks for the Fisher matrix, give it ${targetNoun}.`;
    return caution("fisher", `The empirical Fisher is a poor stand-in for ${targetNoun} here.`, [...details, use]);
  }
  if (low > 0.8 && high < 1.25) {
    const caveat = "Equal traces do not make equal eigenvectors.";
    return finding("fisher", `The empirical Fisher has about the size of ${targetNoun}.`, [...details, caveat]);
  }
  return finding("fisher", `The empirical Fisher and ${targetNoun} may differ in size.`, details);
}

/** Finding on the effective number of directions, (tr A)² / ‖A‖², which is k for k equal eigenvalues and zeros. */
export function effectiveRank(report: CurvatureReport): Finding | undefined {
  const named = presentMatrices(report).find(({ matrix }) => matrix.psd);
  if (!named) return undefined;
  const { trace, frobenius } = named.matrix;
  if (!(trace.value > 0 && frobenius.value > 0)) return undefined;
  const rank = (trace.value / frobenius.value) ** 2;
  const relative = 2 * Math.hypot(trace.standardError / trace.value, frobenius.standardError / frobenius.value);
  if (!(relative < 0.3)) return undefined;
  const all = formatCount(report.model.parameters);
  const shown = relative === 0 ? formatNumber(rank, 3) : formatEstimate(rank, rank * relative);
  const how = `(tr A)² / ‖A‖² of ${named.text.noun} is ${shown}; k equal eigenvalues among zeros would give k.`;
  return finding(
    "rank",
    `${capitalized(named.text.noun)} is spread over about ${rank < 100 ? formatCount(rank) : formatNumber(rank, 2)} of ${all} directions.`,
    [how],
  );
}

/** Finding on the cost of the numbers, their deviations from exact values, and eigenvalues that did not converge. */
export function certainty(report: CurvatureReport): Finding | undefined {
  const matrices = presentMatrices(report);
  if (matrices.length === 0) return undefined;
  const products = matrices.reduce((sum, { matrix }) => sum + matrix.matvecs, 0);
  const gradients =
    report.secondsPerGradient > 0
      ? ` (the time of ${formatCount(report.seconds / report.secondsPerGradient)} gradients)`
      : "";
  const cost = `${formatCount(products)} products with ${matrices.length === 1 ? "one matrix" : `${matrices.length} matrices`} took ${formatSeconds(report.seconds)}${gradients}.`;
  const rough = matrices.filter(({ matrix }) => isRough(matrix));
  if (rough.length > 0) {
    return caution("certainty", "Some eigenvalues are known only roughly.", [
      ...rough.map(accuracySentence),
      MORE_PRODUCTS,
      cost,
    ]);
  }
  const worst = largestDeviation(matrices);
  if (worst === undefined) return finding("certainty", eigenvaluesKnown(matrices), [cost]);
  const deviation = `${formatNumber(worst, 2)} standard errors`;
  if (worst > STANDARD_ERRORS) {
    return caution("certainty", `An estimate lies ${deviation} from its exact value.`, [
      "By chance about one estimate in 400 lies beyond three; another seed shows whether this is one.",
      cost,
    ]);
  }
  return finding("certainty", `Every trace and norm lies within ${deviation} of its exact value.`, [cost]);
}

function eigenvaluesKnown(matrices: readonly NamedMatrix[]): string {
  const converged = matrices.every(({ matrix }) => matrix.eigenvalues.status === "converged");
  return converged
    ? "All eigenvalues asked for have converged."
    : "All requested eigenvalues are known to a thousandth of the largest or better.";
}

function largestDeviation(matrices: readonly NamedMatrix[]): number | undefined {
  const deviations = matrices.flatMap(({ matrix }) => [
    deviationInErrors(matrix.trace, exactTrace(matrix)),
    deviationInErrors(matrix.frobenius, exactFrobenius(matrix)),
  ]);
  const known = deviations.filter((deviation) => deviation !== undefined).map(Math.abs);
  return known.length > 0 ? Math.max(...known) : undefined;
}

/** Finding on data that are not those of the training, if there are signs of that. */
export function dataFinding({ data }: CurvatureReport): Finding | undefined {
  const [first, ...others] = data.warnings ?? [];
  if (first === undefined) return undefined;
  const all = [first, ...others].map((warning) => `${capitalized(warning)}${warning.endsWith("?") ? "" : "."}`);
  return caution("data", "The data may not be those of the training.", [
    ...all,
    "Every number of this report is of these data: settle this first.",
  ]);
}

/** All findings of the report, most important first. Each sentence claims no more than the errors allow. */
export function findings(given: CurvatureReport): readonly Finding[] {
  const report = withPresentNames(given);
  return [
    dataFinding(report),
    flatness(report),
    sharpness(report),
    minimum(report),
    stationarity(report),
    gaussNewtonGap(report),
    fisherComparison(report),
    effectiveRank(report),
    layerSensitivity(report),
    certainty(report),
  ].filter((found) => found !== undefined);
}
