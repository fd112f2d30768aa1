import { expect, test } from "vitest";
import { arrays } from "../../src/data/index.ts";
import { crossEntropy } from "../../src/losses/index.ts";
import { functionModel } from "../../src/models/index.ts";
import { empiricalRisk } from "../../src/operators/index.ts";
import { matmul, tanh } from "../../src/primitives/index.ts";
import { kfac } from "../../src/structured/index.ts";
import { randomTensor } from "../operators/riskCases.ts";

const ROWS = 2048;
const HIDDEN = 540;
const drawn = (dims: readonly number[], seed: number) => ({ data: randomTensor([...dims], seed).data, dims });
const model = functionModel({
  name: "wide",
  parameters: { first: drawn([3, HIDDEN], 1), second: drawn([HIDDEN, 4], 2) },
  inputs: { x: { dims: [3] } },
  apply: (p, { x }) => matmul(tanh(matmul(x!, p.first!)), p.second!),
});

async function factorsAt(batchSize: number): Promise<Float64Array[]> {
  const data = arrays({
    inputs: drawn([ROWS, 3], 3),
    targets: { data: Int32Array.from({ length: ROWS }, (_, row) => row % 4), dims: [ROWS] },
    batchSize,
  });
  const risk = await empiricalRisk({ model, data, loss: crossEntropy(), dtype: "float64" });
  try {
    const K = await kfac(risk, { of: { type: 1, labels: 2, seed: 4 } });
    const factors = K.blocks.flatMap(({ block }) =>
      Object.values(block.arrays).map(({ data: own }) => own as Float64Array),
    );
    await K.dispose();
    return factors;
  } finally {
    await risk.dispose();
  }
}

// The layers return 8.9 MB for all rows, of which labels are drawn in a forward pass before, and 1.1 MB for 256, in the middle of a pass.
test("labels drawn before the pass and in the middle of it give the same factors", async () => {
  const [whole, parts] = [await factorsAt(ROWS), await factorsAt(256)];
  expect(whole.length).toBe(4);
  for (const [i, factor] of whole.entries()) {
    const largest = factor.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    const difference = factor.reduce((most, x, k) => Math.max(most, Math.abs(x - parts[i]![k]!)), 0);
    expect(largest).toBeGreaterThan(0);
    expect(difference).toBeLessThan(1e-12 * largest);
  }
});
