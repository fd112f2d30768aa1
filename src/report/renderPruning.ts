import { dot, lineY, ruleY } from "@observablehq/plot";
import type { PruningComparison, PruningCurve, PruningPoint } from "../applications/pruning/comparePruning.ts";
import { colour, drawFigure, legendEntry } from "./figures/drawFigure.ts";
import { logarithmicScale } from "./figures/logarithmicTicks.ts";
import { type Content, html, type Markup, trusted } from "./markup.ts";
import { PAGE_STYLE } from "./pageStyle.ts";
import { dataRow, dataTable, seriesName } from "./sections/dataTable.ts";

/** Ways of pruning side by side, with what they are of. */
export interface PruningPage {
  /** Name of the model's file. */
  readonly model: string;
  /** Name of the data. */
  readonly data: string;
  readonly rows: number;
  /** The other rows on which loss and accuracy were measured too. */
  readonly test?: { readonly data: string; readonly rows: number };
  readonly comparison: PruningComparison;
  /** The point whose weights were written, and where to. */
  readonly written?: { readonly method: string; readonly point: PruningPoint; readonly file: string };
}

const CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

const SERIES = ["series-1", "series-2", "series-3", "series-4", "series-5", "negative"];

/**
 * Ways of pruning as one self-contained HTML file: loss and accuracy against sparsity for all of them, predicted and measured, and the numbers as tables. It loads nothing and runs no script. Text
 * from files is escaped.
 */
export function renderPruning(given: PruningPage): string {
  const { model, data, rows, test, comparison, written } = given;
  const { loss, candidates, size, damping, steps, scope, pattern } = comparison;
  const how = steps === 1 ? "in one shot" : `in ${steps} steps, with saliencies and matrix anew at each`;
  const what =
    pattern === undefined
      ? scope === "layer"
        ? "the same share of each tensor"
        : "the least salient of all tensors together"
      : `the pattern ${pattern}`;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${trusted(CONTENT_POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Pruning of ${model}</title>
<style>${trusted(PAGE_STYLE)}</style>
</head>
<body>
<main>
<header><h1>Pruning</h1>
<p class="subtitle">${model} on ${rows} rows of ${data}; the loss of the whole network is ${number(loss)}.</p>
<p>Weights are removed ${how}: ${what}. ${candidates} of ${size} weights may go. Methods with compensation adapt all other weights by the quadratic model with damping ${number(damping)}.</p>
${written && html`<p>${written.file} has the weights of ${written.method} at ${percent(written.point.sparsity)} sparsity, loss ${number(written.point.loss)}.</p>`}</header>
<section><h2>Loss and accuracy against sparsity</h2><div class="pair">${figures(given)}</div></section>
<section><h2>Predicted and measured</h2>
<p>The prediction is the loss plus the gradient and curvature terms of the change, without damping. Where it is marked, it is off by more than half: the change is beyond the region where the loss is quadratic.</p>
${pointTable(comparison, test !== undefined)}</section>
${written && html`<section><h2>Tensors of ${written.file}</h2>${tensorTable(written.point)}</section>`}
</main>
</body>
</html>
`;
  return page.html;
}

function number(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : "not finite";
}

function percent(share: number): string {
  return `${number(100 * share)} %`;
}

function seriesOf(k: number): string {
  return SERIES[k % SERIES.length]!;
}

interface Drawn {
  readonly title: string;
  readonly label: string;
  /** Value of the whole network. */
  readonly before: number;
  readonly value: (point: PruningPoint) => number | undefined;
  /** What the quadratic model says of it. */
  readonly predicted?: (point: PruningPoint) => number;
}

function figures({ comparison, test }: PruningPage): readonly Markup[] {
  const { loss, accuracy, validationLoss, validationAccuracy } = comparison;
  const all: readonly (Drawn | undefined)[] = [
    {
      title: "Loss",
      label: "loss",
      before: loss,
      value: (point) => point.loss,
      predicted: (point) => loss + point.predictedIncrease,
    },
    share("Accuracy", accuracy, (point) => point.accuracy),
    validationLoss === undefined || test === undefined
      ? undefined
      : {
          title: `Loss on ${test.data}`,
          label: "loss",
          before: validationLoss,
          value: (point) => point.validationLoss,
        },
    test && share(`Accuracy on ${test.data}`, validationAccuracy, (point) => point.validationAccuracy),
  ];
  return all.flatMap((drawn) => (drawn === undefined ? [] : [figure(drawn, comparison.curves)]));
}

function share(
  title: string,
  before: number | undefined,
  value: (point: PruningPoint) => number | undefined,
): Drawn | undefined {
  if (before === undefined) return undefined;
  return {
    title,
    label: "accuracy, %",
    before: 100 * before,
    value: (point) => {
      const own = value(point);
      return own === undefined ? undefined : 100 * own;
    },
  };
}

function figure({ title, label, before, value, predicted }: Drawn, curves: readonly PruningCurve[]): Markup {
  const lines = curves.map(({ title: name, points }, k) => {
    const measured = points
      .map((point) => ({ sparsity: 100 * point.sparsity, y: value(point) }))
      .filter(({ y }) => y !== undefined && Number.isFinite(y));
    const model =
      predicted === undefined ? [] : points.map((point) => ({ sparsity: 100 * point.sparsity, y: predicted(point) }));
    const from = { sparsity: 0, y: before };
    return { name, k, measured: [from, ...measured], model: model.length === 0 ? [] : [from, ...model] };
  });
  const scale =
    label === "loss"
      ? logarithmicScale([before, ...lines.flatMap(({ measured }) => measured.map(({ y }) => y!))])
      : undefined;
  // Predictions below the picture's floor, and negative ones, have no place on a logarithmic axis.
  const floor = scale === undefined ? Number.NEGATIVE_INFINITY : scale.domain[0];
  return drawFigure(
    {
      x: { label: "sparsity, %", grid: true, domain: [0, 100] },
      y: { label, grid: true, ...(scale ?? (label === "loss" ? { zero: true } : { domain: [0, 100] })) },
      marks: [
        ruleY([before], { stroke: "var(--soft)", strokeDasharray: "3,3" }),
        ...lines.flatMap(({ k, measured, model }) => {
          const stroke = colour(seriesOf(k));
          // A second round of colours has hollow dots.
          const fill = k < SERIES.length ? stroke : "var(--paper)";
          return [
            lineY(
              model.filter(({ y }) => y >= floor),
              { x: "sparsity", y: "y", stroke, strokeWidth: 1.5, strokeDasharray: "5,4", opacity: 0.7 },
            ),
            lineY(measured, { x: "sparsity", y: "y", stroke, strokeWidth: 2 }),
            dot(measured, { x: "sparsity", y: "y", stroke, fill, r: 3 }),
          ];
        }),
      ],
    },
    {
      title,
      description: lines
        .map(
          ({ name, measured }) =>
            `${name}: ${measured
              .slice(1)
              .map(({ sparsity, y }) => `${number(y!)} at ${number(sparsity)} %`)
              .join(", ")}`,
        )
        .join("; "),
      caption: html`${lines.map(({ name, k }) => legendEntry(seriesOf(k), name))}${predicted && html`dashed: predicted by the quadratic model; `}dotted: the whole network`,
    },
  );
}

function pointTable({ curves }: PruningComparison, hasTest: boolean): Markup {
  const shown = (value: number | undefined) => (value === undefined ? "" : number(value));
  const rate = (value: number | undefined) => (value === undefined ? "" : percent(value));
  const cells = (point: PruningPoint): readonly Content[] => [
    percent(point.sparsity),
    point.removed,
    number(point.predictedIncrease),
    html`${number(point.loss)}${point.beyondQuadratic ? html` <strong title="beyond the quadratic region">*</strong>` : ""}`,
    rate(point.accuracy),
    ...(hasTest ? [shown(point.validationLoss), rate(point.validationAccuracy)] : []),
    point.matvecs,
  ];
  return html`${dataTable("Predicted and measured", {
    heads: [
      "method",
      "sparsity",
      "removed",
      "predicted increase",
      "loss",
      "accuracy",
      ...(hasTest ? ["test loss", "test accuracy"] : []),
      "products",
    ],
    bodies: curves.map(({ title, points }, k) =>
      points.map((point) => dataRow(seriesName(seriesOf(k), title), cells(point))),
    ),
  })}<p class="hint">* beyond the quadratic region</p>`;
}

function tensorTable({ tensors }: PruningPoint): Markup {
  return dataTable("Tensors", {
    heads: ["tensor", "layer", "weights", "removed", "sparsity", "largest removed"],
    bodies: tensors.map(({ name, layer, weights, removed, largestRemoved }) =>
      dataRow(name, [layer, weights, removed, percent(removed / weights), number(largestRemoved)]),
    ),
  });
}
