import { dot, ruleX, ruleY } from "@observablehq/plot";
import type { ReportedLayer } from "../../applications/report.ts";
import { formatEstimate, shortened } from "../format.ts";
import { html, type Markup } from "../markup.ts";
import type { NamedMatrix } from "../matrixText.ts";
import { colour, drawFigure, legendEntry } from "./drawFigure.ts";
import { linearLabel, logarithmicScale } from "./logarithmicTicks.ts";

/** Largest number of layers in a figure; the table has all. */
export const MOST_LAYERS = 30;

interface LayerValue {
  readonly row: string;
  readonly value: number;
  readonly standardError: number;
  readonly offset: number;
  readonly series: string;
}

type Measure = (layer: ReportedLayer) => { readonly value: number; readonly standardError: number };

/** Trace of the layer's diagonal block. */
export const layerTrace: Measure = ({ trace, standardError }) => ({ value: trace, standardError });

/** Trace of the layer's diagonal block over its number of weights. */
export const meanCurvature: Measure = ({ trace, standardError, parameters }) => ({
  value: trace / parameters,
  standardError: standardError / parameters,
});

/** Indices of the layers to draw, in the order of the network: those of largest mean curvature in size. */
export function drawnLayers(layers: readonly ReportedLayer[], most = MOST_LAYERS): readonly number[] {
  const bySize = layers.map((layer, i) => [Math.abs(meanCurvature(layer).value), i] as const);
  const chosen = bySize.filter(([size]) => Number.isFinite(size)).sort((a, b) => b[0] - a[0]);
  return chosen
    .slice(0, most)
    .map(([, i]) => i)
    .sort((a, b) => a - b);
}

function layerValues(matrices: readonly NamedMatrix[], drawn: readonly number[], measure: Measure): LayerValue[] {
  return matrices.flatMap(({ matrix, text }, m) =>
    drawn.flatMap((i) => {
      const layer = matrix.layers[i];
      const offset = 8 * (m - (matrices.length - 1) / 2);
      return layer ? [{ row: String(i), ...measure(layer), offset, series: text.series }] : [];
    }),
  );
}

/** Removes the common leading folders (up to a dot or slash) of all names. */
export function distinctPart(names: readonly string[]): readonly string[] {
  const first = names[0] ?? "";
  let shared = names.length > 1 ? first.length : 0;
  for (const name of names) while (!name.startsWith(first.slice(0, shared))) shared--;
  const cut = Math.max(first.lastIndexOf(".", shared - 1), first.lastIndexOf("/", shared - 1)) + 1;
  return shared > 0 ? names.map((name) => name.slice(cut)) : names;
}

/** Names for an axis: the parts that differ, with the word "layer" before a bare number. */
function axisNames(names: readonly string[]): readonly string[] {
  return distinctPart(names).map((name) => (/^\d+$/.test(name) ? `layer ${name}` : shortened(name, 28)));
}

function figure(matrices: readonly NamedMatrix[], measure: Measure, title: string, label: string): Markup | undefined {
  const layers = matrices[0]?.matrix.layers ?? [];
  const drawn = drawnLayers(layers);
  const values = layerValues(matrices, drawn, measure);
  if (values.length === 0) return undefined;
  const names = axisNames(drawn.map((i) => layers[i]?.name ?? ""));
  const scale = logarithmicScale(values.map(({ value }) => value));
  const low = (v: LayerValue) =>
    Math.max(scale ? scale.domain[0] : Number.NEGATIVE_INFINITY, v.value - 2 * v.standardError);
  const high = (v: LayerValue) =>
    Math.min(scale ? scale.domain[1] : Number.POSITIVE_INFINITY, v.value + 2 * v.standardError);
  const options = {
    height: 72 + drawn.length * (16 + 8 * matrices.length),
    marginTop: 12,
    marginRight: 28,
    marginLeft: 24 + 7 * Math.max(...names.map(({ length }) => length)),
    x: {
      label,
      labelAnchor: "center" as const,
      labelArrow: "none" as const,
      grid: true,
      ...(scale ?? { ticks: 5, tickFormat: linearLabel, zero: true, nice: true }),
    },
    y: {
      type: "band" as const,
      domain: drawn.map(String),
      tickFormat: (row: string) => names[drawn.indexOf(Number(row))] ?? "",
      label: null,
      tickSize: 0,
      grid: true,
      padding: 0.1,
    },
    marks: [
      ...(scale ? [] : [ruleX([0], { stroke: "currentColor", strokeOpacity: 0.5 })]),
      ...groups(values).map(([stroke, dy, group]) =>
        ruleY(group, { y: "row", x1: low, x2: high, stroke, strokeWidth: 1.5, dy }),
      ),
      ...groups(values).map(([fill, dy, group]) => {
        const title = (v: LayerValue) => `${layers[Number(v.row)]?.name}: ${formatEstimate(v.value, v.standardError)}`;
        return dot(group, { y: "row", x: "value", fill, r: 3.5, dy, title });
      }),
    ],
  };
  const spoken = drawn.slice(0, 10).map((i) => {
    const { value, standardError } = measure(layers[i] as ReportedLayer);
    return `${layers[i]?.name}: ${formatEstimate(value, standardError)}`;
  });
  return drawFigure(options, {
    title,
    description: `${matrices[0]?.matrix.title}: ${spoken.join(", ")}${drawn.length > 10 ? " and more, in the table" : ""}.`,
    caption: html`${matrices.map(({ text, matrix }) => legendEntry(text.series, matrix.title))}Bars: two standard errors.`,
  });
}

/** The values of one matrix with its own colour and vertical shift. */
function groups(values: readonly LayerValue[]): readonly (readonly [string, number, LayerValue[]])[] {
  return [...new Set(values.map(({ series }) => series))].map((series) => {
    const group = values.filter((value) => value.series === series);
    return [colour(series), group[0]?.offset ?? 0, group];
  });
}

/** Trace of each layer's diagonal block for all matrices. */
export function layerTraceFigure(matrices: readonly NamedMatrix[]): Markup | undefined {
  return figure(matrices, layerTrace, "Trace of each layer", "trace");
}

/** Mean curvature per weight of each layer for all matrices. */
export function layerMeanFigure(matrices: readonly NamedMatrix[]): Markup | undefined {
  return figure(matrices, meanCurvature, "Mean curvature per weight", "trace / weights");
}
