import type { CurvatureReport } from "../../applications/report.ts";
import { definitionNamed, linked } from "../definitions.ts";
import { accuracySentence } from "../eigenvalueAccuracy.ts";
import { formatCount, formatEstimate, formatNumber, formatSeconds } from "../format.ts";
import { html, type Markup } from "../markup.ts";
import { type NamedMatrix, presentMatrices } from "../matrixText.ts";
import { dataRow, dataTable, seriesName } from "./dataTable.ts";

function gradients(seconds: number, secondsPerGradient: number): string {
  return secondsPerGradient > 0 ? formatCount(seconds / secondsPerGradient) : "–";
}

function relativeError({ value, standardError }: { readonly value: number; readonly standardError: number }): string {
  if (standardError === 0) return "exact";
  return value === 0 ? "–" : `${formatNumber(Math.abs(standardError / value) * 100, 2)} %`;
}

function row({ text, matrix }: NamedMatrix, secondsPerGradient: number): Markup {
  const { trace, frobenius, eigenvalues, density } = matrix;
  const products = [trace, frobenius, eigenvalues, density, matrix].map(({ matvecs }) => formatCount(matvecs));
  return dataRow(seriesName(text.series, linked(definitionNamed(text.definition), matrix.title)), [
    ...products,
    formatSeconds(matrix.seconds),
    gradients(matrix.seconds, secondsPerGradient),
    relativeError(trace),
  ]);
}

function introduction({ secondsPerGradient, seconds }: CurvatureReport): Markup {
  const whole = `the whole report took ${formatSeconds(seconds)}, the time of ${gradients(seconds, secondsPerGradient)} gradients`;
  return html`<p>Costs in ${linked("product", "products")} with the matrix. A sample that serves several numbers counts once
in “all”. One gradient over the data takes ${formatSeconds(secondsPerGradient)}; ${whole}.</p>`;
}

function gap({ residualShare: share }: CurvatureReport): Markup | undefined {
  if (!share) return undefined;
  const value = formatEstimate(share.value, share.standardError);
  return html`<p>${linked("gap", "‖H − G‖ / ‖H‖")} = ${value}, from ${formatCount(share.matvecs)} products.</p>`;
}

/** The cost and the accuracy of each number. */
export function costSection(report: CurvatureReport): Markup {
  const matrices = presentMatrices(report);
  const table = dataTable("Cost", {
    heads: [
      ...["Matrix", "trace", "norm", "eigenvalues", "density", "all", "time"],
      linked("product", "in gradients"),
      linked("standard-error", "error of the trace"),
    ],
    bodies: [matrices.map((named) => row(named, report.secondsPerGradient))],
  });
  const messages = matrices.map((named) => html`<li>${accuracySentence(named)}</li>`);
  return html`<section id="cost"><h2>What it cost</h2>
${introduction(report)}${table}${gap(report)}<p>Accuracy of the eigenvalues, from their ${linked("eigenvalue", "residuals")}:</p><ul class="statuses">${messages}</ul></section>`;
}
