import type { CurvatureReport, ReportedLayer } from "../../applications/report.ts";
import { linked, offBy } from "../definitions.ts";
import { layerMeanFigure, layerTraceFigure, MOST_LAYERS, meanCurvature } from "../figures/index.ts";
import { deviationInErrors } from "../finding.ts";
import { formatCount, formatEstimate, formatNumber } from "../format.ts";
import { html, type Markup } from "../markup.ts";
import { type NamedMatrix, presentMatrices } from "../matrixText.ts";

function traceCell(layer: ReportedLayer): Markup {
  const { trace, standardError, exactTrace } = layer;
  const deviation = deviationInErrors({ value: trace, standardError }, exactTrace);
  const off = deviation === undefined ? undefined : html` (${offBy(deviation)})`;
  const below =
    exactTrace === undefined ? undefined : html`<div class="exact">exact ${formatNumber(exactTrace, 6)}${off}</div>`;
  return html`<td>${formatEstimate(trace, standardError)}${below}</td>`;
}

function layerRows(layer: ReportedLayer): readonly Markup[] {
  const mean = meanCurvature(layer);
  const tensors = layer.tensors.length > 1 ? layer.tensors : [];
  const shape = layer.tensors.length === 1 ? (layer.tensors[0]?.dims.join(" × ") ?? "") : "";
  const row = html`<tr><th scope="row">${layer.name} <span class="shape">${shape}</span></th><td>${formatCount(layer.parameters)}</td>${traceCell(layer)}<td>${formatEstimate(mean.value, mean.standardError)}</td></tr>`;
  const parts = tensors.map(({ name, dims, trace, standardError }) => {
    const size = dims.reduce((product, dim) => product * dim, 1);
    return html`<tr class="part"><th scope="row">${name} <span class="shape">${dims.join(" × ")}</span></th><td>${formatCount(size)}</td><td>${formatEstimate(trace, standardError)}</td><td>${formatEstimate(trace / size, standardError / size)}</td></tr>`;
  });
  return [row, ...parts];
}

function layerTable({ matrix }: NamedMatrix, open: boolean): Markup {
  const heads = ["Layer", "Weights", linked("trace", "Trace"), linked("mean-curvature", "Mean curvature per weight")];
  const table = html`<div class="scroll tall" tabindex="0" role="region" aria-label="Layers, ${matrix.title}"><table><thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead><tbody>${matrix.layers.map(layerRows)}</tbody></table></div>`;
  return html`<details${open ? html` open` : undefined}><summary>All layers, ${matrix.title}</summary>${table}</details>`;
}

/** Per-layer traces and mean curvature per weight: which layers need their precision and which can be rounded or pruned. */
export function layersSection(report: CurvatureReport): Markup | undefined {
  const matrices = presentMatrices(report).filter(({ matrix }) => matrix.layers.length > 0);
  const count = matrices[0]?.matrix.layers.length ?? 0;
  if (count === 0) return undefined;
  const figures =
    count > 1 ? html`<div class="pair">${layerTraceFigure(matrices)}${layerMeanFigure(matrices)}</div>` : undefined;
  const drawn =
    count > MOST_LAYERS
      ? ` Drawn are the ${MOST_LAYERS} of ${formatCount(count)} layers whose mean curvature is the largest in size; the table has all.`
      : "";
  const sensitivity = matrices[0]?.text.lossCurvature
    ? "says how much the loss minds a disturbance of one of its weights, which is what decides bit widths and pruning"
    : "says the same for one of its weights";
  const intro = html`The trace of a layer's diagonal block says how much of the whole trace lies in it; the ${linked("mean-curvature", "mean curvature per weight")} ${sensitivity}.${drawn}`;
  return html`<section id="layers"><h2>Layer by layer</h2><p>${intro}</p>${figures}${matrices.map((named, i) => layerTable(named, i === 0))}</section>`;
}
