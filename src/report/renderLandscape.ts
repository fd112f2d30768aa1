import { areaY, contour, dot, lineY, ruleX } from "@observablehq/plot";
import type { Landscape } from "../applications/sharpness/landscape.ts";
import { colour, drawFigure, legendEntry } from "./figures/drawFigure.ts";
import { surfaceFigure } from "./figures/surfaceFigure.ts";
import { html, type Markup, trusted } from "./markup.ts";
import { PAGE_STYLE } from "./pageStyle.ts";
import { dataRow, dataTable } from "./sections/dataTable.ts";

/** A computed landscape with what it is of. */
export interface LandscapePage {
  /** Name of the model's file. */
  readonly model: string;
  /** Name of the data. */
  readonly data: string;
  readonly rows: number;
  readonly landscape: Landscape;
}

const CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/**
 * A landscape of the loss as one self-contained HTML file: the loss on a line as a curve, or on a plane as contours, beside the quadratic model on the same scale,
 * and the numbers as tables. It loads nothing and runs no script. Text from files is escaped.
 */
export function renderLandscape({ model, data, rows, landscape }: LandscapePage): string {
  const { axes, loss, message } = landscape;
  const [first] = axes;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${trusted(CONTENT_POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Landscape of the loss of ${model}</title>
<style>${trusted(PAGE_STYLE)}</style>
</head>
<body>
<main>
<header><h1>Landscape of the loss</h1>
<p class="subtitle">${model} on ${rows} rows of ${data}; the loss at the weights is ${number(loss)}.</p>
<p>A step of 1 along an axis adds its direction to the weights. The quadratic model is the loss, its gradient and its Hessian at the weights.</p>
${message === "" ? undefined : html`<p>${message[0]!.toUpperCase()}${message.slice(1)}.</p>`}</header>
<section><h2>Loss and quadratic model</h2><div class="pair">${axes.length === 1 ? lineFigures(landscape) : planeFigures(landscape)}</div></section>
<section><h2>Directions</h2>
${dataTable("Directions", {
  heads: ["direction", "length", "slope", "curvature", "eigenvalue"],
  bodies: axes.map((axis) =>
    dataRow(axis.name, [
      number(axis.norm),
      number(axis.slope),
      number(axis.curvature),
      axis.eigenvalue === undefined ? "" : number(axis.eigenvalue),
    ]),
  ),
})}</section>
<section><h2>Loss at the points</h2>
${dataTable("Loss at the points", {
  tall: true,
  heads: [first!.name, ...(axes[1] ? axes[1].steps.map(number) : ["loss", "quadratic model"])],
  bodies: first!.steps.map((step, a) =>
    dataRow(
      number(step),
      axes[1]
        ? [...landscape.values[a]!].map(number)
        : [number(landscape.values[a]![0]!), number(landscape.quadratic[a]![0]!)],
    ),
  ),
})}</section>
</main>
</body>
</html>
`;
  return page.html;
}

function number(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : "not finite";
}

function lineFigures({ axes, values, quadratic, accuracies }: Landscape): readonly Markup[] {
  const [axis] = axes;
  const points = axis!.steps.map((step, a) => ({ step, loss: values[a]![0]!, model: quadratic[a]![0]! }));
  const finite = points.filter(({ loss }) => Number.isFinite(loss));
  const highest = Math.max(...finite.map(({ loss }) => loss));
  const lowest = Math.min(...finite.map(({ loss }) => loss));
  // The model may leave the picture, which is that of the loss.
  const room = 0.3 * (highest - lowest) || 1;
  const within = points.filter(({ model }) => model <= highest + room && model >= lowest - room);
  const curve = drawFigure(
    {
      x: { label: axis!.name, grid: true },
      y: { label: "loss", grid: true },
      marks: [
        ruleX([0], { stroke: "var(--muted, currentColor)", strokeDasharray: "3,3" }),
        lineY(within, { x: "step", y: "model", stroke: colour("series-2"), strokeWidth: 2, strokeDasharray: "6,4" }),
        lineY(finite, { x: "step", y: "loss", stroke: colour("series-1"), strokeWidth: 2 }),
        dot(finite, { x: "step", y: "loss", fill: colour("series-1"), r: 2.5 }),
      ],
    },
    {
      title: `Loss along ${axis!.name}`,
      description: `The loss goes from ${number(finite[0]?.loss ?? Number.NaN)} over ${number(lowest)} to ${number(finite.at(-1)?.loss ?? Number.NaN)}.`,
      caption: html`${legendEntry("series-1", "loss")}${legendEntry("series-2", "quadratic model")}`,
    },
  );
  if (accuracies === undefined) return [curve];
  const shares = axis!.steps.map((step, a) => ({ step, share: 100 * accuracies[a]![0]! }));
  const accuracy = drawFigure(
    {
      x: { label: axis!.name, grid: true },
      y: { label: "accuracy, %", grid: true, domain: [0, 100] },
      marks: [
        areaY(shares, { x: "step", y: "share", fill: colour("series-1"), fillOpacity: 0.15 }),
        lineY(shares, { x: "step", y: "share", stroke: colour("series-1"), strokeWidth: 2 }),
      ],
    },
    {
      title: `Accuracy along ${axis!.name}`,
      description: `The accuracy is ${number(Math.max(...shares.map(({ share }) => share)))} % at best.`,
    },
  );
  return [curve, accuracy];
}

function planeFigures(landscape: Landscape): readonly Markup[] {
  const { axes, values, quadratic } = landscape;
  const finite = values.flatMap((row) => [...row]).filter(Number.isFinite);
  const [lowest, highest] = [Math.min(...finite), Math.max(...finite)];
  // Contours at equal ratios, the same in both pictures.
  const floor = Math.max(lowest, highest * 1e-6, Number.MIN_VALUE);
  const levels = Array.from({ length: 13 }, (_, i) => floor * (highest / floor) ** (i / 12));
  const map = (title: string, table: readonly Float64Array[], description: string) => {
    const points = axes[0]!.steps.flatMap((x, a) =>
      axes[1]!.steps.flatMap((y, b) => {
        const z = table[a]![b]!;
        return Number.isFinite(z) ? [{ x, y, z: Math.max(z, floor) }] : [];
      }),
    );
    return drawFigure(
      {
        height: 460,
        x: { label: axes[0]!.name, domain: ends(axes[0]!.steps) },
        y: { label: axes[1]!.name, domain: ends(axes[1]!.steps) },
        color: { type: "log", scheme: "viridis", domain: [floor, highest], legend: false },
        marks: [
          contour(points, {
            x: "x",
            y: "y",
            fill: "z",
            stroke: "white",
            strokeWidth: 0.5,
            thresholds: levels,
            interpolate: "barycentric",
          }),
          dot([{ x: 0, y: 0 }], { x: "x", y: "y", fill: "white", stroke: "black", r: 4 }),
        ],
      },
      {
        title,
        description,
        caption: html`contours from ${number(levels[0]!)} to ${number(levels.at(-1)!)} at equal ratios, dark is low; the dot is at the weights`,
      },
    );
  };
  const height = (z: number) => Math.log(Math.max(z, floor) / floor) / Math.log(highest / floor || Math.E);
  const surface = (title: string, table: readonly Float64Array[], description: string) =>
    surfaceFigure({
      title,
      description,
      axes: [axes[0]!, axes[1]!],
      heights: table.map((row) => Array.from(row, (z) => Math.min(1.3, height(z)))),
      point: { at: [0, 0], height: height(landscape.loss) },
    });
  const logarithmic = "Height and colour are the logarithm of the loss, on one scale; the dot is at the weights";
  return [
    map("Loss", values, `The loss on the plane lies between ${number(lowest)} and ${number(highest)}.`),
    map("Quadratic model", quadratic, "The quadratic model at the same points, with the same contours."),
    surface("Loss as a surface", values, `${logarithmic}.`),
    surface("Quadratic model as a surface", quadratic, `${logarithmic}; it is cut off above the picture of the loss.`),
  ];
}

function ends(steps: readonly number[]): [number, number] {
  return [steps[0]!, steps.at(-1)!];
}
