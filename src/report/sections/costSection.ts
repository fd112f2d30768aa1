import type { CurvatureReport } from "../../applications/report.ts";
import { linked } from "../definitions.ts";
import { formatCount, formatEstimate, formatNumber, formatSeconds } from "../format.ts";
import { html, type Markup } from "../markup.ts";
import { type NamedMatrix, presentMatrices } from "../matrixText.ts";

function gradients(seconds: number, secondsPerGradient: number): string {
  return secondsPerGradient > 0 ? formatCount(seconds / secondsPerGradient) : "–";
}

function row({ text, matrix }: NamedMatrix, report: CurvatureReport): Markup {
  const { trace, frobenius, eigenvalues, density } = matrix;
  const relative = trace.value === 0 ? "–" : formatNumber(Math.abs(trace.standardError / trace.value) * 100, 2);
  const certainty = trace.standardError === 0 ? "exact" : `${relative} %`;
  return html`<tr><th scope="row"><span class="swatch ${text.series}"></span>${linked(text.definition, matrix.title)}</th><td>${formatCount(trace.matvecs)}</td><td>${formatCount(frobenius.matvecs)}</td><td>${formatCount(eigenvalues.matvecs)}</td><td>${formatCount(density.matvecs)}</td><td>${formatCount(matrix.matvecs)}</td><td>${formatSeconds(matrix.seconds)}</td><td>${gradients(matrix.seconds, report.secondsPerGradient)}</td><td>${certainty}</td></tr>`;
}

function statuses(matrices: readonly NamedMatrix[]): Markup {
  return html`<ul class="statuses">${matrices.map(({ matrix }) => html`<li>${matrix.title}, eigenvalues: ${matrix.eigenvalues.message}</li>`)}</ul>`;
}

/** What each number cost and how sure it is. */
export function costSection(report: CurvatureReport): Markup {
  const matrices = presentMatrices(report);
  const heads = [
    "Matrix",
    "trace",
    "norm",
    "eigenvalues",
    "density",
    "all",
    "time",
    linked("product", "in gradients"),
    linked("standard-error", "error of the trace"),
  ];
  const intro = html`In ${linked("product", "products")} with the matrix; where one sample serves several numbers, it counts once in “all”. One gradient over the data takes ${formatSeconds(report.secondsPerGradient)}; the whole report took ${formatSeconds(report.seconds)}, the time of ${gradients(report.seconds, report.secondsPerGradient)} gradients.`;
  const share = report.residualShare;
  const gap = share
    ? html`<p>${linked("gap", "‖H − G‖ / ‖H‖")} = ${formatEstimate(share.value, share.standardError)}, from ${formatCount(share.matvecs)} products.</p>`
    : undefined;
  return html`<section id="cost"><h2>What it cost</h2><p>${intro}</p>
<div class="scroll" tabindex="0" role="region" aria-label="Cost"><table><thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead><tbody>${matrices.map((named) => row(named, report))}</tbody></table></div>${gap}${statuses(matrices)}</section>`;
}
