import { type Content, html, type Markup } from "../markup.ts";

/** A table that scrolls within the page where it is too wide, and with `tall` where it is too long. `body` holds its rows. */
export function dataTable(
  label: string,
  {
    heads,
    bodies,
    tall = false,
    words = false,
  }: {
    readonly heads: readonly Content[];
    /** Groups of rows, set apart by a line. */
    readonly bodies: readonly Content[];
    readonly tall?: boolean;
    /** True where the columns hold words, which align left, rather than numbers. */
    readonly words?: boolean;
  },
): Markup {
  const cells = heads.map((head) => html`<th scope="col">${head}</th>`);
  return html`<div class="scroll${tall ? " tall" : ""}" tabindex="0" role="region" aria-label="${label}">
<table${words ? html` class="words"` : ""}><thead><tr>${cells}</tr></thead>
${bodies.map((rows) => html`<tbody>${rows}</tbody>`)}</table></div>`;
}

/** A row: its heading and its cells. */
export function dataRow(heading: Content, cells: readonly Content[]): Markup {
  return html`<tr><th scope="row">${heading}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`;
}

/** The coloured mark of a series before its name. */
export function seriesName(series: string, name: Content): Markup {
  return html`<span class="swatch ${series}"></span>${name}`;
}
