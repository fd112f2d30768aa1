import { dot, line, lineY } from "@observablehq/plot";
import type { BitChoice } from "../../applications/quantization/sensitivity.ts";
import { html, type Markup } from "../markup.ts";
import type { QuantizationPage } from "../quantizationPage.ts";
import { colour, drawFigure, legendEntry } from "./drawFigure.ts";

const NAMES = { omega: "omega", predicted: "predicted change", measured: "measured change" } as const;

/** Size against objective of the plans that no other plan beats, with the plan that was taken and uniform bits. */
export function frontFigure({ plan, sensitivity }: QuantizationPage): Markup {
  const { objective, front } = plan;
  const uniform = sensitivity.bits.map((bits) => ({
    averageBits: bits,
    total: sensitivity.tensors.reduce(
      (sum, { choices }) => sum + valueOf(choices.find((each) => each.bits === bits)!, objective),
      0,
    ),
  }));
  const points = front.map(({ averageBits, total }) => ({ averageBits, total }));
  const taken = [{ averageBits: plan.averageBits, total: plan.total }];
  const isPositive = [...points, ...uniform].every(({ total }) => total > 0);
  return drawFigure(
    {
      x: { label: "average bits of a weight", grid: true },
      y: {
        label: `sum of ${NAMES[objective]}`,
        grid: true,
        ...(isPositive ? { type: "log" as const, tickFormat: ".0e" } : {}),
      },
      marks: [
        lineY(points, {
          x: "averageBits",
          y: "total",
          stroke: colour("series-1"),
          strokeWidth: 2,
          curve: "step-after",
        }),
        dot(uniform, { x: "averageBits", y: "total", fill: colour("series-2"), r: 4, symbol: "square" }),
        dot(taken, { x: "averageBits", y: "total", stroke: "currentColor", strokeWidth: 2, r: 6 }),
      ],
    },
    {
      title: "Pareto front of size and objective",
      description: `The best sum falls from ${short(points[0]!.total)} at ${short(points[0]!.averageBits)} bits to ${short(points.at(-1)!.total)} at ${short(points.at(-1)!.averageBits)} bits; the plan has ${short(plan.total)} at ${short(plan.averageBits)} bits.`,
      caption: html`${legendEntry("series-1", "best plans")}${legendEntry("series-2", "uniform bits")}${legendEntry("circle", "this plan")}`,
    },
  );
}

/** The measured change of the loss with uniform bits and with the plans of the same size; positive ones. */
export function comparisonFigure({ comparison }: QuantizationPage): Markup {
  const changes = (which: "uniform" | "planned") =>
    comparison.map((compared) => ({ bits: compared.bits, change: compared[which].measured }));
  const drawn = (which: "uniform" | "planned") => changes(which).filter(({ change }) => change > 0);
  const left = 2 * comparison.length - drawn("uniform").length - drawn("planned").length;
  const marks = (which: "uniform" | "planned", series: string) => [
    lineY(drawn(which), { x: "bits", y: "change", stroke: colour(series), strokeWidth: 2 }),
    dot(drawn(which), { x: "bits", y: "change", fill: colour(series), r: 3.5 }),
  ];
  return drawFigure(
    {
      x: { label: "average bits of a weight", grid: true },
      y: { label: "measured change of the loss", grid: true, type: "log", tickFormat: ".0e" },
      marks: [...marks("uniform", "series-2"), ...marks("planned", "series-1")],
    },
    {
      title: "Plans against uniform bits at equal size",
      description: comparison
        .map(
          ({ bits, uniform, planned }) =>
            `${bits} bits: ${short(uniform.measured)} uniform, ${short(planned.measured)} planned`,
        )
        .join("; "),
      caption: html`${legendEntry("series-1", "plan")}${legendEntry("series-2", "uniform bits")}${left === 0 ? "" : `${left} changes that are not positive are left out`}`,
    },
  );
}

/** Predicted against measured changes of the loss, one point for each tensor and number of bits; positive ones. */
export function predictionFigure({ sensitivity: { tensors } }: QuantizationPage): Markup {
  const all = tensors.flatMap(({ choices }) => choices);
  const points = all.filter(({ predicted, measured }) => predicted > 0 && measured > 0);
  const sizes = points.flatMap(({ predicted, measured }) => [predicted, measured]);
  const [low, high] = sizes.length === 0 ? [1e-3, 1] : [Math.min(...sizes), Math.max(...sizes)];
  const scale = { type: "log" as const, domain: [low / 1.5, high * 1.5], grid: true, tickFormat: ".0e", ticks: 4 };
  const marks = (isQuadratic: boolean, series: string) =>
    dot(
      points.filter((point) => point.isQuadratic === isQuadratic),
      { x: "predicted", y: "measured", fill: colour(series), r: 4 },
    );
  const outside = points.filter((point) => !point.isQuadratic).length;
  return drawFigure(
    {
      x: { label: "predicted change", ...scale },
      y: { label: "measured change", ...scale },
      marks: [
        line(
          [
            [low, low],
            [high, high],
          ],
          { stroke: "currentColor", strokeOpacity: 0.5, strokeDasharray: "4,4" },
        ),
        marks(true, "series-1"),
        marks(false, "negative"),
      ],
    },
    {
      title: "Second-order prediction against the loss",
      description: `${points.length} of ${all.length} changes are positive in both; ${outside} of them lie outside the range of the quadratic model.`,
      caption: html`${legendEntry("series-1", "within the quadratic range")}${legendEntry("negative", "outside")}one point for each tensor and number of bits${points.length < all.length ? `; ${all.length - points.length} that are not positive are left out` : ""}`,
    },
  );
}

function valueOf(choice: BitChoice, objective: keyof typeof NAMES): number {
  return objective === "omega" ? choice.omega.value : choice[objective];
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}
