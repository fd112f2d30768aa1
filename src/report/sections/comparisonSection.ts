import type { CurvatureReport, Quantity, ReportedEigenvalue } from "../../applications/report.ts";
import { definitionNamed, linked, offBy } from "../definitions.ts";
import { largestEigenvaluesFigure, smallestEigenvaluesFigure } from "../figures/index.ts";
import { deviationInErrors } from "../finding.ts";
import { equalitySentence } from "../findings.ts";
import { formatEigenvalue, formatEstimate, formatNumber } from "../format.ts";
import { type Content, html, type Markup } from "../markup.ts";
import { exactFrobenius, exactTrace, type NamedMatrix, presentMatrices, roundingLevel } from "../matrixText.ts";
import { dataRow, dataTable, seriesName } from "./dataTable.ts";

const COLUMNS = 3;

type End = "largest" | "smallest";

/** A number with its error and, if the exact value is known, that value and the deviation of the estimate below it. */
function quantityCell(quantity: Quantity, exact: number | undefined): Markup {
  const deviation = deviationInErrors(quantity, exact);
  const off = deviation === undefined ? undefined : html` (${offBy(deviation)})`;
  const below = exact === undefined ? undefined : html`<div class="exact">exact ${formatNumber(exact, 6)}${off}</div>`;
  const mark = quantity.exact ? html`<div class="exact">exact</div>` : undefined;
  return html`${formatEstimate(quantity.value, quantity.standardError)}${below}${mark}`;
}

function shown(v: ReportedEigenvalue | undefined): string {
  return v ? formatEigenvalue(v.value, v.residualNorm) : "–";
}

function row({ text, matrix }: NamedMatrix): Markup {
  const { largest, smallest } = matrix.eigenvalues;
  const bottom = smallest[0];
  const residual = bottom ? html`<div class="exact">residual ${formatNumber(bottom.residualNorm, 2)}</div>` : undefined;
  const name = html`${linked(definitionNamed(text.definition), matrix.title)} <span class="symbol">${text.symbol}</span>`;
  return dataRow(seriesName(text.series, name), [
    quantityCell(matrix.trace, exactTrace(matrix)),
    quantityCell(matrix.frobenius, exactFrobenius(matrix)),
    ...Array.from({ length: COLUMNS }, (_, i) => shown(largest[i])),
    html`${shown(bottom)}${residual}`,
  ]);
}

function eigenvalueCell({ matrix }: NamedMatrix, end: End, i: number): Content {
  const found = matrix.eigenvalues[end][i];
  if (!found) return "–";
  const inwards = end === "largest" ? -1 : 1;
  const exact = [...(matrix.eigenvalues.exact?.[end] ?? [])].sort((a, b) => inwards * (a - b))[i];
  const below = exact === undefined ? undefined : html`<div class="exact">exact ${formatNumber(exact, 6)}</div>`;
  return html`${shown(found)} <span class="residual">± ${formatNumber(found.residualNorm, 1)}</span>${below}`;
}

function eigenvalueRows(matrices: readonly NamedMatrix[], end: End): readonly Markup[] {
  const count = Math.max(0, ...matrices.map(({ matrix }) => matrix.eigenvalues[end].length));
  const cells = (i: number) => matrices.map((named) => eigenvalueCell(named, end, i));
  return Array.from({ length: count }, (_, i) => dataRow(`${end} ${i + 1}`, cells(i)));
}

function eigenvalueTable(matrices: readonly NamedMatrix[]): Markup {
  const table = dataTable("All eigenvalues found", {
    heads: ["rank", ...matrices.map(({ matrix }) => matrix.title)],
    bodies: [eigenvalueRows(matrices, "largest"), eigenvalueRows(matrices, "smallest")],
  });
  const summary = html`All eigenvalues found, with their ${linked("eigenvalue", "residuals")}`;
  return html`<details><summary>${summary}</summary>${table}</details>`;
}

/** Comparison of the matrices: trace, norm and outer eigenvalues as a table, the eigenvalues also as figures. */
export function comparisonSection(report: CurvatureReport): Markup {
  const matrices = presentMatrices(report);
  const rounding = Math.max(0, ...matrices.map(({ matrix }) => roundingLevel(matrix, report.dtype)));
  const ends = ["λ₁", "λ₂", "λ₃", linked("eigenvalue", "Smallest")];
  const table = dataTable("Matrices", {
    heads: ["Matrix", linked("trace", "Trace"), linked("frobenius", "Frobenius norm"), ...ends],
    bodies: [matrices.map(row)],
  });
  const equal = equalitySentence(report);
  return html`<section id="matrices"><h2>${matrices.length > 1 ? "The matrices side by side" : "The matrix"}</h2>
${table}${equal === undefined ? undefined : html`<p>${equal}</p>`}
<div class="pair">${largestEigenvaluesFigure(matrices)}${smallestEigenvaluesFigure(matrices, rounding)}</div>
${eigenvalueTable(matrices)}</section>`;
}
