import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { inputMoments } from "../../examples/matrix/inputMoments.mjs";
import { lossWeighted } from "../../examples/matrix/lossWeighted.mjs";
import { arrays, crossEntropy, empiricalRisk, ggn, loadModel, type Risk, type Tensor } from "../../src/index.ts";
import { checkPsd, checkSymmetric, hutchinsonTrace, toDense } from "../../src/linalg/index.ts";
import { stream } from "../../src/random/index.ts";

const page = readFileSync("docs/matrix.md", "utf8");
const rows = 7;
const random = stream(8, "matrix");
const inputs = { data: Float64Array.from({ length: rows * 64 }, () => random.uniform()), dims: [rows, 64] };
const targets = { data: Int32Array.from({ length: rows }, (_, i) => (3 * i) % 10), dims: [rows] };
const weights = [1, 2, 0.5, 1, 0, 3, 1];

const small = async (): Promise<Risk> =>
  empiricalRisk({
    model: await loadModel("examples/digits/digits_mlp.onnx"),
    loss: crossEntropy(),
    data: arrays({ inputs, targets, weights, batchSize: 3 }),
    parameters: ["*2*", "*bias*"],
    dtype: "float64",
  });

test.each(["lossWeighted", "inputMoments"])("docs/matrix.md shows examples/matrix/%s.mjs as it is", (name) => {
  expect(page).toContain(`\`\`\`js\n${readFileSync(`examples/matrix/${name}.mjs`, "utf8")}\`\`\``);
});

test("the matrix of the page is the sum over rows of loss times Gauss-Newton matrix", async () => {
  await using risk = await small();
  const A = lossWeighted(risk);
  const { data } = await toDense(A);
  const expected = new Float64Array(data.length);
  for (let row = 0; row < rows; row++) {
    const one = arrays({
      inputs: { data: inputs.data.slice(row * 64, (row + 1) * 64), dims: [1, 64] },
      targets: { data: targets.data.slice(row, row + 1), dims: [1] },
    });
    const alone = await risk.on(one, { shard: { denominator: 1, rows: 1, firstRow: 0 } });
    const factor = risk.scale * weights[row] * (await alone.loss());
    const own = await toDense(ggn(alone));
    own.data.forEach((entry, i) => {
      expected[i] += factor * entry;
    });
    await alone.dispose();
  }
  const largest = Math.max(...Array.from(expected, Math.abs));
  const difference = Math.max(...Array.from(data, (entry, i) => Math.abs(entry - expected[i])));
  expect(largest).toBeGreaterThan(1e-3);
  expect(difference).toBeLessThan(1e-12 * largest);
  expect((await checkSymmetric(A, { seed: 0 })).passed).toBe(true);
  expect((await checkPsd(A, { seed: 0 })).passed).toBe(true);
  const { trace, standardError } = await hutchinsonTrace(A, { matvecs: 60, seed: 0 });
  const exact = Array.from({ length: risk.size }, (_, i) => data[i * (risk.size + 1)]).reduce((a, b) => a + b, 0);
  expect(Math.abs(trace - exact)).toBeLessThan(4 * standardError);
});

test("the input moments of the page are those of the data at the first layer", async () => {
  await using risk = await small();
  const moments: readonly Tensor[] = Object.values(await inputMoments(risk));
  const expected = (i: number, j: number) =>
    Array.from({ length: rows }, (_, r) => inputs.data[r * 64 + i] * inputs.data[r * 64 + j]).reduce(
      (a, b) => a + b,
      0,
    );
  const [first] = moments;
  expect(first.dims).toEqual([64, 64]);
  for (const [i, j] of [
    [0, 0],
    [5, 9],
    [63, 1],
  ] as const)
    expect(Number(first.data[i * 64 + j])).toBeCloseTo(expected(i, j), 10);
});
