import type { CurvatureReport } from "../applications/report.ts";
import { printableText } from "../errors/index.ts";
import { comparedRows, comparisonVerdict } from "./comparedModels.ts";
import { html, type Markup, trusted } from "./markup.ts";
import { PAGE_STYLE } from "./pageStyle.ts";
import { dataRow, dataTable } from "./sections/dataTable.ts";
import { terminalText, wrapped } from "./terminalText.ts";

/** A report with the name that a comparison gives it, and the address of its page. */
export interface NamedReport {
  readonly name: string;
  readonly report: CurvatureReport;
  /** Relative address of the page, if there is one. */
  readonly page?: string;
}

const CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** The comparison of several reports on the same data as one self-contained HTML file without a script. */
export function renderComparison(named: readonly NamedReport[]): string {
  const reports = named.map(({ report }) => report);
  const rows = comparedRows(reports, "page");
  const heads = named.map(({ name, page }) => (page === undefined ? name : html`<a href="${page}">${name}</a>`));
  const table = (invariant: boolean): Markup =>
    dataTable(invariant ? "Comparable numbers" : "Numbers that rescaling changes", {
      heads: ["", ...heads],
      bodies: [rows.filter((row) => row.invariant === invariant).map(({ label, values }) => dataRow(label, values))],
    });
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${trusted(CONTENT_POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Comparison of ${named.map(({ name }) => name).join(", ")}</title>
<style>${trusted(PAGE_STYLE)}</style>
</head>
<body>
<main>
<header><p class="kind">Comparison of curvature</p><h1>${named.map(({ name }) => name).join(" and ")}</h1>
<p class="subtitle">${verdictOf(named)}</p></header>
<section><h2>Comparable</h2><p>These numbers stay the same when weights are rescaled without changing the network.</p>${table(true)}</section>
<section><h2>Not comparable as they stand</h2><p>Rescaling weights changes these without changing the network.</p>${table(false)}</section>
</main>
</body>
</html>
`.html;
}

/** The same comparison as a few lines for a terminal, in ASCII except for names. */
export function renderComparisonTable(named: readonly NamedReport[]): string {
  const rows = comparedRows(
    named.map(({ report }) => report),
    "terminal",
  );
  const line = (invariant: boolean) =>
    rows.filter((row) => row.invariant === invariant).map(({ label, values }) => [label, ...values]);
  const head = ["", ...named.map(({ name }) => printableText(name))];
  const table = [head, ...line(true), ["changed by rescaling weights:"], ...line(false)];
  const widths = head.map((_, column) =>
    Math.max(...table.filter((row) => row.length > 1).map((row) => row[column].length)),
  );
  const lines = table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join("  ")
      .trimEnd(),
  );
  return [...lines, "", ...wrapped(terminalText(verdictOf(named)), ""), ""].join("\n");
}

function verdictOf(named: readonly NamedReport[]): string {
  return comparisonVerdict(
    named.map(({ report }) => report),
    named.map(({ name }) => name),
  );
}
