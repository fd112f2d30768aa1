import type { CurvatureReport, Quantity } from "../../applications/report.ts";
import { linked, offBy } from "../definitions.ts";
import { largestEigenvaluesFigure, smallestEigenvaluesFigure } from "../figures/index.ts";
import { deviationInErrors } from "../finding.ts";
import { formatEigenvalue, formatEstimate, formatNumber } from "../format.ts";
import { html, type Markup } from "../markup.ts";
import { exactFrobenius, exactTrace, type NamedMatrix, presentMatrices, roundingLevel } from "../matrixText.ts";

const COLUMNS = 3;

/** A number with its error; below it the exact value and how far off the estimate is, where that is known. */
function quantityCell(quantity: Quantity, exact: number | undefined): Markup {
  const deviation = deviationInErrors(quantity, exact);
  const off = deviation === undefined ? undefined : html` (${offBy(deviation)})`;
  const below = exact === undefined ? undefined : html`<div class="exact">exact ${formatNumber(exact, 6)}${off}</div>`;
  const mark = quantity.exact ? html`<div class="exact">exact</div>` : undefined;
  return html`<td>${formatEstimate(quantity.value, quantity.standardError)}${below}${mark}</td>`;
}

function row({ text, matrix }: NamedMatrix): Markup {
  const { largest, smallest } = matrix.eigenvalues;
  const top = Array.from({ length: COLUMNS }, (_, i) => largest[i]);
  const bottom = smallest[0];
  const cell = (v: (typeof top)[number]) => html`<td>${v ? formatEigenvalue(v.value, v.residualNorm) : "–"}</td>`;
  const residual = bottom ? html`<div class="exact">residual ${formatNumber(bottom.residualNorm, 2)}</div>` : undefined;
  return html`<tr><th scope="row"><span class="swatch ${text.series}"></span>${linked(text.definition, matrix.title)} <span class="symbol">${text.symbol}</span></th>${quantityCell(matrix.trace, exactTrace(matrix))}${quantityCell(matrix.frobenius, exactFrobenius(matrix))}${top.map(cell)}<td>${bottom ? formatEigenvalue(bottom.value, bottom.residualNorm) : "–"}${residual}</td></tr>`;
}

function eigenvalueCell({ matrix }: NamedMatrix, end: "largest" | "smallest", i: number): Markup {
  const found = matrix.eigenvalues[end][i];
  if (!found) return html`<td>–</td>`;
  // Exact values come largest first; the smallest are read from their end.
  const exact = [...(matrix.eigenvalues.exact?.[end] ?? [])].sort((a, b) => (end === "largest" ? b - a : a - b))[i];
  const below = exact === undefined ? undefined : html`<div class="exact">exact ${formatNumber(exact, 6)}</div>`;
  return html`<td>${formatEigenvalue(found.value, found.residualNorm)} <span class="residual">± ${formatNumber(found.residualNorm, 1)}</span>${below}</td>`;
}

function eigenvalueRows(matrices: readonly NamedMatrix[], end: "largest" | "smallest"): readonly Markup[] {
  const count = Math.max(0, ...matrices.map(({ matrix }) => matrix.eigenvalues[end].length));
  return Array.from({ length: count }, (_, i) => {
    const cells = matrices.map((named) => eigenvalueCell(named, end, i));
    return html`<tr><th scope="row">${end} ${i + 1}</th>${cells}</tr>`;
  });
}

function eigenvalueTable(matrices: readonly NamedMatrix[]): Markup {
  const heads = matrices.map(({ matrix }) => html`<th scope="col">${matrix.title}</th>`);
  return html`<details><summary>All eigenvalues found, with their ${linked("eigenvalue", "residuals")}</summary>
<div class="scroll" tabindex="0" role="region" aria-label="All eigenvalues found"><table><thead><tr><th scope="col">rank</th>${heads}</tr></thead><tbody>${eigenvalueRows(matrices, "largest")}</tbody><tbody>${eigenvalueRows(matrices, "smallest")}</tbody></table></div></details>`;
}

/** The matrices beside each other: trace, norm and outer eigenvalues as a table, the eigenvalues also as figures. */
export function comparisonSection(report: CurvatureReport): Markup {
  const matrices = presentMatrices(report);
  const rounding = Math.max(0, ...matrices.map(({ matrix }) => roundingLevel(matrix, report.dtype)));
  const heads = [
    linked("trace", "Trace"),
    linked("frobenius", "Frobenius norm"),
    "λ₁",
    "λ₂",
    "λ₃",
    linked("eigenvalue", "Smallest"),
  ];
  const several = matrices.length > 1;
  return html`<section id="matrices"><h2>${several ? "The matrices side by side" : "The matrix"}</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Matrices"><table><thead><tr><th scope="col">Matrix</th>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead><tbody>${matrices.map(row)}</tbody></table></div>
<div class="pair">${largestEigenvaluesFigure(matrices)}${smallestEigenvaluesFigure(matrices, rounding)}</div>
${eigenvalueTable(matrices)}</section>`;
}
