import type { CurvatureReport } from "../../applications/report.ts";
import { definitionNamed, linked } from "../definitions.ts";
import { linearDensityFigure, logarithmicDensityFigure } from "../figures/index.ts";
import { formatCount, formatNumber, formatShare } from "../format.ts";
import { html, type Markup } from "../markup.ts";
import { type NamedMatrix, presentMatrices, roundingLevel } from "../matrixText.ts";
import { seriesName } from "./dataTable.ts";

function figures(named: NamedMatrix, parameters: number): Markup {
  const { density } = named.matrix;
  if (!(density.width > 0 && density.density.some((y) => y > 0))) {
    return html`<p>All eigenvalues are zero to rounding; there is no spectrum to draw.</p>`;
  }
  const linear = linearDensityFigure(named, parameters);
  return html`<div class="pair">${linear}${logarithmicDensityFigure(named, parameters)}</div>`;
}

function spectrum(named: NamedMatrix, { model: { parameters }, dtype }: CurvatureReport): Markup {
  const { text, matrix } = named;
  const { negativeMass, resolution } = matrix.density;
  const negative =
    negativeMass > 0 && !matrix.psd
      ? html`<p class="aside">About ${formatShare(negativeMass)} of the eigenvalues lie below ${formatNumber(-resolution, 2)}, the size from which the estimate tells them from zero.${counted(named, dtype)}</p>`
      : undefined;
  const title = seriesName(text.series, linked(definitionNamed(text.definition), matrix.title));
  return html`<h3>${title}</h3>${negative}${figures(named, parameters)}`;
}

/** The number of eigenvalues that are negative beyond rounding, if they are known. */
function counted({ matrix }: NamedMatrix, dtype: CurvatureReport["dtype"]): string {
  const exact = matrix.density.exactEigenvalues;
  if (exact === undefined) return "";
  const below = exact.filter((value) => value < -roundingLevel(matrix, dtype)).length;
  return ` Exactly, ${formatCount(below)} of ${formatCount(exact.length)} are negative beyond rounding; the others are closer to zero than the estimate resolves.`;
}

/** Spectral density of each matrix on both eigenvalue scales, with the exact eigenvalues if they are known. */
export function densitySection(report: CurvatureReport): Markup {
  const matrices = presentMatrices(report);
  const exact = matrices.some(({ matrix }) => matrix.density.exactEigenvalues)
    ? " The dashed line and the ticks are exact, since the matrix is small enough to be formed."
    : "";
  const spectra = matrices.map((named) => spectrum(named, report));
  return html`<section id="density"><h2>Spectrum</h2>
<p>How many eigenvalues there are of which size: the ${linked("density", "spectral density")}, on a logarithmic axis because
most eigenvalues of a network are near zero and the few large ones are what matters.${exact}</p>${spectra}</section>`;
}
