import { dot, lineY, rectY, ruleX, ruleY } from "@observablehq/plot";
import type { ReportedEigenvalue } from "../../applications/report.ts";
import { formatEigenvalue } from "../format.ts";
import { html, type Markup } from "../markup.ts";
import { type NamedMatrix, placeOf } from "../matrixText.ts";
import { colour, drawFigure, legendEntry } from "./drawFigure.ts";
import { linearLabel, logarithmicScale } from "./logarithmicTicks.ts";

const SYMBOLS = ["circle", "square", "triangle", "diamond", "star"] as const;

interface Ranked extends ReportedEigenvalue {
  readonly rank: number;
  readonly low: number;
  readonly high: number;
}

/** Eigenvalues numbered from the end of the spectrum inwards, with the interval of two residual norms. */
function ranked(values: readonly ReportedEigenvalue[], order: 1 | -1, shift: number): readonly Ranked[] {
  return [...values]
    .sort((a, b) => order * (a.value - b.value))
    .map((v, i) => ({
      ...v,
      rank: i + 1 + shift,
      low: v.value - 2 * v.residualNorm,
      high: v.value + 2 * v.residualNorm,
    }));
}

/** Horizontal shift of a matrix within a rank, so that equal eigenvalues do not hide each other. */
function shiftOf(index: number, count: number): number {
  return 0.13 * (index - (count - 1) / 2);
}

interface Placement {
  readonly most: number;
  readonly shift: number;
}

function exactPoints(values: readonly number[] | undefined, order: 1 | -1, { most, shift }: Placement) {
  const ordered = [...(values ?? [])].sort((a, b) => order * (a - b));
  return ordered.slice(0, most).map((value, i) => ({ rank: i + 1 + shift, value }));
}

function symbolOf({ matrix }: NamedMatrix): (typeof SYMBOLS)[number] {
  return SYMBOLS[placeOf(matrix) % SYMBOLS.length] ?? "circle";
}

function valueMarks(matrix: NamedMatrix, points: readonly Ranked[], clamp: (y: number) => number) {
  const stroke = colour(matrix.text.series);
  return [
    lineY(points, { x: "rank", y: "value", stroke, strokeOpacity: 0.45, strokeWidth: 1 }),
    ruleX(points, {
      x: "rank",
      y1: (p: Ranked) => clamp(p.low),
      y2: (p: Ranked) => clamp(p.high),
      stroke,
      strokeWidth: 1.5,
    }),
    dot(points, { x: "rank", y: "value", fill: stroke, symbol: symbolOf(matrix), r: 3, title: valueOf(matrix) }),
  ];
}

/** Text shown at the pointer. */
function valueOf({ matrix }: NamedMatrix) {
  return ({ value, residualNorm }: Ranked) => `${matrix.title}: ${formatEigenvalue(value, residualNorm)}`;
}

function exactMarks(points: readonly { readonly rank: number; readonly value: number }[]) {
  return dot(points, {
    x: "rank",
    y: "value",
    stroke: "currentColor",
    strokeOpacity: 0.7,
    symbol: "circle",
    r: 5.5,
    strokeWidth: 1,
  });
}

function rankScale(count: number) {
  const step = Math.max(1, Math.ceil(count / 10));
  const ticks = Array.from({ length: count }, (_, i) => i + 1).filter((rank) => rank === 1 || rank % step === 0);
  return {
    domain: [0.5, count + 0.5],
    ticks,
    tickFormat: String,
    label: "rank",
    labelAnchor: "center" as const,
    labelArrow: "none" as const,
  };
}

function legend(matrices: readonly NamedMatrix[], exact: boolean, bars: string): Markup {
  const circles = exact ? html`<span class="key"><span class="swatch circle"></span>exact</span> ` : undefined;
  return html`${matrices.map(({ text, matrix }) => legendEntry(text.series, matrix.title))}${circles}${bars}`;
}

function inWords(matrices: readonly NamedMatrix[], end: "largest" | "smallest"): string {
  return matrices
    .map(({ matrix }) => {
      const values = matrix.eigenvalues[end].map((v) => formatEigenvalue(v.value, v.residualNorm));
      return `${matrix.title}: ${values.join(", ")}`;
    })
    .join(". ");
}

/** Largest eigenvalues of all matrices by rank, on a logarithmic axis if all are positive. */
export function largestEigenvaluesFigure(matrices: readonly NamedMatrix[]): Markup | undefined {
  const shown = matrices.filter(({ matrix }) => matrix.eigenvalues.largest.length > 0);
  if (shown.length === 0) return undefined;
  const series = shown.map(({ matrix }, i) => ranked(matrix.eigenvalues.largest, -1, shiftOf(i, shown.length)));
  const exact = shown.map(({ matrix }, i) =>
    exactPoints(matrix.eigenvalues.exact?.largest, -1, {
      most: series[i]?.length ?? 0,
      shift: shiftOf(i, shown.length),
    }),
  );
  const values = series.flat().map(({ value }) => value);
  const scale = logarithmicScale(values);
  const clamp = (y: number) => (scale ? Math.max(scale.domain[0], y) : y);
  const options = {
    height: 260,
    x: rankScale(Math.max(...series.map(({ length }) => length))),
    y: {
      label: "eigenvalue",
      labelArrow: "none" as const,
      grid: true,
      ...(scale ?? { ticks: 6, tickFormat: linearLabel, zero: true }),
    },
    marks: [...exact.map(exactMarks), ...shown.flatMap((named, i) => valueMarks(named, series[i] ?? [], clamp))],
  };
  return drawFigure(options, {
    title: "Largest eigenvalues",
    description: inWords(shown, "largest"),
    caption: legend(shown, exact.flat().length > 0, "Bars: two residual norms, often smaller than the mark."),
  });
}

/** Smallest eigenvalues by rank about zero, with the band of values that are not distinguished from rounding errors. */
export function smallestEigenvaluesFigure(matrices: readonly NamedMatrix[], rounding: number): Markup | undefined {
  const shown = matrices.filter(({ matrix }) => matrix.eigenvalues.smallest.length > 0);
  if (shown.length === 0) return undefined;
  const series = shown.map(({ matrix }, i) => ranked(matrix.eigenvalues.smallest, 1, shiftOf(i, shown.length)));
  const exact = shown.map(({ matrix }, i) =>
    exactPoints(matrix.eigenvalues.exact?.smallest, 1, {
      most: series[i]?.length ?? 0,
      shift: shiftOf(i, shown.length),
    }),
  );
  const reach = Math.max(...series.flat().flatMap(({ low, high }) => [Math.abs(low), Math.abs(high)]), rounding);
  const count = Math.max(...series.map(({ length }) => length));
  const band = [{ x1: 0.5, x2: count + 0.5, y1: -rounding, y2: rounding }];
  const options = {
    height: 260,
    marginLeft: 76,
    x: rankScale(count),
    y: {
      label: "eigenvalue",
      labelArrow: "none" as const,
      grid: true,
      ticks: 6,
      tickFormat: linearLabel,
      nice: true,
      ...(reach > 0 ? {} : { domain: [-1, 1] }),
    },
    marks: [
      rectY(band, { x1: "x1", x2: "x2", y1: "y1", y2: "y2", fill: "currentColor", fillOpacity: 0.1 }),
      ruleY([0], { stroke: "currentColor", strokeOpacity: 0.6 }),
      ...exact.map(exactMarks),
      ...shown.flatMap((named, i) => valueMarks(named, series[i] ?? [], (y) => y)),
    ],
  };
  return drawFigure(options, {
    title: "Smallest eigenvalues",
    description: inWords(shown, "smallest"),
    caption: legend(
      shown,
      exact.flat().length > 0,
      "Bars: two residual norms. Grey band: not distinguished from rounding errors.",
    ),
  });
}
