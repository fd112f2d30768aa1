import { describe, expect, test } from "vitest";
import { arrays, bceWithLogits, crossEntropy, empiricalRisk, type Loss, loadModel } from "../../src/index.ts";
import { stream } from "../../src/random/index.ts";
import { type TinyModel, tinyModel } from "../models/tinyModel.ts";
import { rejectionOf } from "../onnx/messageOf.ts";

type Node = TinyModel["nodes"][number];
const node = (op: string, inputs: string, output: string, attributes: Node["attributes"] = {}): Node => ({
  op,
  inputs: inputs.split(" "),
  outputs: [output],
  attributes,
});
const constants = [0, 1, 0.25, 0.5, 2].map((value) => ({
  name: `${value}`,
  tensor: { data: Float32Array.of(value), dims: [] },
}));
const random = stream(5, "rows");
const normal = (size: number) => Float32Array.from({ length: size }, () => random.normal());

/** The loss of y = nodes after z = x w of three numbers a row, on some rows. */
async function lossOf(
  loss: Loss,
  nodes: readonly Node[],
  {
    rows = 6,
    scale = 1,
    bias = 0,
    assumeLogits,
  }: { readonly rows?: number; readonly scale?: number; readonly bias?: number; readonly assumeLogits?: boolean } = {},
): Promise<number> {
  const model = await loadModel(
    tinyModel({
      weights: { w: [Array.from(normal(6), (v) => scale * v), [2, 3]], b: [[bias, bias, bias], [3]] },
      initializers: constants,
      nodes: [node("MatMul", "x w", "p"), node("Add", "p b", "z"), ...nodes],
    }),
    { parameters: { include: ["w", "b"] } },
  );
  const targets =
    loss.name === "crossEntropy"
      ? { data: Int32Array.from({ length: rows }, (_, i) => i % 3), dims: [rows] }
      : { data: Float32Array.from({ length: 3 * rows }, (_, i) => i % 2), dims: [rows, 3] };
  const data = arrays({ inputs: { data: normal(2 * rows), dims: [rows, 2] }, targets });
  const risk = await empiricalRisk({ model, loss, data, ...(assumeLogits !== undefined && { assumeLogits }) });
  try {
    return await risk.loss();
  } finally {
    await risk.dispose();
  }
}

const normalized = [node("Abs", "z", "a"), node("LpNormalization", "a", "y", { axis: { int: 1 }, p: { int: 1 } })];
const tanhSigmoid = [
  node("Mul", "z 0.5", "h"),
  node("Tanh", "h", "t"),
  node("Add", "t 1", "u"),
  node("Mul", "u 0.5", "y"),
];

describe("probabilities where the loss takes logits", () => {
  test("numbers that sum to 1 are refused by crossEntropy, in words", async () => {
    expect(await rejectionOf(lossOf(crossEntropy(), normalized))).toBe(
      'model: output "y" of The given model holds probabilities: the numbers of each of the 6 terms of the first batch are in [0, 1] and sum to 1 over the 3 classes, also with other weights; but the loss crossEntropy takes logits and would apply Softmax a second time. Choose the output before the activation (output, --output), or pass assumeLogits: true (--assume-logits) to take them as logits nevertheless',
    );
    expect(await rejectionOf(lossOf(crossEntropy(), normalized, { rows: 1 }))).toContain("holds probabilities");
    expect(await lossOf(crossEntropy(), normalized, { assumeLogits: true })).toBeGreaterThan(0);
  });

  test.each<[string, readonly Node[]]>([
    ["a sigmoid by tanh", tanhSigmoid],
    ["HardSigmoid", [node("HardSigmoid", "z", "y")]],
    ["Clip to [0, 1]", [node("Clip", "z 0 1", "y")]],
    ["a sigmoid of -z", [node("Exp", "z", "e"), node("Add", "e 1", "s"), node("Reciprocal", "s", "y")]],
  ])("%s is refused by bceWithLogits", async (_, nodes) => {
    expect(await rejectionOf(lossOf(bceWithLogits(), nodes))).toContain("would apply Sigmoid a second time");
  });

  const y = [node("Identity", "z", "y")];
  test.each<[string, Loss, readonly Node[], Parameters<typeof lossOf>[2]]>([
    ["logits", crossEntropy(), y, {}],
    ["small logits that are all between 0 and 1", bceWithLogits(), y, { scale: 0.01, bias: 0.5 }],
    ["the same of one row", bceWithLogits(), y, { scale: 0.01, bias: 0.5, rows: 1 }],
    ["logits that sum to 1 by their bias", crossEntropy(), y, { scale: 0, bias: 1 / 3 }],
    ["ReLU outputs", bceWithLogits(), [node("Relu", "z", "y")], { scale: 0.05, bias: 0.1 }],
    ["ReLU outputs that are all 0", bceWithLogits(), [node("Relu", "z", "y")], { scale: 0.01, bias: -3 }],
    ["numbers in [0, 1] for crossEntropy", crossEntropy(), tanhSigmoid, {}],
    ["log-probabilities", crossEntropy(), [node("LogSoftmax", "z", "l"), node("Mul", "l 1", "y")], {}],
    ["a Softmax node, which is cut", crossEntropy(), [node("Softmax", "z", "y")], {}],
  ])("%s pass", async (_, loss, nodes, options) => {
    expect(Number.isFinite(await lossOf(loss, nodes, options))).toBe(true);
  });
});
