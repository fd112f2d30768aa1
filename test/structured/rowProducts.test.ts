import { describe, expect, test } from "vitest";
import { empiricalRisk, takeRows } from "../../src/index.ts";
import { rowGradientNorms, rowGradientProducts } from "../../src/structured/index.ts";
import { dataOf, riskCases } from "../operators/riskCases.ts";
import { networkNames, networkRisk } from "./networks.ts";
import { expectRows } from "./rowComparison.ts";

describe.each(networkNames)("%s", (name) => {
  test("norms and products of the gradients of rows", async () => {
    await using risk = await networkRisk(name);
    const routes = await expectRows(risk);
    expect(routes.length).toBeGreaterThan(0);
    // Other weights, other batches.
    await using small = await networkRisk(name, { batchSize: 2 });
    await expectRows(small.at(small.theta().map((x, i) => x * (1 + 0.1 * Math.sin(i)))), small);
  });
});

describe.each(Object.keys(riskCases))("%s", (name) => {
  test("norms and products of the gradients of rows", async () => {
    const riskCase = riskCases[name];
    const { model, loss } = riskCase;
    await using risk = await empiricalRisk({ model, loss, data: dataOf(riskCase, 2), dtype: "float64" });
    await using few = await risk.on(takeRows(risk.data, [0, 3]), { shard: risk.shard });
    await expectRows(risk, few);
  });
});

test("another model's rows and rows that are coupled are refused", async () => {
  await using risk = await networkRisk("conv1d");
  await using other = await networkRisk("lstm");
  await expect(rowGradientProducts(risk, { other })).rejects.toThrow("the other risk must have the same model");
  await expect(rowGradientNorms({ ...risk, coupledRows: true })).rejects.toThrow(
    "rows that contribute to the loss independently",
  );
});
