import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "vitest";
import { loadModel } from "../../src/index.ts";
import { riskOf } from "../operators/layerComparison.ts";
import { expectRows } from "./rowComparison.ts";

const folder = fileURLToPath(new URL("../models/exported", import.meta.url));
/** Files whose outputs are not finite for random inputs, that compute with statistics of the batch, or that are refused when read. */
const unfit = /gnn_dense|poisson_glm|batch_statistics|branches_|cnn_train_/;
const files = readdirSync(folder).filter((file) => file.endsWith(".onnx") && !unfit.test(file));

test.each(files)("exported %s", async (file) => {
  await using risk = await riskOf(await loadModel(`${folder}/${file}`), { coupledRows: false });
  await expectRows(risk);
});
