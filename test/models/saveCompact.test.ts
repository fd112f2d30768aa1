import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { prune, saliency } from "../../src/applications/pruning/index.ts";
import { arrays, crossEntropy, empiricalRisk, ggn, loadModel, saveCompact, type Tensor } from "../../src/index.ts";
import { hiddenUnits } from "../../src/models/index.ts";
import { type OnnxNode, writeModel } from "../../src/onnx/index.ts";
import { stream } from "../../src/random/index.ts";
import { digitsRisk } from "../applications/digits.ts";

const folder = mkdtempSync(join(tmpdir(), "compact-"));
afterAll(() => rmSync(folder, { recursive: true }));

const fileOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));

function normal(random: ReturnType<typeof stream>, dims: readonly number[]): Tensor {
  const size = dims.reduce((product, dim) => product * dim, 1);
  return { data: Float32Array.from({ length: size }, () => random.normal()), dims };
}

/** Loads a network of these nodes from x [N, 3] to y, with random weights. */
async function network(nodes: readonly OnnxNode[], weights: { readonly [name: string]: readonly number[] }) {
  const random = stream(5, "compact");
  const initializers = Object.entries(weights).map(([name, dims]) => ({ name, tensor: normal(random, dims) }));
  const value = (name: string, size: number | null) => ({ name, dtype: "float32" as const, dims: ["N", size] });
  const graph = { name: "g", nodes, inputs: [value("x", 3)], outputs: [value("y", null)], initializers };
  return loadModel(writeModel({ opsets: { "": 17 }, producer: "test", graph }));
}

const node = (op: string, inputs: readonly string[], output: string, attributes = {}): OnnxNode => ({
  op,
  inputs,
  outputs: [output],
  attributes,
});

test("hidden units without outgoing weights leave the file, which computes the same", async () => {
  const risk = await digitsRisk();
  const { units } = await saliency(risk, { method: "magnitude", units: "channels" });
  expect(units).toHaveLength(16);
  // The weights into unit 3, its bias, and the weights out of it.
  const expected = [
    ...Array.from({ length: 64 }, (_, i) => 3 * 64 + i),
    1024 + 3,
    ...Array.from({ length: 10 }, (_, c) => 1040 + 16 * c + 3),
  ];
  expect([...units![3]!.indices]).toEqual(expected);
  const found = await prune(risk, { units: "channels", sparsity: 0.5, matrix: ggn });
  const path = join(folder, "pruned.onnx");
  const saved = await saveCompact(risk.model, risk.split(found.theta), path);
  expect(saved.layers).toMatchObject([{ parameter: "0.weight", units: 16 }]);
  const { removed } = saved.layers[0]!;
  expect(removed).toHaveLength(8);
  expect(saved.fixed).toMatchObject([
    { parameter: "2.weight", reason: expect.stringContaining("output of the model") },
  ]);
  expect(readFileSync(path)).toHaveLength(saved.bytes);
  // 8 units of 64 + 1 + 10 weights in four bytes each.
  expect(saved.bytesWithZeros - saved.bytes).toBeGreaterThanOrEqual(8 * 75 * 4);
  const model = await loadModel(path);
  expect(model.parameters.map(({ dims }) => dims)).toEqual([[8, 64], [8], [10, 8], [10]]);
  const kept = Array.from({ length: 16 }, (_, k) => k).filter((k) => !removed.includes(k));
  expect([...model.parameters[1]!.data]).toEqual(kept.map((k) => Math.fround(found.theta[1024 + k]!)));
  const small = await empiricalRisk({ model, loss: crossEntropy(), data: risk.data, dtype: "float64" });
  expect(Math.abs((await small.loss()) - found.loss)).toBeLessThan(1e-6);
  await small.dispose();
  await risk.dispose();
});

test("channels of convolutions go with their normalization, through pooling and flattening", async () => {
  const nodes = [
    node("Conv", ["x", "k1", "b1"], "a", { pads: { ints: [1, 1, 1, 1] } }),
    node("BatchNormalization", ["a", "scale", "shift", "mean", "variance"], "b"),
    node("Relu", ["b"], "c"),
    node("Conv", ["c", "k2"], "d"),
    node("Tanh", ["d"], "e"),
    node("MaxPool", ["e"], "f", { kernel_shape: { ints: [2, 2] }, strides: { ints: [2, 2] } }),
    node("Flatten", ["f"], "g"),
    node("Gemm", ["g", "W", "bias"], "y", { transB: { int: 1 } }),
  ];
  const random = stream(6, "channels");
  const sizes = {
    k1: [4, 1, 3, 3],
    b1: [4],
    scale: [4],
    shift: [4],
    mean: [4],
    k2: [5, 4, 3, 3],
    W: [3, 20],
    bias: [3],
  };
  const tensors: { [name: string]: Tensor } = {
    variance: { data: Float32Array.from({ length: 4 }, () => 0.5 + random.uniform()), dims: [4] },
  };
  for (const [name, dims] of Object.entries(sizes)) tensors[name] = normal(random, dims);
  const images = { name: "x", dtype: "float32" as const, dims: ["N", 1, 6, 6] };
  const logits = { name: "y", dtype: "float32" as const, dims: ["N", 3] };
  const initializers = Object.entries(tensors).map(([name, tensor]) => ({ name, tensor }));
  const graph = { name: "g", nodes, inputs: [images], outputs: [logits], initializers };
  const model = await loadModel(writeModel({ opsets: { "": 15 }, producer: "test", graph }));
  const { layers } = await hiddenUnits(model);
  expect(layers.map(({ parameter, count }) => [parameter, count])).toEqual([
    ["k1", 4],
    ["k2", 5],
  ]);
  // Each channel of the second convolution is flattened into four numbers.
  expect(layers[1]!.axes.at(-1)).toEqual({ tensor: "W", axis: 1, block: 4, side: "out" });
  const data = arrays({
    inputs: { x: { data: normal(random, [5, 1, 6, 6]).data as Float32Array, dims: [5, 1, 6, 6] } },
    targets: { data: Int32Array.from([0, 1, 2, 0, 1]), dims: [5] },
  });
  const risk = await empiricalRisk({ model, loss: crossEntropy(), data });
  const theta = risk.theta();
  const { units } = await saliency(risk, { method: "magnitude", units: "channels" });
  const gone = units!.filter(({ name }) => ["k1 unit 2", "k2 unit 0", "k2 unit 4"].includes(name));
  for (const { indices } of gone) for (const index of indices) theta[index] = 0;
  const path = join(folder, "cnn.onnx");
  const saved = await saveCompact(model, risk.split(theta), path);
  expect(saved.layers.map(({ removed }) => removed)).toEqual([[2], [0, 4]]);
  const zeros = risk.at(theta);
  const small = await loadModel(path);
  const again = await empiricalRisk({ model: small, loss: crossEntropy(), data });
  expect(await again.loss()).toBeCloseTo(await zeros.loss(), 5);
  const dims = Object.fromEntries(small.parameters.map((each) => [each.name, each.dims]));
  expect(dims).toMatchObject({
    k1: [3, 1, 3, 3],
    b1: [3],
    scale: [3],
    shift: [3],
    k2: [3, 3, 3, 3],
    W: [3, 12],
    bias: [3],
  });
  await again.dispose();
  await risk.dispose();
});

test("of an exported network the units that its graph allows", async () => {
  const model = await loadModel(fileOf("mnist_cnn_bn_op13.onnx"));
  const { layers, fixed } = await hiddenUnits(model);
  expect(layers).toMatchObject([{ parameter: "net.8.weight", count: 32 }]);
  expect(fixed.map(({ parameter, reason }) => `${parameter}: ${reason}`)).toEqual([
    "net.0.weight: a grouped convolution ties its channels",
    "net.4.weight: a grouped convolution ties its channels",
    expect.stringContaining("net.12.weight: its units are an output"),
  ]);
});

describe("which units can go", () => {
  const head = node("MatMul", ["h", "W2"], "y");
  const sizes = { W1: [3, 4], W2: [4, 2] };

  test("those of MatMul with a bias, a factor, and an activation of several nodes", async () => {
    const nodes = [
      node("MatMul", ["x", "W1"], "a"),
      node("Add", ["a", "b1"], "b"),
      node("Sigmoid", ["b"], "s"),
      node("Mul", ["b", "s"], "h"),
      head,
    ];
    const model = await network(nodes, { ...sizes, b1: [4] });
    const { layers, fixed } = await hiddenUnits(model);
    expect(layers).toMatchObject([{ parameter: "W1", count: 4, values: ["a", "b", "s", "h"] }]);
    expect(layers[0]!.axes).toEqual([
      { tensor: "W1", axis: 1, block: 1, side: "in" },
      { tensor: "b1", axis: 0, block: 1, side: "in" },
      { tensor: "W2", axis: 0, block: 1, side: "out" },
    ]);
    expect(fixed.map(({ parameter }) => parameter)).toEqual(["W2"]);
    const x = normal(stream(2, "x"), [6, 3]);
    const tensors = Object.fromEntries(
      model.parameters.map(({ name, data, dims }) => [name, { data: data.slice(), dims }]),
    );
    (tensors.W2!.data as Float32Array).fill(0, 2, 4);
    const path = join(folder, "silu.onnx");
    const saved = await saveCompact(model, tensors, path);
    expect(saved.layers).toEqual([{ parameter: "W1", units: 4, removed: [1] }]);
    const small = await loadModel(path);
    expect(small.parameters.map(({ dims }) => dims)).toEqual([[3, 3], [3, 2], [3]]);
    const full = await loadModel(writeZeros(nodes, tensors));
    const [a, b] = [(await small.run({ x })).y!, (await full.run({ x })).y!];
    for (const [i, value] of [...(a.data as Float32Array)].entries()) expect(value).toBeCloseTo(Number(b.data[i]), 5);
  });

  function writeZeros(nodes: readonly OnnxNode[], tensors: { readonly [name: string]: Tensor }): Uint8Array {
    const value = (name: string, size: number | null) => ({ name, dtype: "float32" as const, dims: ["N", size] });
    const initializers = Object.entries(tensors).map(([name, tensor]) => ({ name, tensor }));
    const graph = { name: "g", nodes, inputs: [value("x", 3)], outputs: [value("y", null)], initializers };
    return writeModel({ opsets: { "": 17 }, producer: "test", graph });
  }

  const cases: readonly (readonly [
    string,
    readonly OnnxNode[],
    { readonly [name: string]: readonly number[] },
    RegExp,
  ])[] = [
    [
      "not those of a residual connection",
      [node("MatMul", ["x", "W1"], "a"), node("Add", ["a", "x"], "h"), node("MatMul", ["h", "W2"], "y")],
      { W1: [3, 3], W2: [3, 2] },
      /Add combines its units with other values, as a residual connection does/,
    ],
    [
      "not those that a softmax mixes",
      [node("MatMul", ["x", "W1"], "a"), node("Softmax", ["a"], "h"), head],
      sizes,
      /Softmax mixes its units or is not known to keep them apart/,
    ],
    [
      "not those of a weight that is used twice",
      [node("MatMul", ["x", "W1"], "a"), node("Relu", ["a"], "h"), head, node("MatMul", ["x", "W1"], "other")],
      sizes,
      /"W1" is used more than once/,
    ],
    [
      "not those that are multiplied by computed values",
      [node("MatMul", ["x", "W1"], "a"), node("MatMul", ["a", "c"], "y"), node("Relu", ["W2"], "c")],
      sizes,
      /MatMul multiplies its units by computed values/,
    ],
  ];
  test.each(cases)("%s", async (_, nodes, weights, reason) => {
    const { layers, fixed } = await hiddenUnits(await network(nodes, weights));
    expect(layers).toEqual([]);
    expect(fixed.find(({ parameter }) => parameter === "W1")!.reason).toMatch(reason);
  });

  test("one unit stays where all could go", async () => {
    const model = await network([node("MatMul", ["x", "W1"], "a"), node("Relu", ["a"], "h"), head], sizes);
    const zeros = { W2: { data: new Float32Array(8), dims: [4, 2] } };
    const saved = await saveCompact(model, zeros, join(folder, "one.onnx"));
    expect(saved.layers[0]!.removed).toEqual([1, 2, 3]);
    expect((await loadModel(join(folder, "one.onnx"))).parameters[0]!.dims).toEqual([3, 1]);
  });
});

test("says what it cannot do", async () => {
  const model = await network([node("MatMul", ["x", "W"], "y")], { W: [3, 2] });
  await expect(saveCompact(model, model.parameters[0]!.data, "")).rejects.toThrow(
    /saveCompact expects the path of the file to write, got ""/,
  );
  await expect(saveCompact(model, model.parameters[0]!.data, folder)).rejects.toThrow(
    /saveCompact cannot write .* choose another path/,
  );
  const outside = await loadModel(fileOf("exported/mlp_external_data.onnx"));
  await expect(saveCompact(outside, {}, join(folder, "outside.onnx"))).rejects.toThrow(
    /saveCompact cannot cut tensors in external files, which .* has; write zeros with saveModel/,
  );
  const data = arrays({
    inputs: { x: { data: new Float32Array(6), dims: [2, 3] } },
    targets: { data: Int32Array.of(0, 1), dims: [2] },
  });
  const risk = await empiricalRisk({ model, loss: crossEntropy(), data });
  await expect(saliency(risk, { method: "magnitude", units: "channels" })).rejects.toThrow(
    /no hidden units that could be taken out of .* \(W: its units are an output of the model.*\); take units "rows" or "columns"/,
  );
  await risk.dispose();
});
