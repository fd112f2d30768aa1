import { parseHTML } from "linkedom";
import { expect, test } from "vitest";
import type { PruningComparison, PruningPoint } from "../../src/applications/pruning/index.ts";
import { renderPruning } from "../../src/report/index.ts";

const point = (sparsity: number, loss: number, beyondQuadratic = false): PruningPoint => ({
  asked: sparsity,
  sparsity,
  removed: 100 * sparsity,
  predictedIncrease: sparsity / 100,
  loss,
  accuracy: 1 - sparsity / 2,
  validationLoss: 2 * loss,
  validationAccuracy: 0.9 - sparsity / 2,
  beyondQuadratic,
  tensors: [{ name: "<w>", layer: "layer", weights: 100, removed: 100 * sparsity, largestRemoved: 0.25 }],
  matvecs: 7,
  message: "",
  theta: new Float32Array(3),
});
const curve = (method: "magnitude" | "obs", title: string, factor: number) => ({
  method,
  title,
  points: [point(0.5, 0.02 * factor), point(0.9, 0.5 * factor, true)],
});
const comparison: PruningComparison = {
  loss: 0.01,
  accuracy: 1,
  validationLoss: 0.1,
  validationAccuracy: 0.97,
  size: 120,
  candidates: 100,
  damping: 1e-3,
  steps: 1,
  scope: "global",
  curves: [curve("magnitude", "magnitude", 3), curve("obs", "OBS <G>", 1)],
};

test("loss and accuracy of all methods as curves, predicted and measured, with their numbers", () => {
  const written = { method: "OBS <G>", point: comparison.curves[1]!.points[1]!, file: "pruned.onnx" };
  const test360 = { data: "test.csv", rows: 360 };
  const page = renderPruning({ model: "<b>.onnx", data: "rows.csv", rows: 7, test: test360, comparison, written });
  const { document } = parseHTML(page);
  expect([...document.querySelectorAll("figure .title")].map((each) => each.textContent)).toEqual([
    "Loss",
    "Accuracy",
    "Loss on test.csv",
    "Accuracy on test.csv",
  ]);
  const [loss] = document.querySelectorAll("svg");
  // Predicted and measured, for both methods.
  expect(loss!.querySelectorAll("path[stroke-dasharray], [stroke-dasharray] path").length).toBeGreaterThanOrEqual(2);
  expect(loss!.getAttribute("aria-label")).toContain("OBS <G>: 0.02 at 50 %, 0.5 at 90 %");
  expect(document.querySelectorAll("tbody tr")).toHaveLength(4 + 1);
  expect(page).toContain("&lt;b&gt;.onnx on 7 rows of rows.csv; the loss of the whole network is 0.01.");
  expect(page).toContain("pruned.onnx has the weights of OBS &lt;G&gt; at 90 % sparsity, loss 0.5.");
  expect(page.match(/title="beyond the quadratic region"/g)).toHaveLength(2);
  expect(page).not.toMatch(/<script|<b>|<G>|<w>|src=/);
});

test("without classes and other rows there is one figure; steps, scope and patterns are named", () => {
  const { accuracy: _, validationLoss: __, validationAccuracy: ___, ...rest } = comparison;
  const page = renderPruning({
    model: "m.onnx",
    data: "rows.csv",
    rows: 7,
    comparison: { ...rest, steps: 4, scope: "layer", curves: [curve("obs", "OBS", 1)] },
  });
  expect(parseHTML(page).document.querySelectorAll("svg")).toHaveLength(1);
  expect(page).toContain("in 4 steps, with saliencies and matrix anew at each: the same share of each tensor");
  expect(page).not.toContain("pruned.onnx");
  const pattern = renderPruning({ model: "m", data: "d", rows: 7, comparison: { ...rest, pattern: "2:4" } });
  expect(pattern).toContain("in one shot: the pattern 2:4");
});
