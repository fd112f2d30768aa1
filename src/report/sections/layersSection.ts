import type { CurvatureReport, LayerRounding, ReportedLayer, RoundedLayer } from "../../applications/report.ts";
import { linked, offBy } from "../definitions.ts";
import { layerMeanFigure, layerTraceFigure, MOST_LAYERS, meanCurvature } from "../figures/index.ts";
import { deviationInErrors } from "../finding.ts";
import { formatCount, formatEstimate, formatNumber } from "../format.ts";
import { bytesSaved } from "../layerSensitivity.ts";
import { html, type Markup } from "../markup.ts";
import { type NamedMatrix, presentMatrices } from "../matrixText.ts";
import { dataTable } from "./dataTable.ts";

function traceCell(layer: ReportedLayer): Markup {
  const { trace, standardError, exactTrace } = layer;
  const deviation = deviationInErrors({ value: trace, standardError }, exactTrace);
  const off = deviation === undefined ? undefined : html` (${offBy(deviation)})`;
  const below =
    exactTrace === undefined ? undefined : html`<div class="exact">exact ${formatNumber(exactTrace, 6)}${off}</div>`;
  return html`${formatEstimate(trace, standardError)}${below}`;
}

function shape(dims: readonly number[]): Markup {
  return html` <span class="shape">${dims.join(" × ")}</span>`;
}

function tensorRow({ name, dims, trace, standardError }: ReportedLayer["tensors"][number]): Markup {
  const size = dims.reduce((product, dim) => product * dim, 1);
  return html`<tr class="part"><th scope="row">${name}${shape(dims)}</th><td>${formatCount(size)}</td>
<td>${formatEstimate(trace, standardError)}</td><td>${formatEstimate(trace / size, standardError / size)}</td></tr>`;
}

function layerRows(layer: ReportedLayer): readonly Markup[] {
  const mean = meanCurvature(layer);
  const only = layer.tensors.length === 1 ? layer.tensors[0] : undefined;
  const row = html`<tr><th scope="row">${layer.name}${only && shape(only.dims)}</th>
<td>${formatCount(layer.parameters)}</td><td>${traceCell(layer)}</td>
<td>${formatEstimate(mean.value, mean.standardError)}</td></tr>`;
  return [row, ...(only ? [] : layer.tensors.map(tensorRow))];
}

function layerTable({ matrix }: NamedMatrix, position: number): Markup {
  const table = dataTable(`Layers, ${matrix.title}`, {
    heads: ["Layer", "Weights", linked("trace", "Trace"), linked("mean-curvature", "Mean curvature per weight")],
    bodies: [matrix.layers.map(layerRows)],
    tall: true,
  });
  const open = position === 0 ? html` open` : undefined;
  return html`<details${open}><summary>All layers, ${matrix.title}</summary>${table}</details>`;
}

function introduction(first: NamedMatrix | undefined, count: number): Markup {
  const sensitivity = first?.text.curvatureOf
    ? "is the effect of equal disturbances of single weights"
    : "is the trace of the block divided by the layer's number of weights";
  const drawn =
    count > MOST_LAYERS
      ? ` The figures show the ${MOST_LAYERS} of ${formatCount(count)} layers with the largest mean curvature in size; the table has all.`
      : "";
  const mean = linked("mean-curvature", "mean curvature per weight");
  return html`<p>The trace of a layer's diagonal block is the layer's part of the whole trace;
the ${mean} ${sensitivity}.${drawn}</p>`;
}

function roundingRow(layer: RoundedLayer, loss: number): Markup {
  const cells = layer.changes.map(({ predicted, standardError, measured }) => {
    const share =
      loss > 0 ? html`<div class="exact">predicted ${formatEstimate(predicted, standardError)}</div>` : undefined;
    return html`<td>${signed(measured)}${share}</td>`;
  });
  return html`<tr><th scope="row">${layer.name}</th><td>${formatCount(layer.weights)}</td>${cells}<td>${formatCount(bytesSaved(layer, 4))}</td></tr>`;
}

function signed(increase: number): string {
  return `${increase < 0 ? "" : "+"}${formatNumber(increase, 3)}`;
}

/** Measured and predicted increase of the loss for each layer rounded alone. */
function roundingTable(rounding: LayerRounding | undefined): Markup | undefined {
  if (rounding === undefined || rounding.layers.length === 0) return undefined;
  const bits = rounding.layers[0]!.changes.map((change) => change.bits);
  const table = dataTable("Rounding", {
    heads: ["Layer", "Weights", ...bits.map((each) => `${each} bits`), "Bytes saved at 4 bits"],
    bodies: [rounding.layers.map((layer) => roundingRow(layer, rounding.loss))],
    tall: true,
  });
  const orders = rounding.rankCorrelations
    .filter(({ value }) => value !== undefined)
    .map(({ bits: each, value }) => `${formatNumber(value!, 2)} at ${each} bits`);
  const rank = orders.length > 0 ? ` Rank correlation of predicted and measured order: ${orders.join(", ")}.` : "";
  const omitted =
    rounding.omitted > 0 ? ` ${formatCount(rounding.omitted)} layers of smallest prediction were not measured.` : "";
  const words = linked("rounding", "one layer rounded at a time");
  return html`<h3>Rounding</h3><p>Change of the loss (${formatNumber(rounding.loss, 4)}) with ${words}, measured on these rows; below it the prediction.${rank}${omitted}</p>${table}`;
}

/** The loss with each layer rounded alone, and traces and mean curvature per weight of the layers. */
export function layersSection(report: CurvatureReport): Markup | undefined {
  const matrices = presentMatrices(report).filter(({ matrix }) => matrix.layers.length > 0);
  const count = matrices[0]?.matrix.layers.length ?? 0;
  if (count === 0) return undefined;
  const figures =
    count > 1 ? html`<div class="pair">${layerTraceFigure(matrices)}${layerMeanFigure(matrices)}</div>` : undefined;
  return html`<section id="layers"><h2>Layer by layer</h2>
${roundingTable(report.rounding)}${report.rounding ? html`<h3>Curvature</h3>` : undefined}${introduction(matrices[0], count)}${figures}${matrices.map(layerTable)}</section>`;
}
