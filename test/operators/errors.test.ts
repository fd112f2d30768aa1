import { describe, expect, test } from "vitest";
import { arrays, asyncData, type Data } from "../../src/data/index.ts";
import { opaque } from "../../src/graph/index.ts";
import { adjoint } from "../../src/linalg/index.ts";
import { bceWithLogits, crossEntropy, customLoss, meanSquaredError, poissonNll } from "../../src/losses/index.ts";
import { functionModel } from "../../src/models/index.ts";
import {
  type EmpiricalRiskOptions,
  empiricalRisk,
  fisher,
  hessian,
  jacobian,
  type Risk,
} from "../../src/operators/index.ts";
import { add, greater, matmul, permute, reduceSum, square, sub, zeros } from "../../src/primitives/index.ts";
import { stream } from "../../src/random/index.ts";
import type { Tensor } from "../../src/tensors/index.ts";
import { messageOf, rejectionOf } from "../onnx/messageOf.ts";
import { randomTensor, riskCases } from "./riskCases.ts";

const { model } = riskCases["cross-entropy"];
const x = randomTensor([6, 4], 1);
const labels = (...values: number[]): Tensor => ({ data: Int32Array.from(values), dims: [values.length] });
const good = { inputs: x, targets: labels(0, 1, 2, 0, 1, 2), batchSize: 4 };

/** The message with which a risk is refused. */
const refusal = async (options: Partial<EmpiricalRiskOptions>) =>
  rejectionOf(empiricalRisk({ model, loss: crossEntropy(), data: arrays(good), dtype: "float64", ...options }));

async function using(risk: Promise<Risk>, use: (risk: Risk) => Promise<void> | void): Promise<void> {
  const opened = await risk;
  try {
    await use(opened);
  } finally {
    await opened.dispose();
  }
}

test.each<[Partial<EmpiricalRiskOptions>, string]>([
  [{ dtype: "float16" as "float32" }, 'argument: dtype must be "float32" or "float64", got "float16"'],
  [{ cache: -1 }, "argument: cache must be a number of bytes, not negative; got -1"],
  [{ cache: Number.NaN }, "argument: cache must be a number of bytes, not negative; got NaN"],
  [{ threads: 0 }, "argument: threads must be an integer from 1 to 256, got 0"],
  [{ threads: 100_000 }, "argument: threads must be an integer from 1 to 256, got 100000"],
  [{ memoryLimit: 0 }, "argument: memoryLimit must be a positive number of bytes, got 0"],
  [
    { shard: { denominator: 0, rows: 9, firstRow: 0 } },
    "argument: shard.denominator must be positive and finite, got 0; it is that of the loss for the whole data set",
  ],
  [
    { parameters: "third.*" },
    "argument: no parameter matches third.*; the model has first.weight, first.bias, second.weight, second.bias",
  ],
  [
    { parameters: [/^first/, /^third/] },
    "argument: no parameter matches /^third/; the model has first.weight, first.bias, second.weight, second.bias",
  ],
  [
    { parameters: [] },
    "argument: no parameter matches an empty list; the model has first.weight, first.bias, second.weight, second.bias",
  ],
  [{ output: "logits" }, 'argument: function has no output "logits"; it has "output"'],
  [{ loss: { ...crossEntropy(), outputNames: ["m", "s"] } }, 'argument: function has no output "m"; it has "output"'],
  [
    { model: { ...model, name: "constant.onnx", parameters: [] } },
    "model: constant.onnx has no parameters to differentiate",
  ],
  [
    { model: { ...model, name: "fixed.onnx", fixedRows: 4 } },
    "data: fixed.onnx computes 4 rows at once, which does not divide the 6 rows of arrays in memory; leave 2 rows out, or export it with a free batch axis",
  ],
])("options: %#", async (options, message) => {
  expect(await refusal(options)).toBe(message);
});

describe("data that do not fit", () => {
  const from = (parts: Partial<Parameters<typeof arrays>[0]>) => arrays({ ...good, ...parts });
  const { a, b } = { a: x, b: randomTensor([6, 2], 2) };
  const twoInputs = riskCases["poisson of two inputs"].model;

  test.each<[string, Partial<EmpiricalRiskOptions>, string]>([
    [
      "no targets",
      { data: arrays({ inputs: x }) },
      "data: arrays in memory: no targets; the loss crossEntropy needs them",
    ],
    ["no rows", { data: { ...arrays(good), rows: 0 } }, "data: arrays in memory: no rows; a loss needs at least one"],
    [
      "no batches",
      { data: { ...arrays(good), batches: async function* () {} } },
      "data: arrays in memory: no batches; a loss needs at least one row",
    ],
    [
      "one nameless input for two",
      { model: twoInputs },
      'data: function has inputs "a", "b"; give the data by name, { inputs: { a: ... } }',
    ],
    [
      "a missing input",
      { model: twoInputs, data: from({ inputs: { a } }) },
      'data: function has inputs "a", "b", but the data have "a"',
    ],
    [
      "an unknown input",
      { model: twoInputs, data: from({ inputs: { a, b, c: b } }) },
      'data: function has inputs "a", "b", but the data have "a", "b", "c"',
    ],
    [
      "rows of another size",
      { data: from({ inputs: randomTensor([6, 5], 1) }) },
      'data: arrays in memory: rows of input "x" have shape [5], but function expects [4]',
    ],
    [
      "labels of another shape",
      { data: from({ targets: { data: new Int32Array(12), dims: [6, 2] } }) },
      "shape: crossEntropy: outputs of shape [4, 3] need class indices of shape [4], or probabilities of shape [4, 3]; got integers of shape [4, 2]",
    ],
    [
      "a label that is no class",
      { data: from({ targets: labels(0, 1, 2, 0, 3, 2) }) },
      "data: arrays in memory: the label at row 4 is 3, expected 0 to 2 or -100 (ignored), since the model has 3 classes (targets [2])",
    ],
    [
      "a label that is no whole number",
      { data: from({ targets: { data: Float64Array.of(0, 1, 0.5, 0, 1, 2), dims: [6] } }) },
      "data: arrays in memory: targets: expected whole numbers from -9007199254740991 to 9007199254740991 (int64), got 0.5 at row 2",
    ],
    [
      "only ignored labels",
      { data: from({ targets: labels(-100, -100, -100, -100, -100, -100) }) },
      "data: arrays in memory: the terms of the loss have a total weight of 0, so their mean is not defined; check ignored labels and weights",
    ],
    [
      "a coin that is none",
      { loss: bceWithLogits(), data: from({ targets: { data: new Float64Array(18).fill(1.5, 15), dims: [6, 3] } }) },
      "data: arrays in memory: the target of row 5 is 1.5; bceWithLogits takes numbers from 0 to 1",
    ],
    [
      "a negative count",
      { loss: poissonNll(), data: from({ targets: { data: new Float64Array(18).fill(-1, 4, 5), dims: [6, 3] } }) },
      "data: arrays in memory: the target of row 1 is -1; poissonNll takes numbers not below 0",
    ],
    [
      "a number that is none",
      { data: from({ inputs: { data: Float64Array.from(x.data).fill(Number.NaN, 22, 23), dims: [6, 4] } }) },
      "data: arrays in memory: the input at row 5, column 2 is NaN, expected a finite number; repair or leave out such rows",
    ],
    [
      "a weight below 0",
      { data: withWeights(-1) },
      "data: arrays in memory: the weight of row 4 is -1; weights must be finite and not negative",
    ],
  ])("%s", async (_, options, message) => {
    expect(await refusal(options)).toBe(message);
  });

  /** A data set of the user's own, whose fifth row has this weight. */
  function withWeights(weight: number): Data {
    const data = arrays({ ...good, weights: [1, 1, 1, 1, 1, 1] });
    return {
      ...data,
      async *batches() {
        for await (const batch of data.batches())
          yield { ...batch, weights: batch.weights!.map((own, i) => (batch.start + i === 4 ? weight : own)) };
      },
    };
  }
});

describe("models whose outputs do not fit", () => {
  const made = (apply: Parameters<typeof functionModel>[0]["apply"]) =>
    functionModel({ parameters: { w: randomTensor([4, 3], 1) }, inputs: { x: { dims: [4] } }, apply });

  test("outputs that are no numbers", async () => {
    const yes = made((p, inputs) => greater(matmul(inputs.x, p.w), zeros([])));
    expect(await refusal({ model: yes })).toBe(
      'model: output "output" of function is bool; a loss needs an output of floats',
    );
  });

  test("rows that are not on the first axis", async () => {
    const turned = made((p, inputs) => permute(matmul(inputs.x, p.w), [1, 0]));
    expect(await refusal({ model: turned })).toBe(
      'model: output "output" of function has shape [3, 4] for 4 rows; its first axis must be the rows',
    );
  });
});

describe("what changes between passes", () => {
  const advice = "every pass must give the same rows in the same order (no shuffling, no augmentation)";

  test("shuffled rows", async () => {
    let pass = 0;
    const data = await asyncData({
      rows: 6,
      batchSize: 2,
      description: "shuffled",
      *batches() {
        const random = stream(pass++, "shuffle");
        const order = [0, 1, 2, 3, 4, 5].sort(() => random.sign());
        for (const row of order)
          yield { inputs: { data: x.data.slice(4 * row, 4 * row + 4), dims: [1, 4] }, targets: labels(row % 3) };
      },
    });
    expect(await refusal({ data })).toMatch(
      new RegExp(
        `^nondeterministic: shuffled: two passes over the data differ: batch \\d has other numbers; ${advice.replace(/[()]/g, "\\$&")}$`,
      ),
    );
  });

  test("batches that are missing from a later pass", async () => {
    let pass = 0;
    const data = arrays(good);
    const shrinking: Data = {
      ...data,
      async *batches() {
        const last = pass++ < 3;
        for await (const batch of data.batches()) if (batch.start === 0 || last) yield batch;
      },
    };
    expect(await refusal({ data: shrinking })).toBe(
      `nondeterministic: arrays in memory: two passes over the data differ: 1 batches instead of 2; ${advice}`,
    );
  });

  test("a model that draws random numbers", async () => {
    const node = { op: "RandomNormalLike", domain: "", opset: 17, name: "", attributes: {}, outputs: 1 };
    const noisy = functionModel({
      parameters: { w: randomTensor([4, 3], 1) },
      inputs: { x: { dims: [4] } },
      apply(p, inputs) {
        const { shape } = inputs.x;
        const noise = opaque([inputs.x], {
          node: { ...node, absent: [], captures: [] },
          output: 0,
          shape,
          type: "float",
        });
        return matmul(add(inputs.x, noise), p.w);
      },
    });
    expect(await refusal({ model: noisy })).toMatch(
      /^nondeterministic: .*: two evaluations of the loss on the same data gave [\d.]+ and [\d.]+; export the model in evaluation mode$/,
    );
  });
});

test("vectors and matrices of other sizes", async () => {
  const risk = empiricalRisk({ model, loss: crossEntropy(), data: arrays(good), dtype: "float64" });
  await using(risk, async (opened) => {
    const short = new Float64Array(3);
    const expected = `shape: the risk has ${opened.size} parameter entries, got a vector of 3`;
    expect(await rejectionOf(hessian(opened).matvec(short))).toBe(expected);
    expect(await rejectionOf(jacobian(opened).matvec(short))).toBe(expected);
    expect(messageOf(() => opened.split(short))).toBe(expected);
    expect(await rejectionOf(adjoint(jacobian(opened)).matvec(short))).toBe(
      "shape: the Jacobian has 18 rows, got a vector of 3",
    );
    expect(await rejectionOf(hessian(opened).matmat!({ rows: 3, columns: 1, data: short }))).toBe(
      `shape: the risk has ${opened.size} parameter entries, got a matrix of 3 rows and 1 columns with 3 numbers`,
    );
    expect(messageOf(() => opened.join({ "third.bias": { data: short, dims: [3] } }))).toBe(
      'argument: no parameter is called "third.bias"; the risk has first.weight, first.bias, second.weight, second.bias',
    );
    expect(messageOf(() => opened.join({ "first.weight": { data: short, dims: [3] } }))).toBe(
      'shape: parameter "first.weight" has 12 entries, got 3',
    );
  });
});

test("Fisher matrices that there are not", async () => {
  const risk = empiricalRisk({ model, loss: crossEntropy(), data: arrays(good), dtype: "float64" });
  await using(risk, (opened) => {
    const options = (given: unknown) => given as Parameters<typeof fisher>[1];
    expect(messageOf(() => fisher(opened, options({ type: 3 })))).toBe("argument: fisher: type must be 1 or 2, got 3");
    for (const labels of [0, 1.5, "some"])
      expect(messageOf(() => fisher(opened, options({ type: 1, labels, seed: 0 })))).toBe(
        `argument: fisher: labels must be "all" or a positive integer, got ${labels}`,
      );
    expect(messageOf(() => fisher(opened, options({ type: 1, labels: 2 })))).toBe(
      "argument: fisher: sampled labels need a seed, a finite number; got undefined",
    );
  });
  const squares = customLoss({ name: "squares", terms: (f, y) => reduceSum(square(sub(f, y)), [1]) });
  const data = arrays({ ...good, targets: randomTensor([6, 3], 5) });
  await using(empiricalRisk({ model, loss: squares, data }), (opened) => {
    expect(messageOf(() => fisher(opened, { type: 2 }))).toBe(
      "unsupported: the loss squares has no likelihood, so there is no Fisher matrix; use ggn or empiricalFisher",
    );
  });
  const { scoreMoment, ...sampledOnly } = meanSquaredError().likelihood!;
  expect(scoreMoment).toBeDefined();
  await using(empiricalRisk({ model, loss: { ...meanSquaredError(), likelihood: sampledOnly }, data }), (opened) => {
    expect(messageOf(() => fisher(opened, { type: 1, labels: "all" }))).toBe(
      "unsupported: the loss meanSquaredError cannot sum over all labels; ask for a number of labels instead",
    );
    expect(fisher(opened, { type: 1, labels: 2, seed: 0 }).psd).toBe(true);
  });
});
