import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { arrays, crossEntropy, empiricalRisk, type Risk } from "../../src/index.ts";
import { diagonal, loadStructured, riskIdentity, saveStructured } from "../../src/structured/index.ts";
import { dataOf, riskCases } from "../operators/riskCases.ts";

const riskCase = riskCases["cross-entropy"];
const { model, loss, inputs, targets } = riskCase;
const riskOf = (change: object = {}): Promise<Risk> =>
  empiricalRisk({ model, loss, data: dataOf(riskCase, 4), dtype: "float64", ...change });

test("is the same for other rows and batches, and tells loss, parameters and weights apart", async () => {
  await using risk = await riskOf();
  const own = await riskIdentity(risk);
  await using again = await riskOf({ data: arrays({ inputs, targets, batchSize: 9 }) });
  expect(await riskIdentity(again)).toEqual(own);
  const moved = risk.at(risk.theta().fill(0.1));
  expect(await riskIdentity(moved)).toEqual({ ...own, weights: expect.not.stringMatching(own.weights) });
  await using weighted = await riskOf({ loss: crossEntropy({ classWeights: [1, 2, 3] }) });
  expect((await riskIdentity(weighted)).objective).not.toBe(own.objective);
  await using heavier = await riskOf({ loss: crossEntropy({ classWeights: [1, 2, 4] }) });
  expect((await riskIdentity(heavier)).objective).not.toBe((await riskIdentity(weighted)).objective);
  await using fewer = await riskOf({ parameters: ["second.*"] });
  const other = await riskIdentity(fewer);
  expect(other.parameters).not.toBe(own.parameters);
  expect(other.objective).toBe(own.objective);
});

test("a matrix saved with it is refused at other weights, by name", async () => {
  await using risk = await riskOf();
  const folder = await mkdtemp(join(tmpdir(), "identity-"));
  try {
    const path = join(folder, "diagonal.safetensors");
    await using D = await diagonal(risk);
    await saveStructured(path, D, { identity: await riskIdentity(risk) });
    await using loaded = await loadStructured(path, { identity: await riskIdentity(risk) });
    expect(await loaded.diagonal()).toEqual(await D.diagonal());
    const moved = risk.at(risk.theta().fill(0.1));
    await expect(loadStructured(path, { identity: await riskIdentity(moved) })).rejects.toThrow(/weights/);
  } finally {
    await rm(folder, { recursive: true });
  }
});
