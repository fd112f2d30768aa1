import type { CurvatureReport } from "../../applications/report.ts";
import { type DefinitionName, linked } from "../definitions.ts";
import type { Finding, FindingTopic } from "../finding.ts";
import { findings } from "../findings.ts";
import { html, type Markup } from "../markup.ts";

const QUESTIONS: Readonly<Record<FindingTopic, readonly [question: string, definition: DefinitionName]>> = {
  sharpness: ["How sharp is it?", "eigenvalue"],
  minimum: ["Is it a minimum?", "eigenvalue"],
  gradient: ["How steep is it here?", "gradient"],
  gaussNewton: ["How far is H from G?", "gap"],
  fisher: ["Do the Fisher matrices agree?", "fisher"],
  rank: ["How many directions matter?", "rank"],
  layers: ["Which layers are sensitive?", "mean-curvature"],
  certainty: ["How sure, at what cost?", "standard-error"],
};

function row({ topic, tone, answer, details }: Finding): Markup {
  const [question, definition] = QUESTIONS[topic];
  return html`<div class="finding ${tone}"><dt>${linked(definition, question)}</dt><dd><p class="answer">${answer}</p>${
    details.length > 0 ? html`<p>${details.join(" ")}</p>` : undefined
  }</dd></div>`;
}

/** The findings in plain words, one question each. */
export function findingsSection(report: CurvatureReport): Markup {
  return html`<section id="findings"><h2>In short</h2><dl class="findings">${findings(report).map(row)}</dl></section>`;
}
