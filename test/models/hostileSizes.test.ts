import { describe, expect, test } from "vitest";
import { loadModel } from "../../src/models/index.ts";
import type { Tensor } from "../../src/tensors/index.ts";
import { rejectionOf } from "../onnx/messageOf.ts";
import { subgraph, type TinyModel, tinyModel } from "./tinyModel.ts";

const list = (...values: number[]): Tensor => ({ data: BigInt64Array.from(values, BigInt), dims: [values.length] });
const one = (value: number): Tensor => ({ data: BigInt64Array.of(BigInt(value)), dims: [] });
const float = (...values: number[]): Tensor => ({ data: Float32Array.from(values), dims: [values.length] });
const product = { op: "MatMul", inputs: ["x", "w"], outputs: ["h"] };
const sum = { op: "ReduceSum", inputs: ["z"], outputs: ["s"], attributes: { keepdims: { int: 0 } } };

/** h = x w, plus the sum of z that a node makes out of a few numbers. */
function growing(node: TinyModel["nodes"][number], initializers: TinyModel["initializers"], type = 1): TinyModel {
  const cast = { op: "Cast", inputs: ["s"], outputs: ["f"], attributes: { to: { int: type } } };
  return {
    weights: {
      w: [
        [1, 2, 3, 4],
        [2, 2],
      ],
    },
    initializers: initializers!,
    nodes: [product, node, sum, cast, { op: "Add", inputs: ["h", "f"], outputs: ["y"] }],
  };
}

describe("tensors beyond the memory limit out of a few numbers", () => {
  test.each<[string, TinyModel["nodes"][number], NonNullable<TinyModel["initializers"]>]>([
    [
      "ConstantOfShape",
      { op: "ConstantOfShape", inputs: ["n"], outputs: ["z"] },
      [{ name: "n", tensor: list(1e6, 1e6) }],
    ],
    ["Expand", { op: "Expand", inputs: ["h", "n"], outputs: ["z"] }, [{ name: "n", tensor: list(1e12, 2, 2) }]],
    ["Tile", { op: "Tile", inputs: ["h", "n"], outputs: ["z"] }, [{ name: "n", tensor: list(1e12, 1) }]],
    ["Pad", { op: "Pad", inputs: ["h", "n"], outputs: ["z"] }, [{ name: "n", tensor: list(0, 1e5, 0, 1e5) }]],
    [
      "Range",
      { op: "Range", inputs: ["a", "n", "b"], outputs: ["z"] },
      [
        { name: "a", tensor: one(0) },
        { name: "n", tensor: one(1e12) },
        { name: "b", tensor: one(1) },
      ],
    ],
    [
      "OneHot",
      { op: "OneHot", inputs: ["i", "n", "v"], outputs: ["z"] },
      [
        { name: "i", tensor: list(0, 1) },
        { name: "n", tensor: one(1e12) },
        { name: "v", tensor: float(0, 1) },
      ],
    ],
    ["Resize", { op: "Resize", inputs: ["h", "", "n"], outputs: ["z"] }, [{ name: "n", tensor: float(1e5, 1e5) }]],
    ["Resize", { op: "Resize", inputs: ["h", "", "", "n"], outputs: ["z"] }, [{ name: "n", tensor: list(1e5, 1e5) }]],
  ])("%s says so before it takes the memory", async (op, node, initializers) => {
    const model = await loadModel(tinyModel(growing(node, initializers)), { memoryLimit: 1e9 });
    const message = new RegExp(
      `The given model: ${op} "z"(, with its result \\[.*\\], needs .* at once| asks for more than 250000000 elements), more than the memory limit of 1 GB; .*raise memoryLimit \\(--memory-limit\\)`,
    );
    expect(await rejectionOf(model.graph({ shapes: { x: [2, 2] }, outputs: ["y"] }))).toMatch(message);
    await expect(model.run({ x: { data: new Float32Array(4), dims: [2, 2] } })).rejects.toThrow(message);
  });

  test("those that are small are made, the empty shape of a scalar too", async () => {
    for (const n of [list(3, 2), { data: new BigInt64Array(0), dims: [0] }]) {
      const model = await loadModel(
        tinyModel(growing({ op: "ConstantOfShape", inputs: ["n"], outputs: ["z"] }, [{ name: "n", tensor: n }])),
      );
      const { outputs } = await model.graph({ shapes: { x: [2, 2] }, outputs: ["y"] });
      expect(outputs.y!.shape).toEqual([2, 2]);
    }
  });
});

describe("files that ask for too much at once", () => {
  test("padding", async () => {
    const conv = {
      op: "Conv",
      name: "c",
      inputs: ["x", "w"],
      outputs: ["y"],
      attributes: { pads: { ints: [2 ** 20, 2 ** 20] } },
    };
    expect(await rejectionOf(loadModel(tinyModel({ nodes: [conv], weights: { w: [[1], [1, 1, 1]] } })))).toBe(
      'file: The given model: Conv "c" has pads [1048576, 1048576], more than any tensor can hold; the file is damaged, export it again',
    );
  });

  test("rows", async () => {
    const inputs = [{ name: "x", dtype: "float32", dims: [2 ** 40, 2] }] as const;
    const model = await loadModel(
      tinyModel({
        inputs,
        nodes: [{ ...product, outputs: ["y"] }],
        weights: {
          w: [
            [1, 2],
            [2, 1],
          ],
        },
      }),
    );
    expect(await rejectionOf(model.graph({ shapes: { x: [2 ** 40, 2] }, outputs: ["y"] }))).toBe(
      "shape: an input of shape [1099511627776, 2] has more than 268435456 elements; take smaller batches, or bind its sizes",
    );
  });

  test("elements of a type that no array holds", async () => {
    const inputs = [{ name: "x", dtype: "complex64", dims: ["n", 2] }] as const;
    expect(await rejectionOf(loadModel(tinyModel({ inputs, nodes: [{ ...product, outputs: ["y"] }] })))).toBe(
      'unsupported: The given model: input "x" has elements of type complex64, which are not read; export the model in float32',
    );
  });

  test("one name for two values of a branch", async () => {
    const branch = {
      graph: subgraph({
        nodes: [
          { op: "Neg", inputs: ["x"], outputs: ["q"] },
          { op: "Abs", inputs: ["x"], outputs: ["q"] },
        ],
        outputs: ["q"],
      }),
    };
    const yes: Tensor = { data: Uint8Array.of(1), dims: [], dtype: "bool" };
    const nodes = [
      { op: "If", inputs: ["yes"], outputs: ["y"], attributes: { then_branch: branch, else_branch: branch } },
    ];
    expect(await rejectionOf(loadModel(tinyModel({ nodes, initializers: [{ name: "yes", tensor: yes }] })))).toBe(
      'file: value "q" of a subgraph is defined twice; export the model again',
    );
  });
});

describe("nodes at which the engine would end the process", () => {
  test("a OneHot of less than one class", async () => {
    const node = { op: "OneHot", inputs: ["i", "n", "v"], outputs: ["z"] };
    const model = growing(node, [
      { name: "i", tensor: list(0, 1) },
      { name: "n", tensor: one(-5) },
      { name: "v", tensor: float(0, 1) },
    ]);
    const loaded = await loadModel(tinyModel(model));
    expect(await rejectionOf(loaded.run({ x: { data: Float32Array.of(1, 2), dims: [1, 2] } }))).toBe(
      "model: The given model: OneHot is to have -5 classes, which must be one or more; the file is damaged, export it again",
    );
  });

  test("a Split into another number of parts than it has outputs", async () => {
    const split = { op: "Split", inputs: ["h"], outputs: ["z", "a", "b"], attributes: { num_outputs: { int: 2 } } };
    const loaded = await loadModel(tinyModel({ ...growing(split, []), opsets: { "": 18 } }));
    expect(await rejectionOf(loaded.run({ x: { data: Float32Array.of(1, 2), dims: [1, 2] } }))).toBe(
      "model: The given model: Split has 3 outputs, but num_outputs is 2; the file is damaged, export it again",
    );
  });
});
