import type { CurvatureReport } from "../../applications/report.ts";
import { formatCount } from "../format.ts";
import { html, type Markup } from "../markup.ts";

function parameterTable({ model }: CurvatureReport): Markup {
  const rows = model.tensors.map(
    ({ name, dims, role, layer }) =>
      html`<tr><th scope="row">${name}</th><td>${dims.join(" × ") || "scalar"}</td><td>${role}</td><td>${layer}</td></tr>`,
  );
  return html`<details><summary>The ${formatCount(model.tensors.length)} weight tensors that were differentiated</summary><div class="scroll tall" tabindex="0" role="region" aria-label="Weight tensors"><table class="words"><thead><tr><th scope="col">Tensor</th><th scope="col">Shape</th><th scope="col">Role</th><th scope="col">Layer</th></tr></thead><tbody>${rows}</tbody></table></div></details>`;
}

/** All that is needed to do it again, and what was done to the model on the way. */
export function setupSection(report: CurvatureReport): Markup {
  const { model, data, loss } = report;
  const entries: readonly (readonly [string, string])[] = [
    ["Model", `${model.file}, opset ${model.opset}, ${formatCount(model.parameters)} weights`],
    ["Data", `${data.file}, ${formatCount(data.rows)} rows in batches of ${formatCount(data.batchSize)}`],
    ["Loss", `${loss.name}, reduction ${loss.reduction}, value ${loss.value}`],
    ["Numbers", report.dtype],
    ["Seed", String(report.seed)],
    ["Made by", `onnx-curvature ${report.version}`],
  ];
  const notices =
    model.notices.length > 0
      ? html`<h3>About the model</h3><ul>${model.notices.map((notice) => html`<li>${notice}</li>`)}</ul>`
      : undefined;
  return html`<section id="setup"><h2>How it was made</h2><dl class="setup">${entries.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>${notices}${parameterTable(report)}</section>`;
}
