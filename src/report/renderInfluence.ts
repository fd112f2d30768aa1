import type { Influence, QueryInfluence, RowInfluence, SelfInfluence } from "../applications/influence/index.ts";
import { type PictureShape, rowPicture } from "./figures/rowPicture.ts";
import { selfInfluenceFigure } from "./figures/selfInfluenceFigure.ts";
import { formatCount, formatNumber } from "./format.ts";
import { type Content, html, type Markup, trusted } from "./markup.ts";
import { PAGE_STYLE } from "./pageStyle.ts";
import { dataRow, dataTable } from "./sections/dataTable.ts";

/** A row as the page shows it. */
export interface ShownRow {
  readonly row: number;
  readonly values: ArrayLike<number>;
  /** Its label or target, as text. */
  readonly label?: string;
}

/** Influences with the rows that they are about. */
export interface InfluencePage {
  /** Name of the model's file. */
  readonly model: string;
  /** Name of the training data, and of the queries. */
  readonly data: string;
  readonly queryData?: string;
  readonly rows: number;
  /** What the curvature matrix is, in words. */
  readonly matrix: string;
  readonly influence?: Influence;
  readonly self?: SelfInfluence;
  /** The queries that are shown, and the training rows that come up, in any order. */
  readonly queryRows?: readonly ShownRow[];
  readonly trainRows: readonly ShownRow[];
  /** Axes of a row that is a picture; without them rows are shown as values. */
  readonly picture?: PictureShape;
}

const CONTENT_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

const OWN_STYLE = `
.picture { image-rendering: pixelated; height: 64px; width: auto; border: 1px solid var(--line); border-radius: 4px; display: block; }
.query > .picture { height: 96px; margin-bottom: 12px; }
td .picture { margin-left: auto; }
.rows { display: flex; flex-wrap: wrap; gap: 14px 16px; margin: 8px 0 20px; padding: 0; list-style: none; }
.rows li { font-size: 0.8rem; color: var(--soft); font-variant-numeric: tabular-nums; }
.rows .effect { color: var(--ink); }
.query { border-bottom: 1px solid var(--line); padding: 16px 0 4px; }
.query h3 { margin-top: 0; }
.query .title { margin-top: 12px; }
`;

/** Columns of a row of values that fit beside its numbers. */
const SHOWN_COLUMNS = 12;

/**
 * Influences as one self-contained HTML file: for each query the most helpful and harmful training rows, as pictures or values, and the rows of largest influence on
 * themselves beside their losses. It loads nothing and runs no script. Text from files is escaped.
 */
export function renderInfluence(page: InfluencePage): string {
  const { model, data, rows, influence, self } = page;
  const warnings = [...(influence?.warnings ?? []), ...(self?.warnings ?? [])];
  const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${trusted(CONTENT_POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Influence of training rows on ${model}</title>
<style>${trusted(PAGE_STYLE)}${trusted(OWN_STYLE)}</style>
</head>
<body>
<main>
<header><h1>Influence of training rows</h1>
<p class="subtitle">${model} and its ${formatCount(rows)} training rows, ${data}.</p>
${facts(page)}
${[...new Set(warnings)].map((warning) => html`<p class="banner">${warning}</p>`)}</header>
${influence === undefined ? undefined : querySection(page, influence)}
${self === undefined ? undefined : selfSection(page, self)}
${definitions(page)}
</main>
</body>
</html>
`;
  return document.html;
}

function facts({ influence, self, matrix }: InfluencePage): Markup {
  const { damping, dampingShare, residual, solver } = (influence ?? self)!;
  const fact = (name: string, value: Content, note: string) =>
    html`<div class="fact"><dt>${name}</dt><dd>${value}</dd><dd class="note">${note}</dd></div>`;
  return html`<dl class="facts">
${fact("Matrix", matrix, `solved by ${solver.method}: ${solver.why}`)}
${fact("Damping", formatNumber(damping, 3), `${percent(dampingShare)} of a typical quadratic form`)}
${fact("Largest residual", formatNumber(residual, 2), "of a solution, over its right-hand side")}
${influence === undefined ? undefined : fact("Gradient", formatNumber(influence.gradientNorm, 3), "norm at the weights; 0 at a minimum")}
</dl>`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}

function querySection(page: InfluencePage, influence: Influence): Markup {
  const shown = page.queryRows ?? [];
  const better = influence.better === "lower" ? "lower is better" : "higher is better";
  const left = influence.queries.length - shown.length;
  return html`<section id="queries"><h2>Queries</h2>
<p>For each row of ${page.queryData ?? "the queries"} the training rows without which its ${influence.measurement} (${better}) would become worse (helpful) or better (harmful). The number is the predicted change if the row is removed.${columnsText(page)}${left > 0 ? ` The first ${formatCount(shown.length)} of ${formatCount(influence.queries.length)} queries are shown.` : ""}</p>
${shown.map((row) => queryMarkup(page, { row, query: influence.queries[row.row]! }))}</section>`;
}

/** Says which columns of values are shown, where these are not all. */
function columnsText({ picture, queryRows }: InfluencePage): string {
  const count = queryRows?.[0]?.values.length ?? 0;
  if (picture !== undefined || count <= SHOWN_COLUMNS) return "";
  return ` Of each row the first ${SHOWN_COLUMNS} of ${formatCount(count)} values are shown.`;
}

function queryMarkup(
  page: InfluencePage,
  { row, query }: { readonly row: ShownRow; readonly query: QueryInfluence },
): Markup {
  const { picture, influence } = page;
  const title = `Query ${row.row}${row.label === undefined ? "" : `, label ${row.label}`}: ${influence!.measurement} ${formatNumber(query.value, 4)}`;
  return html`<div class="query"><h3>${title}</h3>
${picture === undefined ? undefined : rowPicture(row.values, { shape: picture, description: title })}
<div class="title">Most helpful</div>${rowsMarkup(page, query.helpful, row)}
<div class="title">Most harmful</div>${rowsMarkup(page, query.harmful, row)}</div>`;
}

function rowsMarkup(page: InfluencePage, influences: readonly RowInfluence[], query: ShownRow): Markup {
  const known = new Map(page.trainRows.map((shown) => [shown.row, shown]));
  if (page.picture === undefined) return valuesTable(influences, known, query);
  const shape = page.picture;
  return html`<ul class="rows">${influences.map(({ row, ifRemoved }) => {
    const shown = known.get(row);
    const label = shown?.label === undefined ? "" : `, label ${shown.label}`;
    const description = `Training row ${row}${label}`;
    return html`<li>${shown === undefined ? undefined : rowPicture(shown.values, { shape, description })}<span class="effect">${signed(ifRemoved)}</span><br>row ${row}${label}</li>`;
  })}</ul>`;
}

function signed(value: number): string {
  return `${value > 0 ? "+" : ""}${formatNumber(value, 3)}`;
}

function valuesTable(
  influences: readonly RowInfluence[],
  known: ReadonlyMap<number, ShownRow>,
  query: ShownRow,
): Markup {
  const count = Math.min(SHOWN_COLUMNS, query.values.length);
  const cells = (shown: ShownRow | undefined) =>
    Array.from({ length: count }, (_, i) => (shown === undefined ? "" : formatNumber(shown.values[i]!, 3)));
  const heads = ["row", "if removed", "label", ...Array.from({ length: count }, (_, i) => String(i))];
  return dataTable("Rows", {
    heads,
    bodies: [
      [dataRow("the query", ["", query.label ?? "", ...cells(query)])],
      influences.map(({ row, ifRemoved }) =>
        dataRow(String(row), [signed(ifRemoved), known.get(row)?.label ?? "", ...cells(known.get(row))]),
      ),
    ],
  });
}

/** Rows of the table of self-influence. */
const LISTED = 20;

function selfSection({ trainRows, picture }: InfluencePage, self: SelfInfluence): Markup {
  const place = new Map(self.rows.map((row, index) => [row, index]));
  const lossRank = new Map(self.lossRanking.map((row, rank) => [row, rank + 1]));
  const known = new Map(trainRows.map((shown) => [shown.row, shown]));
  const listed = self.ranking.slice(0, LISTED);
  const heads = ["row", ...(picture ? ["picture"] : []), "label", "self-influence", "loss", "rank by loss"];
  const rows = listed.map((row) => {
    const shown = known.get(row);
    const index = place.get(row)!;
    const label = shown?.label ?? "";
    const image = picture &&
      shown && [rowPicture(shown.values, { shape: picture, description: `Row ${row}, label ${label}` })];
    return dataRow(String(row), [
      ...(image ?? (picture ? [""] : [])),
      label,
      formatNumber(self.scores[index]!, 4),
      formatNumber(self.losses[index]!, 4),
      formatCount(lossRank.get(row)!),
    ]);
  });
  return html`<section id="self"><h2>Influence of rows on themselves</h2>
<p>A row whose loss would rise much without it is supported by no other: a wrong label or a rare case. Look at these first. The rank by loss is what looking at the largest losses alone would give.</p>
<div class="pair">${selfInfluenceFigure(self)}</div>
${dataTable("Rows of largest self-influence", { heads, bodies: [rows] })}</section>`;
}

function definitions({ influence, self }: InfluencePage): Markup {
  const entry = (name: string, formula: string, text: string) =>
    html`<div class="definition"><dt>${name}</dt><dd><div class="formula">${formula}</div><p>${text}</p></dd></div>`;
  const rows = formatCount((influence?.rows ?? self?.rows.length)!);
  return html`<section id="definitions"><h2>Definitions</h2><dl>
${entry("Score", "s(t, z) = g_t' (A + d I)⁻¹ g_z", "g: gradients of the value of query t and of the loss of training row z at the weights; A: curvature matrix of the mean training objective, penalty included; d: damping.")}
${entry("If removed", "+ s / N", `Predicted change of the query's value when the row is removed from the ${rows} training rows and the model is trained on to its minimum. To first order; for a single row of a trained network the sign and the order of rows are more reliable than the size.`)}
${entry("If counted twice", "- s / N", "The opposite: predicted change when the row's weight goes from 1 to 2.")}
${entry("Self-influence", "s(z, z)", "Over N, the predicted rise of the row's own loss when it is removed.")}
${entry("Share of the damping", "d |x|² / x'(A + d I) x,  x = (A + d I)⁻¹ g", "Near 100 % the scores are inner products of gradients, and curvature has no say in them.")}
</dl></section>`;
}
