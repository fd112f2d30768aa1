import { describe, expect, test } from "vitest";
import { type FileModel, type LoadOptions, loadModel } from "../../src/models/index.ts";
import type { Tensor } from "../../src/tensors/index.ts";
import { rejectionOf } from "../onnx/messageOf.ts";
import { distance, inputsOf, numbers, parameterFeeds, shapesOf, withProgram } from "./running.ts";
import { subgraph, type TinyModel, tinyModel } from "./tinyModel.ts";

const x: Tensor = { data: Float32Array.of(1, -2, 0.5, 3), dims: [2, 2] };
const w = [
  [0.5, -1, 2, 1],
  [2, 2],
] as const;

async function outputs(model: FileModel, feeds: { readonly [name: string]: Tensor }) {
  const names = model.outputs.map(({ name }) => name);
  const graph = await model.graph({ shapes: shapesOf(feeds), outputs: names });
  const results = await withProgram(inputsOf(model, graph), graph.outputs, {
    precision: "float64",
    use: (program) => program.run({ ...feeds, ...parameterFeeds(model) }),
  });
  return names.map((name) => numbers(results[name]));
}

/** y = branch of `rate`: x W where it is 16000, else x V; the weights are within the branches. */
const branch = (weight: string) => ({
  graph: subgraph({
    weights: { [weight]: w },
    nodes: [{ op: "MatMul", inputs: ["x", weight], outputs: ["product"] }],
    outputs: ["product"],
  }),
});
const switched: TinyModel = {
  inputs: [
    { name: "x", dtype: "float32", dims: ["n", 2] },
    { name: "rate", dtype: "int64", dims: [] },
  ],
  initializers: [{ name: "fast", tensor: { data: BigInt64Array.of(16000n), dims: [] } }],
  nodes: [
    { op: "Equal", inputs: ["rate", "fast"], outputs: ["isFast"] },
    {
      op: "If",
      name: "choice",
      inputs: ["isFast"],
      outputs: ["y"],
      attributes: { then_branch: branch("W"), else_branch: branch("V") },
    },
  ],
};

describe("bind", () => {
  test("an input that decides a branch: its weights are the parameters", async () => {
    for (const [rate, name] of [
      [16000, "W"],
      [8000, "V"],
    ] as const) {
      const model = await loadModel(tinyModel(switched), { bind: { rate } });
      expect(model.parameters.map((parameter) => parameter.name)).toEqual([name]);
      expect(model.inputs.map((input) => input.name)).toEqual(["x"]);
      expect(model.notices).toContain(`Input "rate" is bound to ${rate}.`);
      expect(await outputs(model, { x })).toEqual([[-3.5, -3, 6.25, 2.5]]);
      expect(numbers((await model.run({ x })).y)).toEqual([-3.5, -3, 6.25, 2.5]);
    }
  });

  const sum: TinyModel = {
    inputs: [
      { name: "x", dtype: "float32", dims: ["batch", 2] },
      { name: "shift", dtype: "float32", dims: ["batch", null] },
    ],
    weights: { w },
    nodes: [
      { op: "MatMul", inputs: ["x", "w"], outputs: ["h"] },
      { op: "Add", inputs: ["h", "shift"], outputs: ["y"] },
    ],
  };

  test("sizes by name or by axis, and an input by one number or by a tensor", async () => {
    const bound = await loadModel(tinyModel(sum), { bind: { batch: 2, "shift[1]": 2, shift: 1 } });
    expect(bound.inputs).toEqual([{ name: "x", dtype: "float32", dims: [2, 2] }]);
    expect(bound.fixedRows).toBe(2);
    expect(bound.parameters.map(({ name }) => name)).toEqual(["w"]);
    expect(await outputs(bound, { x })).toEqual([[-2.5, -2, 7.25, 3.5]]);
    const shift: Tensor = { data: Float32Array.of(0, 1, 2, 3), dims: [2, 2] };
    const given = await loadModel(tinyModel(sum), { bind: { shift } });
    expect(await outputs(given, { x })).toEqual([[-3.5, -2, 8.25, 5.5]]);
  });

  test.each<[LoadOptions["bind"], string]>([
    [
      { rate: 1 },
      'The given model has no input and no open size "rate" to bind; its inputs are "x"[batch, 2], "shift"[batch, ?], its sizes batch',
    ],
    [{ batch: 0 }, 'size "batch" must be bound to a positive integer, got 0'],
    [
      { shift: 1 },
      'input "shift" is float32 [batch, ?], which one number does not fill; bind batch and shift[1] too, or give a tensor',
    ],
    [
      { x: { data: Float32Array.of(1, 2, 3), dims: [1, 3] } },
      'input "x" is float32 [batch, 2], but is bound to float32 [1, 3]',
    ],
  ])("says what does not fit: %o", async (bind, message) => {
    expect(await rejectionOf(loadModel(tinyModel(sum), { bind: bind! }))).toBe(`argument: ${message}`);
  });

  test("a whole number for an input of integers", async () => {
    expect(await rejectionOf(loadModel(tinyModel(switched), { bind: { rate: 0.5 } }))).toBe(
      'argument: input "rate" is int64, but is bound to 0.5',
    );
  });
});

describe("output", () => {
  const twoHeads: TinyModel = {
    weights: { w, v: w },
    nodes: [
      { op: "MatMul", inputs: ["x", "w"], outputs: ["h"] },
      { op: "Relu", inputs: ["h"], outputs: ["r"] },
      { op: "MatMul", inputs: ["r", "v"], outputs: ["y"] },
      { op: "Det", inputs: ["h"], outputs: ["d"] },
    ],
    outputs: ["y", "d"],
  };

  test("leaves out what the others need", async () => {
    const model = await loadModel(tinyModel(twoHeads), { output: "y" });
    expect(model.outputs.map(({ name }) => name)).toEqual(["y"]);
    expect(model.prepared.nodes.map(({ op }) => op)).toEqual(["MatMul", "Relu", "MatMul"]);
  });

  test("may be any value in the graph", async () => {
    const model = await loadModel(tinyModel(twoHeads), { output: ["r"] });
    expect(model.parameters.map(({ name }) => name)).toEqual(["w"]);
    expect(await outputs(model, { x })).toEqual([[0, 0, 6.25, 2.5]]);
    expect(distance(numbers((await model.run({ x })).r), [0, 0, 6.25, 2.5])).toBe(0);
  });

  test("must be there", async () => {
    expect(await rejectionOf(loadModel(tinyModel(twoHeads), { output: "z" }))).toBe(
      'argument: The given model has no output "z" and no value of that name; its outputs are y, d',
    );
  });
});
