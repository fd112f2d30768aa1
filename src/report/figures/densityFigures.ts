import { areaY, lineY, type PlotOptions, rect, ruleX, ruleY } from "@observablehq/plot";
import type { ReportedDensity } from "../../applications/report.ts";
import { formatNumber, formatShare } from "../format.ts";
import { html, type Markup } from "../markup.ts";
import type { NamedMatrix } from "../matrixText.ts";
import { colour, drawFigure, FIGURE_WIDTH, legendEntry } from "./drawFigure.ts";
import { linearLabel, powerLabels, wholeExponents } from "./logarithmicTicks.ts";

interface Point {
  readonly x: number;
  readonly y: number;
}

interface Curve {
  readonly series: string;
  readonly points: readonly Point[];
  readonly smoothed: readonly Point[];
  readonly ticks: readonly number[];
}

/** Gaussian kernel density of eigenvalues on a grid, each with weight 1/n: the estimated density without its error. */
export function smoothedDensity(
  eigenvalues: readonly number[],
  { grid, width }: ReportedDensity,
  count: number,
): readonly number[] {
  const height = 1 / (count * width * Math.sqrt(2 * Math.PI));
  return grid.map((x) => {
    let sum = 0;
    for (const value of eigenvalues) {
      const distance = (x - value) / width;
      if (Math.abs(distance) < 9) sum += Math.exp(-0.5 * distance * distance);
    }
    return height * sum;
  });
}

function curve(density: ReportedDensity, series: string, exact: readonly number[] | undefined, count: number): Curve {
  const points = density.grid.map((x, i) => ({ x, y: density.density[i] ?? 0 }));
  if (!exact) return { series, points, smoothed: [], ticks: [] };
  const smoothed = smoothedDensity(exact, density, count);
  return { series, points, smoothed: density.grid.map((x, i) => ({ x, y: smoothed[i] ?? 0 })), ticks: exact };
}

/** Removes positions that fall on the same half pixel. */
function distinctPositions(positions: readonly number[], [low, high]: readonly [number, number]): readonly number[] {
  const pixel = (high - low) / (2 * FIGURE_WIDTH) || 1;
  const cells = new Map(positions.map((x) => [Math.round(x / pixel), x]));
  return [...cells.values()].filter((x) => x >= low && x <= high);
}

interface DensityAxes {
  readonly x: PlotOptions["x"];
  /** Label of the density axis. */
  readonly label: string;
  /** Point on the x axis from which the estimate resolves eigenvalues; the range to its left is shaded. */
  readonly from?: number | undefined;
}

/** Exponents of ten at the lower and upper end of the density axis, which still shows a tenth of the peak of one eigenvalue. */
function densityRange(curves: readonly Curve[], smallestPeak: number): readonly [number, number] {
  const top = Math.max(...curves.flatMap(({ points, smoothed }) => [...points, ...smoothed].map(({ y }) => y)));
  const high = Math.log10(top);
  return [Math.max(Math.log10(smallestPeak) - 1, high - 10), high + 0.15];
}

function densityPlot(curves: readonly Curve[], smallestPeak: number, { x, label, from }: DensityAxes): PlotOptions {
  const [floor, top] = densityRange(curves, smallestPeak);
  const heights = wholeExponents(floor, top, 6);
  const rug = curves.some(({ ticks }) => ticks.length > 0);
  const bottom = rug ? floor - 0.08 * (top - floor) : floor;
  const drawn = (points: readonly Point[]) =>
    points.map((p) => ({ x: p.x, y: Math.log10(p.y) >= floor ? Math.log10(p.y) : Number.NaN }));
  const raised = (points: readonly Point[]) => points.map((p) => ({ x: p.x, y: Math.max(floor, Math.log10(p.y)) }));
  const xs = curves.flatMap(({ points }) => points.map((p) => p.x));
  const extent: [number, number] = [Math.min(...xs), Math.max(...xs)];
  return {
    height: 270,
    x: { domain: extent, labelAnchor: "center", labelArrow: "none", ...x },
    y: {
      domain: [bottom, top],
      label,
      labelArrow: "none",
      ticks: heights,
      tickFormat: powerLabels(heights),
      grid: true,
    },
    marks: [
      ...(from === undefined || from <= extent[0]
        ? []
        : [shade([extent[0], Math.min(from, extent[1])], [bottom, top])]),
      ruleY([bottom], { stroke: "currentColor", strokeOpacity: 0.4 }),
      ...curves.flatMap(({ series, points, smoothed, ticks }) => [
        areaY(raised(points), { x: "x", y1: floor, y2: "y", fill: colour(series), fillOpacity: 0.14 }),
        lineY(drawn(points), { x: "x", y: "y", stroke: colour(series), strokeWidth: 1.6 }),
        lineY(drawn(smoothed), { x: "x", y: "y", stroke: "currentColor", strokeWidth: 1, strokeDasharray: "3,3" }),
        ruleX(distinctPositions(ticks, extent), {
          x: (value: number) => value,
          y1: bottom,
          y2: floor - 0.01 * (top - floor),
          stroke: colour(series),
          strokeOpacity: 0.75,
          strokeWidth: 0.75,
        }),
      ]),
    ],
  };
}

function shade([x1, x2]: readonly [number, number], [y1, y2]: readonly [number, number]) {
  return rect([0], { x1, x2, y1, y2, fill: "currentColor", fillOpacity: 0.06 });
}

function exactLegend(exact: readonly number[] | undefined): Markup | undefined {
  if (!exact) return undefined;
  return html`<span class="key"><span class="swatch dashed"></span>exact, smoothed alike</span> <span class="key"><span class="swatch ticks"></span>exact eigenvalues</span>`;
}

/** Spectral density of one matrix over its eigenvalues. It shows both the share per unit and single outlying eigenvalues. */
export function linearDensityFigure({ matrix, text }: NamedMatrix, parameters: number): Markup {
  const { density } = matrix;
  const exact = density.exactEigenvalues;
  const one = 1 / (parameters * density.width * Math.sqrt(2 * Math.PI));
  const spectrum = curve(density, text.series, exact, parameters);
  const options = densityPlot([spectrum], one, {
    x: { label: "eigenvalue", ticks: 6, tickFormat: linearLabel },
    label: "share of eigenvalues per unit",
  });
  const [first, last] = [density.grid[0] ?? 0, density.grid[density.grid.length - 1] ?? 0];
  return drawFigure(options, {
    title: "Linear scale",
    description: `Spectral density of ${text.noun} for eigenvalues from ${formatNumber(first, 3)} to ${formatNumber(last, 3)}, on a logarithmic density axis.`,
    caption: html`${legendEntry(text.series, "estimate")}${exactLegend(exact)}`,
  });
}

/** Spectral density of one matrix over log10 |eigenvalue|, with separate curves for positive and negative eigenvalues. */
export function logarithmicDensityFigure({ matrix, text }: NamedMatrix, parameters: number): Markup | undefined {
  const { negative, positive, zeroMass, epsilon } = matrix.density.logarithmic;
  const { exactEigenvalues: exact, resolution } = matrix.density;
  const logarithms = (sign: 1 | -1) =>
    exact?.filter((value) => sign * value > epsilon).map((value) => Math.log10(sign * value));
  const curves = [
    curve(positive, text.series, logarithms(1), parameters),
    curve(negative, "negative", logarithms(-1), parameters),
  ].filter(({ points }) => points.some(({ y }) => y > 0));
  if (curves.length === 0) return undefined;
  const width = positive.width > 0 ? positive.width : negative.width;
  const one = 1 / (parameters * width * Math.sqrt(2 * Math.PI));
  const grid = curves.flatMap(({ points }) => points.map((p) => p.x));
  const ticks = wholeExponents(Math.min(...grid), Math.max(...grid), 8);
  const options = densityPlot(curves, one, {
    x: { label: "|eigenvalue|", ticks, tickFormat: powerLabels(ticks) },
    label: "share of eigenvalues per decade",
    from: resolution > 0 ? Math.log10(resolution) : undefined,
  });
  const below =
    zeroMass > 0
      ? `${formatShare(zeroMass)} of the eigenvalues are smaller than ${formatNumber(epsilon, 2)} in size and not drawn.`
      : "";
  const shaded = resolution > epsilon ? "Shaded: too close to zero for the estimate to tell eigenvalues apart." : "";
  const signs = curves.some(({ series }) => series === "negative")
    ? legendEntry("negative", "negative eigenvalues")
    : undefined;
  return drawFigure(options, {
    title: "Logarithmic scale",
    description: `Spectral density of ${text.noun} over the logarithm of the eigenvalue's size${signs ? ", positive and negative eigenvalues apart" : ", positive eigenvalues"}. ${shaded} ${below}`,
    caption: html`${legendEntry(text.series, "positive eigenvalues")}${signs}${exactLegend(exact)} ${shaded} ${below}`,
  });
}
