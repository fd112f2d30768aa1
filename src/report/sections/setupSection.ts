import type { CurvatureReport } from "../../applications/report.ts";
import { formatCount, formatNumber } from "../format.ts";
import { html, type Markup } from "../markup.ts";
import { dataRow, dataTable } from "./dataTable.ts";

function parameterTable({ model }: CurvatureReport): Markup {
  const rows = model.tensors.map(({ name, dims, role, layer }) =>
    dataRow(name, [dims.join(" × ") || "scalar", role, layer]),
  );
  const table = dataTable("Weight tensors", {
    heads: ["Tensor", "Shape", "Role", "Layer"],
    bodies: [rows],
    tall: true,
    words: true,
  });
  const summary = `The ${formatCount(model.tensors.length)} weight tensors that were differentiated`;
  return html`<details><summary>${summary}</summary>${table}</details>`;
}

/** Ranges of inputs, and the targets, as entries. */
function summaryEntries({ summary }: CurvatureReport["data"]): readonly (readonly [string, string])[] {
  if (summary === undefined) return [];
  const inputs = summary.inputs.map(({ name, minimum, maximum, mean }) => {
    const range = `${formatNumber(minimum, 4)} to ${formatNumber(maximum, 4)}, mean ${formatNumber(mean, 4)}`;
    return [`Input ${name}`, range] as const;
  });
  const { targets } = summary;
  return targets === undefined ? inputs : [...inputs, ["Targets", targetText(targets)] as const];
}

/** Number of classes that are listed one by one. */
const LISTED_CLASSES = 20;

function targetText(targets: NonNullable<NonNullable<CurvatureReport["data"]["summary"]>["targets"]>): string {
  if (targets.kind === "values") {
    const { minimum, maximum, mean, variance } = targets;
    return `${formatNumber(minimum, 4)} to ${formatNumber(maximum, 4)}, mean ${formatNumber(mean, 4)}, variance ${formatNumber(variance, 4)}`;
  }
  const { counts, ignored, names = [] } = targets;
  const found = counts.filter((count) => count > 0).length;
  const listed =
    counts.length <= LISTED_CLASSES
      ? `: ${counts.map((count, c) => `${names[c] ?? c} × ${formatCount(count)}`).join(", ")}`
      : "";
  const left = ignored > 0 ? `, ${formatCount(ignored)} ignored` : "";
  return `${formatCount(found)} of ${formatCount(counts.length)} classes occur${listed}${left}`;
}

/** All settings needed to repeat the report, and the changes made to the model. */
export function setupSection(report: CurvatureReport): Markup {
  const { model, data, loss, provenance = {} } = report;
  const opset = model.opset === undefined ? "" : `, opset ${model.opset}`;
  const entries: readonly (readonly [string, string])[] = [
    ["Model", `${model.file}${opset}, ${formatCount(model.parameters)} weights`],
    ["Data", `${data.file}, ${formatCount(data.rows)} rows in batches of ${formatCount(data.batchSize)}`],
    ["Loss", `${loss.name}, reduction ${loss.reduction}, value ${loss.value}`],
    ["Numbers", report.dtype],
    ["Seed", String(report.seed)],
    ...summaryEntries(data),
    ...Object.entries(provenance),
    ["Made by", `onnx-curvature ${report.version}`],
  ];
  const notices =
    model.notices.length > 0
      ? html`<h3>About the model</h3><ul>${model.notices.map((notice) => html`<li>${notice}</li>`)}</ul>`
      : undefined;
  const list = entries.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`);
  return html`<section id="setup"><h2>How it was made</h2>
<dl class="setup">${list}</dl>${notices}${parameterTable(report)}</section>`;
}
