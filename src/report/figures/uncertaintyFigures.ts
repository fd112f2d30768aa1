import { barY, dot, lineY, ruleX, ruleY } from "@observablehq/plot";
import type { ReliabilityBin } from "../../applications/laplace/classScores.ts";
import type { PriorPoint } from "../../applications/laplace/priorCurve.ts";
import type { IntervalCoverage } from "../../applications/laplace/valueScores.ts";
import { formatNumber } from "../format.ts";
import { html, type Markup } from "../markup.ts";
import { colour, drawFigure, legendEntry } from "./drawFigure.ts";
import { powerLabels, wholeExponents } from "./logarithmicTicks.ts";

/** Accuracy of predictions by their confidence: on the diagonal where they are calibrated. */
export function reliabilityFigure(
  title: string,
  { bins, series }: { readonly bins: readonly ReliabilityBin[]; readonly series: string },
): Markup {
  const filled = bins.filter(({ count }) => count > 0);
  const most = Math.max(...filled.map(({ count }) => count));
  const ideal = [
    { x: 0, y: 0 },
    { x: 1, y: 1 },
  ];
  return drawFigure(
    {
      height: 340,
      x: { label: "confidence", domain: [0, 1], grid: true },
      y: { label: "accuracy", domain: [0, 1], grid: true },
      marks: [
        lineY(ideal, { x: "x", y: "y", stroke: colour("soft"), strokeDasharray: "4,4" }),
        lineY(filled, { x: "confidence", y: "accuracy", stroke: colour(series), strokeWidth: 1.5 }),
        dot(filled, {
          x: "confidence",
          y: "accuracy",
          fill: colour(series),
          r: ({ count }: ReliabilityBin) => 2.5 + 6 * Math.sqrt(count / most),
          title: ({ count, confidence, accuracy }: ReliabilityBin) =>
            `${formatNumber(count, 3)} predictions: confidence ${formatNumber(confidence, 3)}, accuracy ${formatNumber(accuracy, 3)}`,
        }),
      ],
      r: { type: "identity" },
    },
    {
      title,
      description: filled
        .map(({ confidence, accuracy }) => `confidence ${confidence.toFixed(2)}: accuracy ${accuracy.toFixed(2)}`)
        .join(", "),
      caption: html`Dots: predictions of a bin of confidence, their size by number. Dashed: calibrated.`,
    },
  );
}

/** One quantity over prior precisions, with the chosen one marked. */
function priorFigure(
  title: string,
  request: {
    readonly points: readonly { readonly exponent: number; readonly value: number }[];
    readonly label: string;
    readonly series: string;
    /** Exponents at the ends of the axis; default those of the points. */
    readonly domain?: readonly [number, number];
    readonly marks: readonly PriorMark[];
    readonly caption?: Markup;
    readonly rules?: readonly { readonly value: number; readonly series: string }[];
  },
): Markup {
  const { points, label, series, marks, caption, rules = [] } = request;
  const { domain = [points[0]!.exponent, points.at(-1)!.exponent] } = request;
  const ticks = wholeExponents(...domain);
  const name = powerLabels(ticks);
  const [first, last] = [points[0]!, points.at(-1)!];
  return drawFigure(
    {
      x: { label: "prior precision", domain: [...domain], ticks: [...ticks], tickFormat: name, grid: true },
      y: { label, grid: true },
      marks: [
        ...rules.map((rule) =>
          ruleY([rule.value], { stroke: colour(rule.series), strokeWidth: 1.5, strokeDasharray: "6,4" }),
        ),
        ...marks.map((mark) =>
          ruleX([Math.log10(mark.precision)], {
            stroke: colour(mark.series),
            strokeWidth: 1.5,
            strokeDasharray: "3,3",
          }),
        ),
        lineY([...points], { x: "exponent", y: "value", stroke: colour(series), strokeWidth: 2 }),
        dot([...points], { x: "exponent", y: "value", fill: colour(series), r: 2.5 }),
      ],
    },
    {
      title,
      description: `${label} goes from ${formatNumber(first.value, 4)} at a precision of ${formatNumber(10 ** first.exponent, 2)} to ${formatNumber(last.value, 4)} at ${formatNumber(10 ** last.exponent, 2)}.`,
      caption: html`${marks.map((mark) => legendEntry(mark.series, mark.name))}${caption}`,
    },
  );
}

/** A prior precision that is marked in figures. */
export interface PriorMark {
  readonly precision: number;
  readonly name: string;
  readonly series: string;
}

/** Where the evidence falls far more to one side than to the other, the part of it that shows its top. */
function aroundTop<Point extends { readonly value: number }>(points: readonly Point[]): readonly Point[] {
  const values = points.map(({ value }) => value);
  const top = Math.max(...values);
  const drop = top - Math.max(values[0]!, values.at(-1)!);
  return drop > 0 ? points.filter(({ value }) => value >= top - 1.5 * drop) : points;
}

/** The evidence over prior precisions. */
export function evidenceFigure(curve: readonly PriorPoint[], marks: readonly PriorMark[]): Markup {
  const points = curve.map(({ priorPrecision, logMarginalLikelihood }) => ({
    exponent: Math.log10(priorPrecision),
    value: logMarginalLikelihood,
  }));
  const domain = [points[0]!.exponent, points.at(-1)!.exponent] as const;
  return priorFigure("Evidence", {
    points: aroundTop(points),
    domain,
    label: "log marginal likelihood",
    series: "series-1",
    marks,
  });
}

/** The test loss over prior precisions, beside that without the posterior. */
export function testLossFigure(
  curve: readonly PriorPoint[],
  { marks, before }: { readonly marks: readonly PriorMark[]; readonly before: number },
): Markup {
  const points = curve.map(({ priorPrecision, validationLoss }) => ({
    exponent: Math.log10(priorPrecision),
    value: validationLoss!,
  }));
  return priorFigure("Test loss", {
    points,
    label: "negative log-likelihood",
    series: "series-1",
    marks,
    rules: [{ value: before, series: "series-3" }],
    caption: legendEntry("series-3", "without the posterior"),
  });
}

/** Share of labels within intervals, by their level. */
export function coverageFigure(before: readonly IntervalCoverage[], after: readonly IntervalCoverage[]): Markup {
  const bars = [
    ...before.map(({ level, coverage }) => ({ level: `${100 * level} %`, coverage, series: "series-3" })),
    ...after.map(({ level, coverage }) => ({ level: `${100 * level} %`, coverage, series: "series-1" })),
  ];
  return drawFigure(
    {
      fx: { label: "level of the interval" },
      x: { axis: null },
      y: { label: "labels within", domain: [0, 1], grid: true },
      marks: [
        barY(bars, {
          fx: "level",
          x: "series",
          y: "coverage",
          fill: ({ series }: { series: string }) => colour(series),
        }),
        ruleY(
          after.map(({ level }) => ({ level: `${100 * level} %`, wanted: level })),
          { fx: "level", y: "wanted", stroke: colour("ink"), strokeWidth: 2 },
        ),
        ruleY([0]),
      ],
    },
    {
      title: "Coverage of intervals",
      description: after.map(({ level, coverage }) => `${100 * level} %: ${(100 * coverage).toFixed(1)} %`).join(", "),
      caption: html`${legendEntry("series-3", "without the posterior")}${legendEntry("series-1", "with it")}Lines: the level.`,
    },
  );
}
