import type { Calibration, PredictiveScores } from "../applications/laplace/calibration.ts";
import type { UncertaintyReport } from "../applications/laplace/uncertaintyReport.ts";
import {
  coverageFigure,
  evidenceFigure,
  type PriorMark,
  reliabilityFigure,
  testLossFigure,
} from "./figures/uncertaintyFigures.ts";
import { formatCount, formatEstimate, formatNumber, formatShare } from "./format.ts";
import { type Content, html, type Markup, trusted } from "./markup.ts";
import { PAGE_STYLE } from "./pageStyle.ts";
import { dataRow, dataTable } from "./sections/dataTable.ts";

const CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/**
 * A report on a Laplace posterior as one self-contained HTML file: what it is, how its prior was chosen, and how well its predictions are calibrated on held-out rows
 * before and after, as figures and tables. It loads nothing and runs no script. Text from files is escaped.
 */
export function renderUncertainty(report: UncertaintyReport): string {
  const { model, data, rows, warnings, decisions } = report;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${trusted(CONTENT_POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Uncertainty of ${model}</title>
<style>${trusted(PAGE_STYLE)}</style>
</head>
<body>
<main>
<header><h1>Uncertainty of predictions</h1>
<p class="subtitle">${model} on ${formatCount(rows)} rows of ${data}: Laplace posterior of ${report.weights}.</p>
${factsList(report)}
${warnings.map((warning) => html`<p class="banner">${sentence(warning)}</p>`)}</header>
${priorSection(report)}
${report.calibration ? calibrationSection(report, report.calibration) : undefined}
${report.calibration ? intervalsSection(report.calibration) : undefined}
<section><h2>What it is made of</h2>
${dataTable("What it is made of", { heads: ["", ""], words: true, bodies: setupRows(report) })}
${decisions.length > 0 ? html`<ul class="statuses">${decisions.map((text) => html`<li>${sentence(text)}</li>`)}</ul>` : undefined}
${definitions()}</section>
</main>
</body>
</html>
`;
  return page.html;
}

function sentence(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}.`;
}

function fact(name: string, value: Content, note?: Content): Markup {
  return html`<div class="fact"><dt>${name}</dt><dd>${value}</dd>${note === undefined ? undefined : html`<dd class="note">${note}</dd>`}</div>`;
}

function factsList(report: UncertaintyReport): Markup {
  const { logMarginalLikelihood: evidence, effectiveParameters: gamma, size, calibration, likelihood } = report;
  const loss = (scores: PredictiveScores) => formatNumber(scores.negativeLogLikelihood.value, 3);
  return html`<dl class="facts">
${fact("Prior precision", precisionText(report), priorNote(report.prior))}
${likelihood.family === "gaussian" ? fact("Noise", formatNumber(likelihood.sigmaNoise, 4), "standard deviation") : undefined}
${fact("Log marginal likelihood", formatEstimate(evidence.value, evidence.standardError), "evidence, in nats")}
${fact("Effective parameters", formatEstimate(gamma.value, gamma.standardError), `of ${formatCount(size)}`)}
${calibration ? fact("Test loss", html`${loss(calibration.before)} → ${loss(calibration.after)}`, "without → with the posterior") : undefined}
</dl>`;
}

function precisionText({ priorPrecision }: UncertaintyReport): string {
  if (typeof priorPrecision === "number") return formatNumber(priorPrecision, 4);
  const values = ArrayBuffer.isView(priorPrecision)
    ? Array.from(priorPrecision as Float64Array)
    : Object.values(priorPrecision);
  const [least, most] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
  return `${formatNumber(least, 3)} to ${formatNumber(most, 3)}`;
}

function priorNote(prior: UncertaintyReport["prior"]): string {
  return { evidence: "chosen by the evidence", validation: "chosen by rows", given: "as given" }[prior];
}

function priorSection(report: UncertaintyReport): Markup {
  const { curve, calibration, bestOnTest, priorPrecision } = report;
  const chosen: PriorMark[] =
    typeof priorPrecision === "number" ? [{ precision: priorPrecision, name: "chosen", series: "series-2" }] : [];
  const best: PriorMark[] = bestOnTest
    ? [{ precision: bestOnTest.priorPrecision, name: "least test loss", series: "series-4" }]
    : [];
  const marks = [...chosen, ...best];
  return html`<section><h2>Prior</h2>
<p>The prior precision is the weight decay of the summed loss that the weights are believed to come with. The evidence says how probable the training labels are under prior and network; it is no test score.</p>
<div class="pair">${evidenceFigure(curve, marks)}${calibration ? testLossFigure(curve, { marks, before: calibration.before.negativeLogLikelihood.value }) : undefined}</div>
${dataTable("Evidence and test loss", {
  tall: true,
  heads: ["prior precision", "log marginal likelihood", ...(calibration ? ["test loss"] : [])],
  bodies: curve.map((point) =>
    dataRow(formatNumber(point.priorPrecision, 3), [
      formatEstimate(point.logMarginalLikelihood, point.standardError),
      ...(calibration ? [formatNumber(point.validationLoss!, 4)] : []),
    ]),
  ),
})}
${typeof priorPrecision === "number" || ArrayBuffer.isView(priorPrecision) ? undefined : tensorTable(priorPrecision)}</section>`;
}

function tensorTable(precisions: { readonly [tensor: string]: number }): Markup {
  return html`<h3>Chosen precision of each tensor</h3>${dataTable("Chosen precision of each tensor", {
    heads: ["tensor", "prior precision"],
    bodies: Object.entries(precisions).map(([name, value]) => dataRow(name, [formatNumber(value, 4)])),
  })}`;
}

function calibrationSection(report: UncertaintyReport, { before, after, rows, link }: Calibration): Markup {
  const { calibrationAtBest: best, bestOnTest, test, outOfDistribution } = report;
  const columns = [before, after, ...(best ? [best.after] : [])];
  const row = (name: string, of: (scores: PredictiveScores) => string | undefined) => {
    const cells = columns.map(of);
    return cells.every((cell) => cell === undefined)
      ? []
      : [
          dataRow(
            name,
            cells.map((cell) => cell ?? ""),
          ),
        ];
  };
  const classes = before.classes && after.classes;
  return html`<section><h2>Calibration on held-out rows</h2>
<p>${formatCount(rows)} rows of ${test?.description}; link ${link}.${outOfDistribution ? html` Rows of another kind: ${formatCount(outOfDistribution.rows)} of ${outOfDistribution.description}.` : undefined}</p>
${classes ? html`<div class="pair">${reliabilityFigure("Without the posterior", { bins: before.classes!.bins, series: "series-3" })}${reliabilityFigure("With the posterior", { bins: after.classes!.bins, series: "series-1" })}</div>` : undefined}
${dataTable("Scores", {
  heads: [
    "",
    "without",
    "with, chosen prior",
    ...(best ? [`with, precision ${formatNumber(bestOnTest!.priorPrecision, 3)}`] : []),
  ],
  bodies: [
    ...row("negative log-likelihood", ({ negativeLogLikelihood: { value, standardError } }) =>
      formatEstimate(value, standardError),
    ),
    ...row("accuracy", (scores) => scores.classes && formatShare(scores.classes.accuracy)),
    ...row(
      "expected calibration error",
      (scores) => scores.classes && formatNumber(scores.classes.expectedCalibrationError, 3),
    ),
    ...row("Brier score", (scores) => scores.classes && formatNumber(scores.classes.brier, 3)),
    ...row("root mean squared error", (scores) => scores.values && formatNumber(scores.values.rootMeanSquaredError, 4)),
    ...row("recognition of other rows (AUROC)", (scores) =>
      scores.outOfDistribution === undefined ? undefined : formatNumber(scores.outOfDistribution, 3),
    ),
  ],
})}</section>`;
}

function intervalsSection({ before, after }: Calibration): Markup | undefined {
  if (before.values === undefined || after.values === undefined) return undefined;
  return html`<section><h2>Intervals</h2>
<p>Central intervals for labels: noise and uncertainty of the function together.</p>
<div class="pair">${coverageFigure(before.values.intervals, after.values.intervals)}</div>
${dataTable("Coverage of intervals", {
  heads: ["level", "without: coverage", "mean width", "with: coverage", "mean width"],
  bodies: after.values.intervals.map((own, k) => {
    const without = before.values!.intervals[k]!;
    return dataRow(formatShare(own.level), [
      formatEstimate(without.coverage, without.standardError),
      formatNumber(without.width, 3),
      formatEstimate(own.coverage, own.standardError),
      formatNumber(own.width, 3),
    ]);
  }),
})}</section>`;
}

function setupRows(report: UncertaintyReport): readonly Markup[] {
  const { stationarity, likelihood } = report;
  return [
    dataRow("Weights", [`${report.weights} (${formatCount(report.size)})`]),
    dataRow("Precision", [`${report.structure}, of the ${report.matrix}`]),
    dataRow("Likelihood", [
      `${likelihood.family} (loss ${report.loss})${likelihood.temperature === 1 ? "" : `, temperature ${formatNumber(likelihood.temperature, 3)}`}`,
    ]),
    dataRow("Gradient of the joint", [
      `norm ${formatNumber(stationarity.gradientNorm, 3)}: data ${formatNumber(stationarity.dataGradientNorm, 3)}, prior ${formatNumber(stationarity.priorGradientNorm, 3)}`,
    ]),
    dataRow("Gain of a Newton step", [`${formatNumber(stationarity.newtonGain, 3)} nats`]),
  ];
}

function definitions(): Markup {
  const entries: readonly (readonly [string, string])[] = [
    [
      "Log marginal likelihood",
      "log p(labels | prior), with the posterior as a Gaussian at the trained weights: log-likelihood less half of log det P − log det P0 + θ'P0θ.",
    ],
    [
      "Effective parameters",
      "Sum of x / (x + δ) over the eigenvalues x of the curvature of the summed loss: directions that the data determine.",
    ],
    [
      "Expected calibration error",
      "Mean over 15 bins of confidence of |accuracy − confidence|, weighted by their predictions.",
    ],
    ["Brier score", "Mean squared distance of the predicted probabilities to the label."],
    [
      "AUROC",
      "Probability that a row of another kind is predicted with less confidence than a held-out row: 0.5 is guessing.",
    ],
  ];
  return html`<dl>${entries.map(([term, text]) => html`<div class="definition"><dt>${term}</dt><dd>${text}</dd></div>`)}</dl>`;
}
