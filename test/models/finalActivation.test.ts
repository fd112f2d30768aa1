import { describe, expect, test } from "vitest";
import { type LoadOptions, loadModel } from "../../src/models/index.ts";
import type { Tensor } from "../../src/tensors/index.ts";
import { rejectionOf } from "../onnx/messageOf.ts";
import { distance, inputsOf, numbers, parameterFeeds, withProgram } from "./running.ts";
import { subgraph, type TinyModel, tinyModel } from "./tinyModel.ts";

const x: Tensor = { data: Float32Array.of(1, -2, 0.5, 3, -1, 0.25), dims: [3, 2] };
const weights = {
  w: [
    [0.5, -1, 2, 1, 0.25, -0.75, 1.5, -2],
    [2, 4],
  ],
} as const;

const axes = (...values: number[]): Tensor => ({ data: BigInt64Array.from(values, BigInt), dims: [values.length] });
const initializers = [
  { name: "shape", tensor: axes(0, 2, 2) },
  { name: "two", tensor: axes(2) },
  { name: "size", tensor: axes(4) },
];

/** y = nodes after z = x w of shape [n, 4]. */
const following = (...nodes: TinyModel["nodes"]): TinyModel => ({
  weights,
  initializers,
  nodes: [{ op: "MatMul", inputs: ["x", "w"], outputs: ["z"] }, ...nodes],
});

async function outputOf(bytes: Uint8Array, cut: readonly string[], options: LoadOptions = {}) {
  const model = await loadModel(bytes, options);
  const graph = await model.graph({ shapes: { x: x.dims }, outputs: ["y"], cut });
  const { y } = await withProgram(inputsOf(model, graph), graph.outputs, {
    precision: "float64",
    use: (program) => program.run({ x, ...parameterFeeds(model) }),
  });
  return { activation: model.outputs[0].activation, y: y! };
}

const sigmoid = (value: number) => 1 / (1 + Math.exp(-value));

const reshape = { op: "Reshape", inputs: ["p", "shape"], outputs: ["q"] };
const meanOf = (from: string, axis: number) => ({
  op: "ReduceMean",
  inputs: [from],
  outputs: ["m"],
  attributes: { axes: { ints: [axis] }, keepdims: { int: 0 } },
});

describe("a final activation", () => {
  test("followed by operators that only move numbers is cut, and its argument moved alike", async () => {
    const model = tinyModel(
      following({ op: "Sigmoid", inputs: ["z"], outputs: ["p"] }, reshape, {
        op: "Transpose",
        inputs: ["q"],
        outputs: ["y"],
        attributes: { perm: { ints: [0, 2, 1] } },
      }),
    );
    const whole = await outputOf(model, []);
    const logits = await outputOf(model, ["Sigmoid"]);
    expect(logits.activation).toBe("Sigmoid");
    expect(logits.y.dims).toEqual([3, 2, 2]);
    expect(distance(numbers(logits.y).map(sigmoid), numbers(whole.y))).toBeLessThan(1e-12);
  });

  test("that another loss wants stays", async () => {
    const model = tinyModel(
      following({ op: "Sigmoid", inputs: ["z"], outputs: ["p"] }, { ...reshape, outputs: ["y"] }),
    );
    expect((await outputOf(model, ["Softmax"])).y).toEqual((await outputOf(model, [])).y);
  });

  test("followed by the mean of one number is cut as well", async () => {
    const model = tinyModel(
      following(
        { op: "Sigmoid", inputs: ["z"], outputs: ["p"] },
        { op: "Unsqueeze", inputs: ["p", "two"], outputs: ["q"] },
        { ...meanOf("q", 2), outputs: ["y"] },
      ),
    );
    const logits = await outputOf(model, ["Sigmoid"]);
    expect(distance(numbers(logits.y).map(sigmoid), numbers((await outputOf(model, [])).y))).toBeLessThan(1e-12);
  });

  test("followed by the mean of several numbers is refused where the loss wants logits", async () => {
    const model = tinyModel(
      following({ op: "Sigmoid", inputs: ["z"], outputs: ["p"] }, reshape, { ...meanOf("q", 2), outputs: ["y"] }),
    );
    expect(await rejectionOf(outputOf(model, ["Sigmoid"]))).toBe(
      'model: output "y" of The given model is a mean over 2 results of Sigmoid, so the loss does not find the logit that it needs; choose the output "z", which has the logits before the mean, or feed inputs so short that there is one',
    );
    expect((await outputOf(model, [])).y.dims).toEqual([3, 2]);
  });

  test("is seen through an If that passes it on, once sizes decide which way", async () => {
    const branch = (nodes: TinyModel["nodes"]) => ({ graph: subgraph({ nodes, initializers, outputs: ["b"] }) });
    const model = tinyModel(
      following(
        { op: "Sigmoid", inputs: ["z"], outputs: ["p"] },
        { op: "Shape", inputs: ["p"], outputs: ["sizes"], attributes: { start: { int: 1 } } },
        { op: "Equal", inputs: ["sizes", "size"], outputs: ["wide"] },
        {
          op: "If",
          inputs: ["wide"],
          outputs: ["y"],
          attributes: {
            then_branch: branch([{ op: "Reshape", inputs: ["p", "shape"], outputs: ["b"] }]),
            else_branch: branch([{ op: "Identity", inputs: ["p"], outputs: ["b"] }]),
          },
        },
      ),
    );
    const logits = await outputOf(model, ["Sigmoid"]);
    expect(logits.activation).toBe("Sigmoid");
    expect(distance(numbers(logits.y).map(sigmoid), numbers((await outputOf(model, [])).y))).toBeLessThan(1e-12);
  });

  test("is none where the branches of an If end in different values", async () => {
    const branch = (from: string) => ({
      graph: subgraph({ nodes: [{ op: "Identity", inputs: [from], outputs: ["b"] }], outputs: ["b"] }),
    });
    const { outputs } = await loadModel(
      tinyModel({
        ...following(
          { op: "Sigmoid", inputs: ["z"], outputs: ["p"] },
          {
            op: "If",
            inputs: ["c"],
            outputs: ["y"],
            attributes: { then_branch: branch("p"), else_branch: branch("z") },
          },
        ),
        inputs: [
          { name: "x", dtype: "float32", dims: ["n", 2] },
          { name: "c", dtype: "bool", dims: [] },
        ],
      }),
    );
    expect(outputs).toEqual([{ name: "y" }]);
  });

  test("is none in a branch that goes round in circles", async () => {
    const nodes = [
      { op: "Identity", inputs: ["b"], outputs: ["c"] },
      { op: "Identity", inputs: ["c"], outputs: ["b"] },
    ];
    const round = { graph: subgraph({ nodes, outputs: ["b"] }) };
    const { outputs } = await loadModel(
      tinyModel({
        ...following({
          op: "If",
          inputs: ["c"],
          outputs: ["y"],
          attributes: { then_branch: round, else_branch: round },
        }),
        inputs: [
          { name: "x", dtype: "float32", dims: ["n", 2] },
          { name: "c", dtype: "bool", dims: [] },
        ],
      }),
    );
    expect(outputs).toEqual([{ name: "y" }]);
  });
});
