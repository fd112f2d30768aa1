import { expect, test } from "vitest";
import { arrays, crossEntropy, empiricalRisk, loadModel } from "../../src/index.ts";
import { tinyModel } from "../models/tinyModel.ts";

/** An embedding of five tokens in two numbers, each of which is a logit, behind a cast of the ids. */
function embedding() {
  return tinyModel({
    inputs: [{ name: "ids", dtype: "int32", dims: ["n"] }],
    nodes: [
      { op: "Cast", inputs: ["ids"], outputs: ["wide"], attributes: { to: { int: 7 } } },
      { op: "Gather", inputs: ["table", "wide"], outputs: ["y"], attributes: { axis: { int: 0 } } },
    ],
    weights: {
      table: [
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        [5, 2],
      ],
    },
  });
}

async function riskOf(ids: readonly number[]) {
  const model = await loadModel(embedding());
  const inputs = { ids: { data: Int32Array.from(ids), dims: [ids.length] } };
  const targets = { data: new Int32Array(ids.length), dims: [ids.length] };
  return empiricalRisk({ model, loss: crossEntropy(), data: arrays({ inputs, targets, batchSize: 2 }) });
}

test("a token id beyond the table is named with input, row and size of the table", async () => {
  await expect(riskOf([0, 4, 2, 5])).rejects.toThrow(
    /input "ids" at row 3 is the token 5, expected 0 to 4, since "table" of .* has 5 rows; use the tokenizer of this model/,
  );
  await expect(riskOf([-6])).rejects.toThrow(/at row 0 is the token -6/);
});

test("ids within it, negative ones from the end included, are taken", async () => {
  const risk = await riskOf([0, 4, -5, -1]);
  expect(await risk.loss()).toBeCloseTo(Math.log(1 + Math.E), 5);
  await risk.dispose();
});
