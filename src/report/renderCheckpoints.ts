import { dot, lineY, ruleX } from "@observablehq/plot";
import type { CheckpointCurvature } from "../applications/sharpness/checkpointCurvature.ts";
import { printableText } from "../errors/index.ts";
import { colour, drawFigure } from "./figures/drawFigure.ts";
import { formatEigenvalue, formatEstimate, formatNumber, formatShare } from "./format.ts";
import { html, type Markup, trusted } from "./markup.ts";
import { PAGE_STYLE } from "./pageStyle.ts";
import { dataRow, dataTable } from "./sections/dataTable.ts";

/** A checkpoint with its name. */
export interface NamedCheckpoint extends CheckpointCurvature {
  readonly name: string;
}

/** Checkpoints of one network on the same rows. */
export interface CheckpointsPage {
  readonly checkpoints: readonly NamedCheckpoint[];
  /** Name of the data. */
  readonly data: string;
  readonly rows: number;
}

const CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

interface Point {
  readonly checkpoint: number;
  readonly value: number;
  readonly error: number;
}

interface Curve {
  readonly title: string;
  readonly label: string;
  readonly of: (checkpoint: NamedCheckpoint) => Omit<Point, "checkpoint"> | undefined;
}

const CURVES: readonly Curve[] = [
  { title: "Loss", label: "loss", of: ({ loss }) => ({ value: loss, error: 0 }) },
  {
    title: "Accuracy",
    label: "accuracy, %",
    of: ({ accuracy }) => (accuracy === undefined ? undefined : { value: 100 * accuracy, error: 0 }),
  },
  {
    title: "Trace of the Hessian",
    label: "trace",
    of: ({ trace }) => ({ value: trace.value, error: 2 * trace.standardError }),
  },
  {
    title: "Largest eigenvalue of the Hessian",
    label: "largest eigenvalue",
    of: ({ largestEigenvalue: { value, residualNorm } }) => ({ value, error: residualNorm }),
  },
  {
    title: "Largest stable learning rate",
    label: "2 / largest eigenvalue",
    of: ({ stableLearningRate }) => ({ value: stableLearningRate, error: 0 }),
  },
  {
    title: "Adaptive sharpness",
    label: "rise of the loss",
    of: ({ adaptiveSharpness }) => ({ value: adaptiveSharpness.value, error: 0 }),
  },
];

/**
 * Curvature along checkpoints, in their order, as one self-contained HTML file: a figure for each quantity, and all numbers as a table. It loads nothing and runs no
 * script. Text from files is escaped.
 */
export function renderCheckpoints({ checkpoints, data, rows }: CheckpointsPage): string {
  const radius = checkpoints[0]?.adaptiveSharpness.radius ?? 0;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${trusted(CONTENT_POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Curvature of ${checkpoints.length} checkpoints</title>
<style>${trusted(PAGE_STYLE)}</style>
</head>
<body>
<main>
<header><h1>Curvature of ${checkpoints.length} checkpoints</h1>
<p class="subtitle">${checkpoints.map(({ name }) => name).join(", ")} on ${rows} rows of ${data}.</p></header>
<section><h2>Checkpoint by checkpoint</h2>
<p>Gradient descent with a larger rate than the stable one grows along the steepest direction. Rescaling weights without changing the network changes trace and
eigenvalue, but not the adaptive sharpness: the rise of the loss for the step of size ${formatNumber(radius, 3)} in units of the weights.</p>
<div class="pair">${checkpoints.length > 1 ? CURVES.map((curve) => figure(curve, checkpoints)) : undefined}</div></section>
<section><h2>All numbers</h2>${table(checkpoints)}</section>
</main>
</body>
</html>
`.html;
}

function figure({ title, label, of }: Curve, checkpoints: readonly NamedCheckpoint[]): Markup | undefined {
  const points = checkpoints.flatMap((each, at): Point[] => {
    const found = of(each);
    return found !== undefined && Number.isFinite(found.value) ? [{ checkpoint: at + 1, ...found }] : [];
  });
  if (points.length === 0) return undefined;
  const names = points.map(
    ({ checkpoint, value }) => `${checkpoints[checkpoint - 1]!.name}: ${formatNumber(value, 4)}`,
  );
  return drawFigure(
    {
      x: {
        label: "checkpoint",
        domain: [0.7, checkpoints.length + 0.3],
        ticks: Math.min(checkpoints.length, 10),
        tickFormat: (x: number) => (Number.isInteger(x) ? String(x) : ""),
      },
      y: { label, grid: true, nice: true, ticks: 6 },
      marks: [
        ruleX(
          points.filter(({ error }) => error > 0),
          {
            x: "checkpoint",
            y1: ({ value, error }: Point) => value - error,
            y2: ({ value, error }: Point) => value + error,
            stroke: colour("series-1"),
            strokeWidth: 1.5,
          },
        ),
        lineY(points, { x: "checkpoint", y: "value", stroke: colour("series-1"), strokeWidth: 2 }),
        dot(points, {
          x: "checkpoint",
          y: "value",
          fill: colour("series-1"),
          r: 3.5,
          title: (_: Point, i: number) => names[i]!,
        }),
      ],
    },
    { title, description: names.map((name) => printableText(name)).join(", ") },
  );
}

function table(checkpoints: readonly NamedCheckpoint[]): Markup {
  return dataTable("Checkpoints", {
    heads: [
      "",
      "Checkpoint",
      "Loss",
      "Accuracy",
      "Gradient norm",
      "Trace",
      "Largest eigenvalue",
      "Stable rate",
      "Adaptive sharpness",
    ],
    bodies: [
      checkpoints.map((each, at) =>
        dataRow(String(at + 1), [
          each.name,
          formatNumber(each.loss, 4),
          each.accuracy === undefined ? "" : formatShare(each.accuracy),
          formatNumber(each.gradientNorm, 3),
          formatEstimate(each.trace.value, each.trace.standardError),
          formatEigenvalue(each.largestEigenvalue.value, each.largestEigenvalue.residualNorm),
          formatNumber(each.stableLearningRate, 3),
          formatNumber(each.adaptiveSharpness.value, 3),
        ]),
      ),
    ],
  });
}
