import { type PlotOptions, plot } from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { printableText } from "../../errors/index.ts";
import { html, type Markup, trusted } from "../markup.ts";

/** Width in pixels at which figures are drawn; two of them fit side by side on a wide page. */
export const FIGURE_WIDTH = 500;

/** Texts of a figure. */
export interface FigureText {
  /** Heading above the figure. */
  readonly title: string;
  /** The whole content in words, for readers who cannot see the figure. */
  readonly description: string;
  /** Line below the figure: legend and how to read it. */
  readonly caption?: Markup;
}

/**
 * A figure as inline SVG, drawn without a browser. Colours are the page's style variables, so one drawing fits the light, the dark and the
 * printed page.
 */
export function drawFigure(options: PlotOptions, { title, description, caption }: FigureText): Markup {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const drawing = plot({
    document,
    className: "plot",
    width: FIGURE_WIDTH,
    marginTop: 24,
    marginRight: 20,
    marginBottom: 44,
    marginLeft: 60,
    style: { fontSize: "12px", overflow: "visible" },
    ...options,
  });
  // Insert the description as escaped text: linkedom does not escape "<" in attributes.
  const labelled = html`<svg role="img" aria-label="${`${title}. ${description}`}"`.html;
  // Labels of axes are names, for which the drawing library escapes only HTML.
  const svg = printableText(drawing.outerHTML, { keepLines: true }).replace(/^<svg/, () => labelled);
  const below = caption ? html`<figcaption>${caption}</figcaption>` : undefined;
  return html`<figure><div class="title">${title}</div>${trusted(svg)}${below}</figure>`;
}

/** A coloured mark with its meaning, for legends. `series` is a style class of the page. */
export function legendEntry(series: string, meaning: string): Markup {
  return html`<span class="key"><span class="swatch ${series}"></span>${meaning}</span> `;
}

/** The style variable that holds the colour of a series, such as "series-1". */
export function colour(series: string): string {
  return `var(--${series})`;
}
