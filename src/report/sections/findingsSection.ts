import type { CurvatureReport } from "../../applications/report.ts";
import { linked } from "../definitions.ts";
import type { Finding } from "../finding.ts";
import { findings } from "../findings.ts";
import { html, type Markup } from "../markup.ts";
import { QUESTIONS } from "../questions.ts";

function row({ topic, tone, answer, details }: Finding): Markup {
  const [question, definition] = QUESTIONS[topic];
  const mark = tone === "caution" ? html`<span class="mark">Caution:</span> ` : undefined;
  return html`<div class="finding ${tone}"><dt>${linked(definition, question)}</dt><dd><p class="answer">${mark}${answer}</p>${
    details.length > 0 ? html`<p>${details.join(" ")}</p>` : undefined
  }</dd></div>`;
}

/** The findings in plain words, one question each. */
export function findingsSection(report: CurvatureReport): Markup {
  return html`<section id="findings"><h2>In short</h2><dl class="findings">${findings(report).map(row)}</dl></section>`;
}
