import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { loadModel } from "../../src/index.ts";
import { riskOf } from "../operators/layerComparison.ts";
import { compareStructured } from "./modelComparison.ts";

/** Files whose outputs are not finite for random inputs, that compute with statistics of the batch, or that are refused when read. */
const unfit = /gnn_dense|poisson_glm|batch_statistics|branches_|cnn_train_/;

describe.each(["weights", "exported"])("test/models/%s", (name) => {
  const folder = fileURLToPath(new URL(`../models/${name}`, import.meta.url));
  const files = readdirSync(folder).filter((file) => file.endsWith(".onnx") && !unfit.test(file));
  test.each(files)("structured matrices of %s", async (file) => {
    await using risk = await riskOf(await loadModel(`${folder}/${file}`), { coupledRows: false });
    const { difference } = await compareStructured(risk);
    expect(difference).toBeLessThan(1e-10);
  });
});
