import { dot, ruleY } from "@observablehq/plot";
import type {
  CurvatureReport,
  ReportedApproximation,
  SolvedSystem,
  StructuredReport,
} from "../../applications/report.ts";
import { linked } from "../definitions.ts";
import { colour, distinctPart, drawFigure, legendEntry, MOST_LAYERS, matrixFigure } from "../figures/index.ts";
import { formatCount, formatEstimate, formatNumber, formatShare, shortened } from "../format.ts";
import { html, type Markup } from "../markup.ts";
import { dataRow, dataTable, seriesName } from "./dataTable.ts";

/** Structured approximations: how near each is over all and layer by layer, what it is worth as a preconditioner, and a block beside its picture in each. */
export function structuredSection({ structured }: CurvatureReport): Markup | undefined {
  if (structured === undefined || structured.approximations.length === 0) return undefined;
  const { approximations } = structured;
  const layers = approximations[0]!.layers.length;
  return html`<section id="structured"><h2>Structured approximations</h2>${introduction(structured)}
${summaryTable(structured)}${layers > 1 ? html`<h3>Layer by layer</h3><div class="pair">${errorFigure(approximations)}</div>` : undefined}
${layerTable(approximations)}${picture(structured)}</section>`;
}

const series = (index: number) => `series-${(index % 5) + 1}`;

function introduction({ noun, probes, outside, labels }: StructuredReport): Markup {
  const drawn =
    labels === undefined
      ? ""
      : ` Since the network has many outputs, they are made from ${labels} drawn labels a term, which adds noise to their errors.`;
  return html`<p>Approximations of ${noun} that are known in closed form, so that inverses, determinants and samples cost nothing further. The
${linked("relative-error", "relative error")} is measured with ${probes} random vectors a layer. ${formatShare(outside)} of the squared norm lies between layers, which
no approximation by layer has.${drawn}</p>`;
}

function summaryTable({ approximations, plain, damping, tolerance }: StructuredReport): Markup {
  const none = dataRow("none", ["", "", "", "", productsOf(plain)]);
  const rows = approximations.map((each, index) =>
    dataRow(seriesName(series(index), each.title), [
      errorText(each.relativeError, each.standardError),
      errorText(...withinLayers(each)),
      formatNumber(each.trace, 4),
      formatNumber(each.gradients, 2),
      productsOf(each.system),
    ]),
  );
  const table = dataTable("Structured approximations", {
    heads: [
      "Approximation",
      linked("relative-error", "Relative error"),
      "Largest error of a layer",
      linked("trace", "Trace"),
      "Time, in gradients",
      linked("preconditioner", "Products to solve"),
    ],
    bodies: [[none, ...rows]],
  });
  return html`${table}<p>Products to solve: of conjugate gradients to a relative residual of ${formatNumber(tolerance, 1)}, for a random right side and the mean
eigenvalue ${formatNumber(damping, 3)} as damping, with the inverse of the approximation as preconditioner. ${adviceOf(approximations, plain)}</p>`;
}

function withinLayers({ layers }: ReportedApproximation): [value: number, standardError: number] {
  const finite = layers.filter(({ relativeError }) => Number.isFinite(relativeError));
  const worst = finite.reduce((a, b) => (b.relativeError > a.relativeError ? b : a), finite[0] ?? layers[0]!);
  return [worst.relativeError, worst.standardError];
}

function productsOf({ products, converged }: SolvedSystem): string {
  return converged ? formatCount(products) : `more than ${formatCount(products)}`;
}

/** Relative errors below this are rounding. */
const ROUNDING = 1e-5;

function errorText(value: number, standardError: number): string {
  if (!Number.isFinite(value)) return "no curvature";
  return value < ROUNDING ? "exact" : formatEstimate(value, standardError);
}

/** What the measured products say. */
function adviceOf(approximations: readonly ReportedApproximation[], plain: SolvedSystem): string {
  const solved = approximations.filter(({ system }) => system.converged);
  const best = solved.reduce<ReportedApproximation | undefined>(
    (least, each) => (least === undefined || each.system.products < least.system.products ? each : least),
    undefined,
  );
  if (best === undefined) return "None solves it within the budget.";
  if (plain.converged && plain.products <= best.system.products) {
    return "None of them makes it faster here: at this damping few eigenvalues stand out, which conjugate gradients find themselves.";
  }
  return `${best.title} needs the fewest.`;
}

interface Drawn {
  readonly row: string;
  readonly value: number;
  readonly standardError: number;
}

function errorFigure(approximations: readonly ReportedApproximation[]): Markup {
  const { layers } = approximations[0]!;
  const shown = layers.slice(0, MOST_LAYERS);
  const names = distinctPart(shown.map(({ name }) => name)).map((name) =>
    /^\d+$/.test(name) ? `layer ${name}` : shortened(name, 28),
  );
  const marks = approximations.flatMap((each, index) => {
    const dy = 8 * (index - (approximations.length - 1) / 2);
    const values = each.layers
      .slice(0, MOST_LAYERS)
      .flatMap(({ relativeError: value, standardError }, row): Drawn[] =>
        Number.isFinite(value) ? [{ row: String(row), value, standardError }] : [],
      );
    const bar = (sign: number) => (v: Drawn) => Math.max(0, v.value + sign * 2 * v.standardError);
    return [
      ruleY(values, { y: "row", x1: bar(-1), x2: bar(1), stroke: colour(series(index)), strokeWidth: 1.5, dy }),
      dot(values, {
        y: "row",
        x: "value",
        fill: colour(series(index)),
        r: 3.5,
        dy,
        title: (v: Drawn) => `${layers[Number(v.row)]?.name}: ${formatEstimate(v.value, v.standardError)}`,
      }),
    ];
  });
  const options = {
    height: 72 + shown.length * (16 + 8 * approximations.length),
    marginTop: 12,
    marginLeft: 24 + 7 * Math.max(...names.map(({ length }) => length)),
    x: {
      label: "relative error of the layer's block",
      grid: true,
      zero: true,
      labelArrow: "none" as const,
      labelAnchor: "center" as const,
    },
    y: {
      type: "band" as const,
      domain: shown.map((_, row) => String(row)),
      tickFormat: (row: string) => names[Number(row)] ?? "",
      label: null,
      tickSize: 0,
      padding: 0.1,
    },
    marks,
  };
  const omitted = layers.length - shown.length;
  return drawFigure(options, {
    title: "Relative error by layer",
    description: approximations
      .map(({ title, ...each }) => `${title}: at most ${errorText(...withinLayers({ title, ...each }))}`)
      .join("; "),
    caption: html`${approximations.map(({ title }, index) => legendEntry(series(index), title))}Bars: two standard errors.${omitted > 0 ? ` The first ${shown.length} of ${layers.length} layers; the table has all.` : ""}`,
  });
}

function layerTable(approximations: readonly ReportedApproximation[]): Markup {
  const { layers } = approximations[0]!;
  const rows = layers.map(({ name, parameters }, row) =>
    dataRow(name, [
      formatCount(parameters),
      ...approximations.map((each) => {
        const { relativeError, standardError, kinds } = each.layers[row]!;
        return html`${errorText(relativeError, standardError)}<div class="exact">${kinds.join(", ")}</div>`;
      }),
    ]),
  );
  const table = dataTable("Errors by layer", {
    heads: ["Layer", "Weights", ...approximations.map(({ title }) => title)],
    bodies: [rows],
    tall: true,
  });
  return html`<details><summary>All layers, with the kinds of their blocks</summary>${table}</details>`;
}

function picture({ picture: block, approximations, noun }: StructuredReport): Markup | undefined {
  if (block === undefined) return undefined;
  const largest = block.exact.flat().reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const named = block.approximations.map(({ name, values }) => ({
    title: approximations.find((each) => each.name === name)!.title,
    columns: values,
  }));
  const panels = [{ title: `${noun[0]!.toUpperCase()}${noun.slice(1)}`, columns: block.exact }, ...named];
  const description = `${block.entries} by ${block.entries} entries of the block of ${block.parameter}.`;
  return html`<h3>A block, entry by entry</h3><p>The first ${block.entries} weights of ${block.parameter} (${block.dims.join(" × ")}) against each other. Positive entries are blue, negative ones
red; the shade is the square root of the size over that of the largest entry, ${formatNumber(largest, 3)}.</p><div class="matrices">${panels.map((panel) => matrixFigure({ ...panel, largest, description }))}</div>`;
}
