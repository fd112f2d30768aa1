import { describe, expect, test } from "vitest";
import {
  accuracy,
  arrays,
  crossEntropy,
  dataSummary,
  dataWarnings,
  empiricalRisk,
  functionModel,
  loadData,
  loadModel,
  meanSquaredError,
  primitives,
} from "../../src/index.ts";

const { matmul } = primitives;

async function digits(scale: number, rows: readonly [number, number] = [0, 300]) {
  const model = await loadModel("examples/digits/digits_mlp.onnx");
  const wanted = Object.fromEntries(model.inputs.map(({ name, dims, dtype }) => [name, { dims, dtype }]));
  const data = await loadData({ wanted, data: "examples/digits/digits_train.csv.gz", scale, rows });
  return empiricalRisk({ model, loss: crossEntropy(), data });
}

async function warningsOf(risk: Awaited<ReturnType<typeof digits>>) {
  const evidence = { summary: await dataSummary(risk), loss: await risk.loss(), accuracy: await accuracy(risk) };
  const warnings = await dataWarnings(risk, evidence);
  await risk.dispose();
  return { ...evidence, warnings };
}

/** A linear model y = w x of two outputs on given numbers. */
async function linear(x: readonly number[], y: readonly number[], { labels = false } = {}) {
  const model = functionModel({
    name: "linear",
    parameters: { w: { data: Float64Array.of(1, -1), dims: [1, 2] } },
    inputs: { x: { dims: [1], dtype: "float64" } },
    apply: (p, { x: input }) => matmul(input!, p.w!),
  });
  const inputs = { x: { data: Float64Array.from(x), dims: [x.length, 1] } };
  const targets = labels
    ? { data: Int32Array.from(y), dims: [y.length] }
    : { data: Float64Array.from(y), dims: [y.length / 2, 2] };
  const loss = labels ? crossEntropy() : meanSquaredError();
  return empiricalRisk({ model, loss, data: arrays({ inputs, targets }), dtype: "float64" });
}

describe("dataSummary", () => {
  test("has the ranges of inputs and the rows of each class", async () => {
    const risk = await digits(16);
    const { inputs, targets } = await dataSummary(risk);
    expect(inputs).toEqual([{ name: "x", minimum: 0, maximum: 1, mean: expect.closeTo(0.3, 1), whole: false }]);
    expect(targets?.kind === "classes" && targets.counts.reduce((sum, count) => sum + count, 0)).toBe(300);
    await risk.dispose();
  });

  test("has the variance of values about the mean of each output, also beside large values", async () => {
    const risk = await linear([1, 2, 3], [1e6, 0, 1e6 + 1, 5, 1e6 + 2, 1]);
    const { targets } = await dataSummary(risk);
    // Variances 2/3 and 14/3.
    expect(targets).toMatchObject({ kind: "values", minimum: 0, maximum: 1e6 + 2 });
    expect(targets?.kind === "values" && targets.variance).toBeCloseTo(8 / 3, 9);
    await risk.dispose();
  });
});

describe("dataWarnings", () => {
  test("none for the data of the training", async () =>
    expect((await warningsOf(await digits(16))).warnings).toEqual([]));

  test("a forgotten scale is found by the loss at the scale", async () => {
    const { warnings, loss } = await warningsOf(await digits(1));
    expect(warnings[0]).toMatch(
      /inputs range from 0 to 16, and the loss falls from \S+ to \S+ when they are divided by 16:/,
    );
    const [, from, to] = /falls from (\S+) to (\S+) when/.exec(warnings[0]!)!;
    expect(Number(from)).toBeCloseTo(loss, 2);
    const right = await digits(16);
    expect(Number(to) / (await right.loss())).toBeCloseTo(1, 2);
    await right.dispose();
  });

  test("a scale too many is found too", async () => {
    const { warnings } = await warningsOf(await digits(16 * 255));
    expect(warnings[0]).toMatch(/range from 0 to 0\.00392, and the loss falls/);
  });

  test("whole numbers like pixels are pointed out even where the loss does not fall", async () => {
    const pixels = await warningsOf(await linear([0, 20, 40], [0, 0, 20, -20, 40, -40]));
    expect(pixels.warnings).toEqual([
      expect.stringMatching(/range from 0 to 40 in whole numbers.*loss is 0, and \S+ when/),
    ]);
    expect((await warningsOf(await linear([0.5, 20, 40], [0.5, -0.5, 20, -20, 40, -40]))).warnings).toEqual([]);
  });

  test("labels that are not the model's are worse than guessing", async () => {
    const x = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? 1 : -1));
    // The model's class of x > 0 is 0.
    const wrong = await warningsOf(
      await linear(
        x,
        x.map((value) => (value > 0 ? 1 : 0)),
        { labels: true },
      ),
    );
    expect(wrong.warnings[0]).toMatch(/the accuracy is 0 %, worse than guessing \(50 %\): is the column of labels/);
    expect(wrong.warnings[1]).toMatch(/the loss is 2\.13, above the 0\.693 of predicting the class frequencies/);
    const mixed = await warningsOf(
      await linear(
        x,
        x.map((_, i) => (i >> 1) % 2),
        { labels: true },
      ),
    );
    expect(mixed.warnings[0]).toMatch(/accuracy is 50 %, not better than guessing/);
  });

  test("a regression worse than the mean of its targets", async () => {
    const { warnings } = await warningsOf(await linear([1, -1, 1], [5, 5, 6, 6, 7, 7]));
    expect(warnings).toEqual([expect.stringMatching(/above the 0\.667 of predicting the mean of the targets/)]);
    expect((await warningsOf(await linear([1, -1], [1, -1, -1, 1]))).warnings).toEqual([]);
  });
});
