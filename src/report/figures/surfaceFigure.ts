import { printableText } from "../../errors/index.ts";
import { shortened } from "../format.ts";
import { html, type Markup } from "../markup.ts";

/** A surface over a rectangular grid. */
export interface Surface {
  readonly title: string;
  /** The content in words, for readers who cannot see the figure. */
  readonly description: string;
  readonly axes: readonly [first: SurfaceAxis, second: SurfaceAxis];
  /** `heights[a][b]` from 0 to 1 at step a of the first axis and b of the second; a number that is not finite leaves a hole. */
  readonly heights: readonly (readonly number[])[];
  /** A marked point: its steps and its height. */
  readonly point?: { readonly at: readonly [number, number]; readonly height: number };
}

/** An axis of a surface: its name and its ascending steps. */
export interface SurfaceAxis {
  readonly name: string;
  readonly steps: readonly number[];
}

const [WIDTH, HEIGHT] = [500, 360];

/** Length of an axis and of the height 1, in pixels. */
const [SIDE, RISE] = [300, 170];

/** Directions of view: rotation about the vertical axis, and the sine of the height of the eye. */
const TURN = (32 * Math.PI) / 180;
const TILT = 0.5;

/** Colours at equal distances from low to high: dark blue to yellow, as those of the contours. */
const COLOURS = [
  [68, 1, 84],
  [59, 82, 139],
  [33, 145, 140],
  [94, 201, 98],
  [253, 231, 37],
] as const;

type Point = readonly [x: number, y: number];

/** A surface as a picture of its cells in parallel projection, those behind drawn first. Height is shown by place and by colour. */
export function surfaceFigure({ title, description, axes, heights, point }: Surface): Markup {
  const label = printableText(`${title}. ${description}`);
  const [first, second] = axes;
  const place = (a: number, b: number, height: number) => projected([share(first, a), share(second, b)], height);
  const cells = cellsOf(axes, heights).map(({ corners, height }) => {
    const points = corners.map(([a, b, z]) =>
      place(a, b, z)
        .map((x) => x.toFixed(1))
        .join(","),
    );
    return html`<polygon points="${points.join(" ")}" fill="${colourOf(height)}"/>`;
  });
  const [a0, a1] = [first.steps[0]!, first.steps.at(-1)!];
  const [b0, b1] = [second.steps[0]!, second.steps.at(-1)!];
  const frame = [place(a0, b1, 0), place(a1, b1, 0), place(a1, b0, 0)].map((at) =>
    at.map((x) => x.toFixed(1)).join(","),
  );
  const marked = point && place(...point.at, point.height);
  const dot = marked && html`<circle cx="${marked[0]}" cy="${marked[1]}" r="4" fill="white" stroke="black"/>`;
  const [along, across] = [place((a0 + a1) / 2, b1, 0), place(a1, (b0 + b1) / 2, 0)];
  return html`<figure><div class="title">${title}</div><svg role="img" aria-label="${label}" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-size="12">
<polyline points="${frame.join(" ")}" fill="none" stroke="currentColor" stroke-opacity="0.5"/>
<g stroke="white" stroke-width="0.4" stroke-linejoin="round">${cells}</g>${dot}
<g fill="currentColor"><text x="${along[0] - 8}" y="${along[1] + 22}" text-anchor="end">${axisText(first)}</text>
<text x="${WIDTH - 4}" y="${across[1] + 40}" text-anchor="end">${axisText(second)}</text></g></svg></figure>`;
}

function axisText({ name, steps }: SurfaceAxis): string {
  const end = (x: number) => String(Number(x.toPrecision(3)));
  return `${printableText(shortened(name, 22))}, ${end(steps[0]!)} to ${end(steps.at(-1)!)}`;
}

function share({ steps }: SurfaceAxis, step: number): number {
  const [from, to] = [steps[0]!, steps.at(-1)!];
  return to === from ? 0.5 : (step - from) / (to - from);
}

/** Cells with a height at each corner, from back to front. */
function cellsOf([first, second]: Surface["axes"], heights: Surface["heights"]) {
  const cells = first.steps.slice(1).flatMap((_, a) =>
    second.steps.slice(1).flatMap((__, b) => {
      const indices = [
        [a, b],
        [a + 1, b],
        [a + 1, b + 1],
        [a, b + 1],
      ] as const;
      const corners = indices.map(([i, j]) => [first.steps[i]!, second.steps[j]!, heights[i]![j]!] as const);
      const height = corners.reduce((sum, [, , z]) => sum + z / 4, 0);
      const depth = depthOf([share(first, first.steps[a]!), share(second, second.steps[b]!)]);
      return Number.isFinite(height) ? [{ corners, height, depth }] : [];
    }),
  );
  return cells.sort((x, y) => x.depth - y.depth);
}

/** Nearness to the eye of a place in the unit square. */
function depthOf([u, v]: Point): number {
  return (u - 0.5) * Math.sin(TURN) + (v - 0.5) * Math.cos(TURN);
}

function projected(place: Point, height: number): Point {
  const [u, v] = place;
  const x = (u - 0.5) * Math.cos(TURN) - (v - 0.5) * Math.sin(TURN);
  return [WIDTH / 2 + SIDE * x, HEIGHT * 0.66 + SIDE * TILT * depthOf(place) - RISE * height];
}

function colourOf(height: number): string {
  const at = Math.min(1, Math.max(0, height)) * (COLOURS.length - 1);
  const below = Math.min(Math.floor(at), COLOURS.length - 2);
  const mixed = COLOURS[below]!.map((low, i) => Math.round(low + (at - below) * (COLOURS[below + 1]![i]! - low)));
  return `rgb(${mixed.join(" ")})`;
}
