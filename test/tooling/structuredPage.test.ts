import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { approximate } from "../../examples/structured/approximate.mjs";
import { arrays, crossEntropy, empiricalRisk, loadModel } from "../../src/index.ts";
import { stream } from "../../src/random/index.ts";

const page = readFileSync("docs/structured.md", "utf8");

test("docs/structured.md shows examples/structured/approximate.mjs as it is", () => {
  expect(page).toContain(`\`\`\`js\n${readFileSync("examples/structured/approximate.mjs", "utf8")}\`\`\``);
});

test("the step of the page is a descent direction, and every parameter has a block", async () => {
  const random = stream(8, "structured page");
  const rows = 20;
  await using risk = await empiricalRisk({
    model: await loadModel("examples/digits/digits_mlp.onnx"),
    loss: crossEntropy(),
    data: arrays({
      inputs: { data: Float32Array.from({ length: rows * 64 }, () => random.uniform()), dims: [rows, 64] },
      targets: { data: Int32Array.from({ length: rows }, (_, i) => i % 10), dims: [rows] },
    }),
    dtype: "float64",
  });
  const { step, coverage, error } = await approximate(risk);
  expect(coverage.map(({ parameter }) => parameter)).toEqual(risk.parameters.map(({ name }) => name));
  expect(error.relativeError).toBeLessThan(1);
  const theta = risk.theta();
  const moved = risk.at(Float64Array.from(theta, (x, i) => x - 1e-3 * step[i]));
  expect(await moved.loss()).toBeLessThan(await risk.loss());
});
