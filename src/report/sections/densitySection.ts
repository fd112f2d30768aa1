import type { CurvatureReport } from "../../applications/report.ts";
import { linked } from "../definitions.ts";
import { linearDensityFigure, logarithmicDensityFigure } from "../figures/index.ts";
import { formatShare } from "../format.ts";
import { html, type Markup } from "../markup.ts";
import { type NamedMatrix, presentMatrices } from "../matrixText.ts";

function spectrum(named: NamedMatrix, parameters: number): Markup {
  const { text, matrix } = named;
  const usable = matrix.density.density.some((y) => y > 0) && matrix.density.width > 0;
  const negative =
    matrix.density.negativeMass > 0 && !matrix.psd
      ? `, about ${formatShare(matrix.density.negativeMass)} of it at negative eigenvalues`
      : "";
  const figures = usable
    ? html`<div class="pair">${linearDensityFigure(named, parameters)}${logarithmicDensityFigure(named, parameters)}</div>`
    : html`<p>All eigenvalues are zero to rounding; there is no spectrum to draw.</p>`;
  return html`<h3><span class="swatch ${text.series}"></span>${linked(text.definition, matrix.title)}<span class="aside">${usable ? negative : ""}</span></h3>${figures}`;
}

/** Spectral density of each matrix on both eigenvalue scales, exact eigenvalues beside the estimate where they are known. */
export function densitySection(report: CurvatureReport): Markup {
  const matrices = presentMatrices(report);
  const exact = matrices.some(({ matrix }) => matrix.density.exactEigenvalues);
  const intro = html`How many eigenvalues there are of which size: the ${linked("density", "spectral density")}, on a logarithmic axis because most eigenvalues of a network are near zero and the few large ones are what matters.${exact ? " The dashed line and the ticks are exact: the matrix is small enough to be formed." : ""}`;
  return html`<section id="density"><h2>Spectrum</h2><p>${intro}</p>${matrices.map((named) => spectrum(named, report.model.parameters))}</section>`;
}
