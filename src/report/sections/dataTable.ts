import { type Content, html, type Markup } from "../markup.ts";

/** A table that scrolls within the page if it is too wide, and with `tall` also if it is too long. `bodies` holds its rows. */
export function dataTable(
  label: string,
  {
    heads,
    bodies,
    tall = false,
    words = false,
  }: {
    readonly heads: readonly Content[];
    /** Groups of rows, separated by a line. */
    readonly bodies: readonly Content[];
    readonly tall?: boolean;
    /** True if the columns hold words, which are aligned left, instead of numbers. */
    readonly words?: boolean;
  },
): Markup {
  const cells = heads.map((head) => html`<th scope="col">${head}</th>`);
  const hint = heads.length > 3 ? html`<p class="hint">The table scrolls sideways.</p>` : undefined;
  return html`${hint}<div class="scroll${tall ? " tall" : ""}" tabindex="0" role="region" aria-label="${label}">
<table${words ? html` class="words"` : ""}><thead><tr>${cells}</tr></thead>
${bodies.map((rows) => html`<tbody>${rows}</tbody>`)}</table></div>`;
}

/** A row: its heading and its cells. */
export function dataRow(heading: Content, cells: readonly Content[]): Markup {
  return html`<tr><th scope="row">${heading}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`;
}

/** The name of a series after its coloured mark. */
export function seriesName(series: string, name: Content): Markup {
  return html`<span class="swatch ${series}"></span>${name}`;
}
