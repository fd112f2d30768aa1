import { parseHTML } from "linkedom";
import { expect, test } from "vitest";
import type { Landscape } from "../../src/applications/sharpness/index.ts";
import { renderLandscape } from "../../src/report/index.ts";

const axis = (name: string) => ({ name, steps: [-1, 0, 1], norm: 2, slope: 0.1, curvature: 3, eigenvalue: 0.75 });
const row = (...values: readonly number[]) => Float64Array.from(values);
const cost = { losses: 9, gradients: 1, matvecs: 2 };

const plane: Landscape = {
  axes: [axis("first"), axis("second")],
  values: [row(3, 2, Number.NaN), row(2, 1, 2), row(3, 2, 3)],
  quadratic: [row(3, 2, 3), row(2, 1, 2), row(3, 2, 3)],
  loss: 1,
  mixedCurvature: 0,
  cosine: 0.5,
  message: "the directions are not orthogonal",
  ...cost,
};
const line: Landscape = {
  axes: [axis("<first>")],
  values: [row(3), row(1), row(4)],
  quadratic: [row(3), row(1), row(3)],
  accuracies: [row(0.5), row(1), row(0.25)],
  loss: 1,
  message: "",
  ...cost,
};

test("a plane has the loss and its model as contours, and its numbers", () => {
  const page = renderLandscape({ model: "<b>.onnx", data: "rows.csv", rows: 7, landscape: plane });
  const { document } = parseHTML(page);
  expect(document.querySelectorAll("svg")).toHaveLength(4);
  expect([...document.querySelectorAll("figure .title")].map((each) => each.textContent)).toEqual([
    "Loss",
    "Quadratic model",
    "Loss as a surface",
    "Quadratic model as a surface",
  ]);
  // A cell for each four neighbours with a loss: one of the four corners is not finite.
  const surfaces = [...document.querySelectorAll("svg")].slice(2);
  expect(surfaces.map((svg) => svg.querySelectorAll("polygon").length)).toEqual([3, 4]);
  expect(document.querySelectorAll("tbody tr")).toHaveLength(2 + 3);
  expect(page).toContain("&lt;b&gt;.onnx on 7 rows of rows.csv; the loss at the weights is 1.");
  expect(page).toContain("The directions are not orthogonal.");
  expect(page).toContain("not finite");
  expect(page).not.toContain("<b>");
  // White on the weights, and contours in both.
  for (const svg of [...document.querySelectorAll("svg")].slice(0, 2))
    expect(svg.querySelectorAll("path").length).toBeGreaterThan(1);
});

test("a line has loss, model and accuracy; names are escaped and nothing is loaded", () => {
  const page = renderLandscape({ model: "m.onnx", data: "rows.csv", rows: 7, landscape: line });
  const { document } = parseHTML(page);
  expect(document.querySelectorAll("svg")).toHaveLength(2);
  expect(page).toContain("Loss along &lt;first&gt;");
  expect(page).toContain("quadratic model");
  expect(document.querySelector("svg")!.getAttribute("aria-label")).toContain("The loss goes from 3 over 1 to 4.");
  expect(page).not.toMatch(/<script|<first>|src=/);
});
