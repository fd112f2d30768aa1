import { beforeAll, expect, test } from "vitest";
import { arrays } from "../../src/data/index.ts";
import { crossEntropy } from "../../src/losses/index.ts";
import { type FileModel, loadModel } from "../../src/models/index.ts";
import { empiricalFisher, empiricalRisk, ggn, hessian } from "../../src/operators/index.ts";
import { randomTensor } from "./riskCases.ts";

const MIB = 2 ** 20;
const ROWS = 32_768;
const pixels = Float32Array.from(randomTensor([ROWS, 64], 1).data, Math.abs);
const labels = Int32Array.from({ length: ROWS }, (_, row) => row % 10);

let model: FileModel;
beforeAll(async () => {
  model = await loadModel(new URL("../models/digits_mlp_op13.onnx", import.meta.url));
});

interface Growth {
  /** Bytes of arrays above what there was before. */
  readonly arrays: number;
  /** Bytes of arrays above the least at any time: what earlier runs left may be collected in between. */
  readonly rise: number;
  readonly resident: number;
}

/** How array memory and resident memory grow while products are computed, at their highest. */
async function growth(rows: number, cache?: number): Promise<Growth> {
  const data = arrays({
    inputs: { data: pixels.subarray(0, rows * 64), dims: [rows, 64] },
    targets: { data: labels.subarray(0, rows), dims: [rows] },
    batchSize: 512,
  });
  const risk = await empiricalRisk({ model, loss: crossEntropy(), data, ...(cache !== undefined && { cache }) });
  try {
    const v = randomTensor([risk.size], 2).data;
    const before = process.memoryUsage();
    let [most, resident, rise, least] = [0, 0, 0, before.arrayBuffers];
    const onProgress = () => {
      const now = process.memoryUsage();
      least = Math.min(least, now.arrayBuffers);
      rise = Math.max(rise, now.arrayBuffers - least);
      most = Math.max(most, now.arrayBuffers - before.arrayBuffers);
      resident = Math.max(resident, now.rss - before.rss);
    };
    for (const make of [hessian, ggn, empiricalFisher]) {
      await make(risk).matvec(v, { onProgress });
      await make(risk).matvec(v, { onProgress });
    }
    return { arrays: most, rise, resident };
  } finally {
    await risk.dispose();
  }
}

test("without kept residuals the memory of a product does not grow with the rows", async () => {
  const few = await growth(2048, 0);
  const many = await growth(ROWS, 0);
  const kept = await growth(ROWS);
  expect(many.arrays).toBeLessThan(few.arrays + 8 * MIB);
  expect(many.resident).toBeLessThan(few.resident + 64 * MIB);
  // Kept residuals do grow, so that the measurement would have seen it.
  expect(kept.rise).toBeGreaterThan(many.arrays + 12 * MIB);
});
