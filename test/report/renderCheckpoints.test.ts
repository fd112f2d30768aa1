import { parseHTML } from "linkedom";
import { expect, test } from "vitest";
import { type NamedCheckpoint, renderCheckpoints } from "../../src/report/index.ts";

const checkpoint = (name: string, loss: number): NamedCheckpoint => ({
  name,
  loss,
  gradientNorm: 0.1,
  trace: { value: 10 * loss, standardError: 0.5 },
  largestEigenvalue: { value: 4, residualNorm: 0.001 },
  stableLearningRate: 0.5,
  adaptiveSharpness: { radius: 0.5, value: 0.02 },
});

test("draws each quantity that all checkpoints have, and states all numbers", () => {
  const checkpoints = [checkpoint("<first>.onnx", 2), checkpoint("second.onnx", 1)];
  const { document } = parseHTML(renderCheckpoints({ checkpoints, data: "rows.csv", rows: 7 }));
  expect([...document.querySelectorAll("figure .title")].map(({ textContent }) => textContent)).toEqual([
    "Loss",
    "Trace of the Hessian",
    "Largest eigenvalue of the Hessian",
    "Largest stable learning rate",
    "Adaptive sharpness",
  ]);
  expect(document.querySelectorAll("tbody tr")).toHaveLength(2);
  expect(document.querySelector("tbody tr")!.textContent).toContain("<first>.onnx");
  expect(document.querySelector("first")).toBeNull();
  expect(document.querySelector(".subtitle")!.textContent).toBe("<first>.onnx, second.onnx on 7 rows of rows.csv.");
});

test("one checkpoint has numbers and no curves, and what is not finite is left out of them", () => {
  const single = parseHTML(renderCheckpoints({ checkpoints: [checkpoint("a", 1)], data: "d", rows: 1 })).document;
  expect(single.querySelectorAll("figure")).toHaveLength(0);
  expect(single.querySelectorAll("tbody tr")).toHaveLength(1);
  const flat = { ...checkpoint("b", 1), accuracy: 0.5, stableLearningRate: Number.POSITIVE_INFINITY };
  const { document } = parseHTML(renderCheckpoints({ checkpoints: [flat, flat], data: "d", rows: 1 }));
  const titles = [...document.querySelectorAll("figure .title")].map(({ textContent }) => textContent);
  expect(titles).toContain("Accuracy");
  expect(titles).not.toContain("Largest stable learning rate");
});
