import type { CurvatureReport } from "../applications/report.ts";
import { definitionsSection } from "./definitions.ts";
import { html, trusted } from "./markup.ts";
import { presentMatrices } from "./matrixText.ts";
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
} from "./sections/index.ts";

/** The page may use only its own styles: no script, image, font, frame or connection, even if a name contains one. */
const CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/**
 * The report as one self-contained HTML file: answers in words, tables, figures as inline SVG, definitions with formulas. It loads nothing
 * and runs no script, which a content security policy enforces. It shows all matrices of the report. Text from files is escaped.
 */
export function renderHtml(report: CurvatureReport): string {
  const matrices = presentMatrices(report).length > 0;
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
${findingsSection(report)}
${matrices ? comparisonSection(report) : undefined}
${matrices ? densitySection(report) : undefined}
${layersSection(report)}
${matrices ? costSection(report) : undefined}
${setupSection(report)}
${definitionsSection()}
</main>
</body>
</html>
`;
  return page.html;
}
