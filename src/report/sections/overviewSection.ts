import type { CurvatureReport, Quantity } from "../../applications/report.ts";
import { type DefinitionName, linked } from "../definitions.ts";
import { formatCount, formatEigenvalue, formatEstimate, formatNumber, formatShare } from "../format.ts";
import { html, type Markup } from "../markup.ts";
import { presentMatrices } from "../matrixText.ts";

/** Name of a file without its folders. */
export function fileName(path: string): string {
  return path.split(/[\\/]/).pop() || path;
}

function figure(definition: DefinitionName, label: string, value: string, note = ""): Markup {
  return html`<div class="fact"><dt>${linked(definition, label)}</dt><dd>${value}</dd><dd class="note">${note}</dd></div>`;
}

/** An estimate with its standard error below it: both on one line would be too wide. */
function estimated(
  definition: DefinitionName,
  label: string,
  { value, standardError }: Quantity,
  note: string,
): Markup {
  const text = formatEstimate(value, standardError);
  const [, estimate, error, power = ""] = /^\(?(\S+)\s±\s([^\s)]+)\)?(.*)$/.exec(text) ?? [];
  if (estimate === undefined) return figure(definition, label, text, note);
  return figure(definition, label, `${estimate}${power}`, `± ${error}${power}, ${note}`);
}

function facts(report: CurvatureReport): readonly Markup[] {
  const { loss, gradient, accuracy, residualShare } = report;
  const first = presentMatrices(report)[0];
  const top = first?.matrix.eigenvalues.largest[0];
  const bottom = report.matrices.hessian?.eigenvalues.smallest[0];
  const share = accuracy === undefined ? "" : `${formatShare(accuracy)} of rows right`;
  return [
    figure("loss", "Loss", formatNumber(loss.value, 5), share),
    figure("gradient", "Gradient norm", formatNumber(gradient.norm, 4)),
    ...(first && top
      ? [
          figure(
            "eigenvalue",
            "Largest eigenvalue",
            formatEigenvalue(top.value, top.residualNorm),
            `of ${first.text.noun}`,
          ),
        ]
      : []),
    ...(bottom
      ? [
          figure(
            "eigenvalue",
            "Smallest eigenvalue",
            formatEigenvalue(bottom.value, bottom.residualNorm),
            "of the Hessian",
          ),
        ]
      : []),
    ...(first ? [estimated("trace", "Trace", first.matrix.trace, `of ${first.text.noun}`)] : []),
    ...(residualShare ? [estimated("gap", "‖H − G‖ / ‖H‖", residualShare, "Gauss-Newton gap")] : []),
  ];
}

/** Head of the page: model, data and loss, and the most important numbers. */
export function overviewSection(report: CurvatureReport): Markup {
  const { model, data, loss, dtype } = report;
  const line = [
    `${formatCount(model.parameters)} weights`,
    `${formatCount(data.rows)} rows of ${fileName(data.file)}`,
    `${loss.name}, ${loss.reduction} over terms`,
    dtype,
  ].join(" · ");
  return html`<header><p class="kind">Curvature report</p><h1>${fileName(model.file)}</h1><p class="subtitle">${line}</p>
<dl class="facts">${facts(report)}</dl></header>`;
}
