import { parseHTML } from "linkedom";
import { expect, test } from "vitest";
import { surfaceFigure } from "../../src/report/figures/surfaceFigure.ts";

const axis = (name: string) => ({ name, steps: [-1, 0, 1] });

function polygons(heights: readonly (readonly number[])[]) {
  const figure = surfaceFigure({ title: "t", description: "d", axes: [axis("<a>"), axis("b")], heights });
  const { document } = parseHTML(`<html><body>${figure.html}</body></html>`);
  return {
    text: figure.html,
    cells: [...document.querySelectorAll("polygon")].map((cell) => ({
      points: cell
        .getAttribute("points")!
        .split(" ")
        .map((point) => point.split(",").map(Number)),
      fill: cell.getAttribute("fill"),
    })),
  };
}

test("higher points lie higher in the picture and have another colour", () => {
  const flat = polygons([
    [0, 0, 0],
    [0, 0, 0],
    [0, 0, 0],
  ]).cells;
  const peak = polygons([
    [0, 0, 0],
    [0, 1, 0],
    [0, 0, 0],
  ]).cells;
  expect(flat).toHaveLength(4);
  // The peak is a corner of all four cells.
  peak.forEach(({ points, fill }, i) => {
    const raised = points.filter(([, y], corner) => y! < flat[i]!.points[corner]![1]! - 100);
    expect(raised).toHaveLength(1);
    expect(fill).not.toBe(flat[i]!.fill);
  });
});

test("cells behind are drawn first, what is not finite is a hole, and names are escaped", () => {
  const { cells, text } = polygons([
    [Number.NaN, 0, 0],
    [0, 0, 0],
    [0, 0, 0],
  ]);
  expect(cells).toHaveLength(3);
  const nearest = cells.map(({ points }) => Math.max(...points.map(([, y]) => y!)));
  expect(nearest).toEqual(nearest.toSorted((a, b) => a - b));
  expect(text).toContain("&lt;a&gt;, -1 to 1");
});
