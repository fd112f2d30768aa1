import type { CurvatureReport } from "../applications/report.ts";
import { definitionsSection } from "./definitions.ts";
import { html, type Markup, trusted } from "./markup.ts";
import { presentMatrices } from "./matrixText.ts";
import { PAGE_SCRIPT, PAGE_SCRIPT_HASH } from "./pageScript.ts";
import { PAGE_STYLE } from "./pageStyle.ts";
import {
  comparisonSection,
  costSection,
  densitySection,
  fileName,
  findingsSection,
  layersSection,
  overviewSection,
  setupSection,
  structuredSection,
} from "./sections/index.ts";

/** The page may use only its own styles and its own script, known by hash: no other script, image, font, frame or connection. */
const CONTENT_POLICY = `default-src 'none'; style-src 'unsafe-inline'; script-src '${PAGE_SCRIPT_HASH}'; base-uri 'none'; form-action 'none'`;

/** Sections of the page, in order, by anchor. */
const SECTIONS: readonly (readonly [anchor: string, title: string])[] = [
  ["findings", "In short"],
  ["matrices", "Matrices"],
  ["density", "Spectrum"],
  ["layers", "Layers"],
  ["structured", "Approximations"],
  ["cost", "Cost"],
  ["setup", "How it was made"],
  ["definitions", "Definitions"],
];

function contents(sections: readonly (Markup | undefined)[]): Markup {
  const page = sections.map((section) => section?.html ?? "").join("");
  const present = SECTIONS.filter(([anchor]) => page.includes(`<section id="${anchor}"`));
  const items = present.map(([anchor, title]) => html`<li><a href="#${anchor}">${title}</a></li>`);
  return html`<nav class="contents" aria-label="Contents"><ul>${items}</ul></nav>`;
}

function banner({ partial, matrices }: CurvatureReport): Markup | undefined {
  if (partial !== true) return undefined;
  const titles = Object.values(matrices).map(({ title }) => title);
  return html`<p class="banner">Partial report: the run was stopped after ${titles.join(", ")}. The same command with --resume finishes it.</p>`;
}

/**
 * The report as one self-contained HTML file: answers in words, tables, figures as inline SVG, definitions with formulas. It loads nothing,
 * and runs no script but its own few lines, which a content security policy enforces by hash; it reads the same without them. It shows all
 * matrices of the report. Text from files is escaped.
 */
export function renderHtml(report: CurvatureReport): string {
  const matrices = presentMatrices(report).length > 0;
  const sections = [
    findingsSection(report),
    matrices ? comparisonSection(report) : undefined,
    matrices ? densitySection(report) : undefined,
    layersSection(report),
    structuredSection(report),
    matrices ? costSection(report) : undefined,
    setupSection(report),
    definitionsSection(),
  ];
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${trusted(CONTENT_POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="onnx-curvature ${report.version}">
<title>Curvature of ${fileName(report.model.file)}</title>
<style>${trusted(PAGE_STYLE)}</style>
</head>
<body>
<main>
${overviewSection(report)}
${banner(report)}
${contents(sections)}
${sections}
</main>
<script>${trusted(PAGE_SCRIPT)}</script>
</body>
</html>
`;
  return page.html;
}
