import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { beforeAll, expect, test } from "vitest";
import { arrays } from "../../src/data/index.ts";
import { crossEntropy } from "../../src/losses/index.ts";
import { type FileModel, loadModel } from "../../src/models/index.ts";
import { empiricalRisk, hessian, type Risk } from "../../src/operators/index.ts";
import { diagonal, ekfac, kfac } from "../../src/structured/index.ts";
import { randomTensor } from "../operators/riskCases.ts";

const MIB = 2 ** 20;
const FEW = 8192;
const MANY = 98_304;
const pixels = Float32Array.from(randomTensor([MANY, 64], 1).data, Math.abs);
const labels = Int32Array.from({ length: MANY }, (_, row) => row % 10);

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

let model: FileModel;
beforeAll(async () => {
  model = await loadModel(new URL("../models/digits_mlp_op13.onnx", import.meta.url));
});

type Work = (risk: Risk, onProgress: () => void) => Promise<void>;

/** How far resident memory, and the memory of arrays that are in use between two batches, rise while something is computed. */
async function rise(rows: number, work: Work): Promise<{ readonly arrays: number; readonly resident: number }> {
  const data = arrays({
    inputs: { data: pixels.subarray(0, rows * 64), dims: [rows, 64] },
    targets: { data: labels.subarray(0, rows), dims: [rows] },
    batchSize: 512,
  });
  const risk = await empiricalRisk({ model, loss: crossEntropy(), data, dtype: "float64", threads: 1 });
  try {
    collectGarbage();
    const before = process.memoryUsage();
    let [arraysRise, resident, calls] = [0, 0, 0];
    await work(risk, () => {
      // A collection takes longer than a batch.
      if (++calls % 8 !== 0) return;
      collectGarbage();
      const now = process.memoryUsage();
      arraysRise = Math.max(arraysRise, now.arrayBuffers - before.arrayBuffers);
      resident = Math.max(resident, now.rss - before.rss);
    });
    return { arrays: arraysRise, resident };
  } finally {
    await risk.dispose();
  }
}

const builds: Readonly<Record<string, Work>> = {
  "KFAC with sampled labels": async (risk, onProgress) =>
    (await kfac(risk, { of: { type: 1, labels: 1, seed: 0 }, onProgress })).dispose(),
  "KFAC of type 2": async (risk, onProgress) => (await kfac(risk, { of: { type: 2 }, onProgress })).dispose(),
  EKFAC: async (risk, onProgress) => (await ekfac(risk, { of: { type: 1, labels: 1, seed: 0 }, onProgress })).dispose(),
  "the diagonal": async (risk, onProgress) => (await diagonal(risk, { onProgress })).dispose(),
};

test.for(Object.entries(builds))("the memory of a build does not grow with the rows: %s", async ([, build]) => {
  const few = await rise(FEW, build);
  const many = await rise(MANY, build);
  expect(many.arrays).toBeLessThan(few.arrays + 12 * MIB);
  expect(many.resident).toBeLessThan(few.resident + 64 * MIB);
});

test("residuals that a product keeps do grow with the rows, which the measurement sees", async () => {
  const kept = await rise(MANY, async (risk, onProgress) => {
    await hessian(risk).matvec(randomTensor([risk.size], 2).data, { onProgress });
  });
  expect(kept.arrays).toBeGreaterThan(24 * MIB);
});
