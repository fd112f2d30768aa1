import { printableText } from "../../errors/index.ts";
import { html, type Markup, trusted } from "../markup.ts";
import { colour } from "./drawFigure.ts";

/** Steps of shade of one sign. */
const SHADES = 10;

/** A square matrix to draw, as columns. */
export interface DrawnMatrix {
  readonly title: string;
  readonly columns: readonly (readonly number[])[];
  /** Size of entry that gets the full colour, the same for matrices to be compared. */
  readonly largest: number;
  /** The content in words, for readers who cannot see the figure. */
  readonly description: string;
}

/**
 * A matrix as a picture: one cell an entry, shaded by the square root of its size over `largest`, so that small entries stay visible; positive
 * entries in one colour, negative ones in another. Cells of one shade are one path, and neighbours in a row one rectangle of it.
 */
export function matrixFigure({ title, columns, largest, description }: DrawnMatrix): Markup {
  const size = columns.length;
  const paths = new Map<number, string[]>();
  for (let row = 0; row < size; row++) {
    const shades = columns.map((column) => shadeOf(column[row] ?? 0, largest));
    for (let from = 0; from < size; ) {
      let to = from + 1;
      while (to < size && shades[to] === shades[from]) to++;
      const shade = shades[from]!;
      if (shade !== 0) paths.set(shade, [...(paths.get(shade) ?? []), `M${from} ${row}h${to - from}v1h${from - to}z`]);
      from = to;
    }
  }
  const drawn = [...paths].map(([shade, parts]) => {
    const fill = shade > 0 ? colour("series-1") : colour("negative");
    return html`<path d="${parts.join("")}" fill="${fill}" fill-opacity="${(Math.abs(shade) / SHADES).toFixed(2)}"/>`;
  });
  const label = printableText(`${title}. ${description}`);
  return html`<figure class="matrix"><div class="title">${title}</div><svg role="img" aria-label="${label}" viewBox="0 0 ${size} ${size}" shape-rendering="crispEdges"><rect width="${size}" height="${size}" fill="${trusted("var(--wash)")}"/>${drawn}</svg></figure>`;
}

/** The shade of an entry, negative for a negative one, 0 where it is too small to be seen. */
function shadeOf(value: number, largest: number): number {
  if (!(largest > 0) || value === 0) return 0;
  const shade = Math.round(SHADES * Math.sqrt(Math.min(1, Math.abs(value) / largest)));
  return value > 0 ? shade : -shade;
}
