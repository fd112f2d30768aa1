import { describe, expect, test } from "vitest";
import { chooseParameters } from "../../src/models/import/parameters/index.ts";
import { type FileModel, loadModel } from "../../src/models/index.ts";
import type { Tensor } from "../../src/tensors/index.ts";
import { distance, type Feeds, inputsOf, numbers, parameterFeeds, shapesOf, withProgram } from "./running.ts";
import { localFunction, subgraph, tinyModel } from "./tinyModel.ts";

const x: Tensor = { data: Float32Array.of(1, -2, 0.5, 3), dims: [2, 2] };
const w = [
  [0.5, -1, 2, 1],
  [2, 2],
] as const;
const b = [[0.25, -0.5], [2]] as const;

/** Our forward in float64 of all outputs agrees with ONNX Runtime's run of the file. */
async function agrees(model: FileModel, feeds: Feeds): Promise<Feeds> {
  const outputs = model.outputs.map(({ name }) => name);
  const graph = await model.graph({ shapes: shapesOf(feeds), outputs });
  const ours = await withProgram(inputsOf(model, graph), graph.outputs, {
    precision: "float64",
    use: (program) => program.run({ ...feeds, ...parameterFeeds(model) }),
  });
  const own = await model.run(feeds);
  for (const name of outputs) expect(distance(numbers(ours[name]), numbers(own[name]))).toBeLessThan(1e-6);
  return ours;
}

const scaled = localFunction({
  name: "ScaledLinear",
  inputs: ["input", "weight"],
  outputs: ["result"],
  attributes: ["factor"],
  nodes: [
    { op: "Constant", inputs: [], outputs: ["c"] },
    { op: "MatMul", inputs: ["input", "weight"], outputs: ["product"] },
    { op: "Mul", inputs: ["product", "c"], outputs: ["result"] },
  ],
  references: { 0: { value_float: "factor" } },
});

describe("local functions", () => {
  const opsets = { "": 17, local: 1 };

  test("are written out, each call with its attributes and with names of its own", async () => {
    const model = await loadModel(
      tinyModel({
        opsets,
        functions: [scaled],
        weights: { w, v: w },
        nodes: [
          {
            op: "ScaledLinear",
            domain: "local",
            inputs: ["x", "w"],
            outputs: ["h"],
            attributes: { factor: { float: 2 } },
          },
          {
            op: "ScaledLinear",
            domain: "local",
            inputs: ["h", "v"],
            outputs: ["y"],
            attributes: { factor: { float: -3 } },
          },
        ],
      }),
    );
    expect(model.parameters.map(({ name, role }) => [name, role])).toEqual([
      ["w", "weight"],
      ["v", "weight"],
    ]);
    expect(model.prepared.functions).toEqual([]);
    const { y } = await agrees(model, { x });
    // x W W (2) (-3) by hand: x W = [[-3.5, -3], [6.25, 2.5]].
    expect(distance(numbers(y), [-6 * -7.75, -6 * 0.5, -6 * 8.125, -6 * -3.75])).toBeLessThan(1e-12);
  });

  test("may call each other, and pass an input through", async () => {
    const twice = localFunction({
      name: "Twice",
      inputs: ["a", "m"],
      outputs: ["out", "a"],
      nodes: [
        {
          op: "ScaledLinear",
          domain: "local",
          inputs: ["a", "m"],
          outputs: ["inner"],
          attributes: { factor: { float: 1 } },
        },
        {
          op: "ScaledLinear",
          domain: "local",
          inputs: ["inner", "m"],
          outputs: ["out"],
          attributes: { factor: { float: 1 } },
        },
      ],
      opsets: { "": 17, local: 1 },
    });
    const model = await loadModel(
      tinyModel({
        opsets,
        functions: [scaled, twice],
        weights: { w },
        outputs: ["y"],
        nodes: [
          { op: "Twice", domain: "local", inputs: ["x", "w"], outputs: ["h", "same"] },
          { op: "Add", inputs: ["h", "same"], outputs: ["y"] },
        ],
      }),
    );
    const graph = await model.graph({ shapes: { x: [2, 2] }, outputs: ["y"] });
    const { y } = await withProgram(inputsOf(model, graph), graph.outputs, {
      precision: "float64",
      use: (program) => program.run({ x, ...parameterFeeds(model) }),
    });
    expect(distance(numbers(y), [-7.75 + 1, 0.5 - 2, 8.125 + 0.5, -3.75 + 3])).toBeLessThan(1e-12);
  });

  test("written for another operator set stay calls, which are carried or refused", async () => {
    const older = localFunction({
      name: "Shifted",
      inputs: ["a"],
      outputs: ["out"],
      nodes: [{ op: "Add", inputs: ["a", "a"], outputs: ["out"] }],
      opsets: { "": 14 },
    });
    const call = { op: "Shifted", domain: "local" };
    const refused = await loadModel(
      tinyModel({
        opsets,
        functions: [older],
        weights: { w },
        nodes: [
          { op: "MatMul", inputs: ["x", "w"], outputs: ["h"] },
          { ...call, inputs: ["h"], outputs: ["y"] },
        ],
      }),
    );
    await expect(refused.graph({ shapes: { x: [2, 2] }, outputs: ["y"] })).rejects.toThrow(
      "no derivative rule for local.Shifted (1: y), which parameters reach; choose another output, or re-export without it",
    );
  });
});

describe("If", () => {
  const condition = (value: number) => ({
    name: "condition",
    tensor: { data: Uint8Array.of(value), dims: [], dtype: "bool" as const },
  });
  const branches = {
    then_branch: {
      graph: subgraph({
        nodes: [
          { op: "MatMul", inputs: ["h", "w"], outputs: ["inner"] },
          { op: "Add", inputs: ["inner", "own"], outputs: ["y"] },
        ],
        weights: { own: [[1, 2], [2]] },
        outputs: ["y"],
      }),
    },
    else_branch: { graph: subgraph({ nodes: [{ op: "Neg", inputs: ["h"], outputs: ["z"] }], outputs: ["z"] }) },
  };
  const build = (value: number) =>
    tinyModel({
      weights: { w, b },
      initializers: [condition(value)],
      nodes: [
        { op: "Add", inputs: ["x", "b"], outputs: ["h0"] },
        { op: "MatMul", inputs: ["h0", "w"], outputs: ["h"] },
        { op: "If", name: "choice", inputs: ["condition"], outputs: ["y"], attributes: branches },
      ],
    });

  test.each([1, 0])("with a known condition %i is the branch it takes", async (value) => {
    const model = await loadModel(build(value));
    expect(model.parameters.map(({ name }) => name)).toContain("w");
    await agrees(model, { x });
  });

  test("that no parameter reaches is carried with what it captures", async () => {
    const model = await loadModel(
      tinyModel({
        weights: { w },
        initializers: [{ name: "zero", tensor: { data: Float32Array.of(0), dims: [] } }],
        nodes: [
          { op: "ReduceSum", inputs: ["x"], outputs: ["sum"], attributes: { keepdims: { int: 0 } } },
          { op: "Greater", inputs: ["sum", "zero"], outputs: ["positive"] },
          { op: "Abs", inputs: ["x"], outputs: ["h"] },
          {
            op: "If",
            inputs: ["positive"],
            outputs: ["chosen"],
            attributes: {
              then_branch: {
                graph: subgraph({ nodes: [{ op: "Sqrt", inputs: ["h"], outputs: ["a"] }], outputs: ["a"] }),
              },
              else_branch: {
                graph: subgraph({ nodes: [{ op: "Neg", inputs: ["h"], outputs: ["c"] }], outputs: ["c"] }),
              },
            },
          },
          { op: "MatMul", inputs: ["chosen", "w"], outputs: ["y"] },
        ],
      }),
    );
    await agrees(model, { x });
    await agrees(model, { x: { data: Float32Array.of(-1, -2, 0.5, 1), dims: [2, 2] } });
  });
});

describe("Loop", () => {
  const body = subgraph({
    inputs: [
      { name: "i", dtype: "int64", dims: [] },
      { name: "go", dtype: "bool", dims: [] },
      { name: "sum", dtype: "float32", dims: null },
    ],
    nodes: [
      { op: "Add", inputs: ["sum", "x"], outputs: ["next"] },
      { op: "Identity", inputs: ["go"], outputs: ["again"] },
    ],
    outputs: ["again", "next"],
  });
  const loop = (rows: number | "n") =>
    tinyModel({
      inputs: [{ name: "x", dtype: "float32", dims: [rows, 2] }],
      weights: { w },
      initializers: [{ name: "three", tensor: { data: BigInt64Array.of(3n), dims: [] } }],
      nodes: [
        { op: "Abs", inputs: ["x"], outputs: ["h"] },
        { op: "Loop", inputs: ["three", "", "h"], outputs: ["s"], attributes: { body: { graph: body } } },
        { op: "MatMul", inputs: ["s", "w"], outputs: ["y"] },
      ],
    });

  test("that no parameter reaches is carried, also where it reads an input of the model", async () => {
    const { y } = await agrees(await loadModel(loop("n")), { x });
    // |x| + 3 x = [[4, -4], [2, 12]].
    expect(distance(numbers(y), [4 * 0.5 - 4 * 2, -4 - 4, 0.5 * 2 + 24, -2 + 12])).toBeLessThan(1e-6);
  });

  test("cannot be repeated for a model that insists on its rows", async () => {
    const model = await loadModel(loop(1));
    await expect(model.graph({ shapes: { x: [2, 2] }, outputs: ["y"] })).rejects.toThrow(
      "Loop output 0 cannot be computed for several values at once",
    );
  });
});

describe("nodes that no parameter reaches", () => {
  test("are carried in the form of their operator set", async () => {
    const model = await loadModel(
      tinyModel({
        opsets: { "": 11 },
        inputs: [{ name: "x", dtype: "int64", dims: ["n", 1] }],
        initializers: [
          { name: "three", tensor: { data: BigInt64Array.of(3n), dims: [] } },
          { name: "depth", tensor: { data: BigInt64Array.of(3n), dims: [] } },
          { name: "levels", tensor: { data: Float32Array.of(0, 1), dims: [2] } },
        ],
        weights: {
          w: [
            [1, 2, 3, 4, 5, 6],
            [3, 2],
          ],
        },
        nodes: [
          { op: "Mod", inputs: ["x", "three"], outputs: ["m"] },
          { op: "Squeeze", inputs: ["m"], outputs: ["flat"], attributes: { axes: { ints: [1] } } },
          { op: "OneHot", inputs: ["flat", "depth", "levels"], outputs: ["hot"] },
          { op: "MatMul", inputs: ["hot", "w"], outputs: ["y"] },
        ],
      }),
    );
    const tokens: Tensor = { data: BigInt64Array.of(4n, 3n, 5n), dims: [3, 1] };
    const { y } = await agrees(model, { x: tokens });
    expect(numbers(y)).toEqual([3, 4, 1, 2, 5, 6]);
  });

  test("are computed one copy after the other for a model that insists on its rows", async () => {
    const model = await loadModel(
      tinyModel({
        inputs: [{ name: "x", dtype: "int64", dims: [2, 2] }],
        initializers: [{ name: "three", tensor: { data: BigInt64Array.of(3n), dims: [] } }],
        weights: {
          table: [
            [1, 2, 3, 4, 5, 6],
            [3, 2],
          ],
        },
        nodes: [
          { op: "Mod", inputs: ["x", "three"], outputs: ["m"] },
          { op: "Gather", inputs: ["table", "m"], outputs: ["y"] },
        ],
      }),
    );
    expect(model.fixedRows).toBe(2);
    const tokens = { data: BigInt64Array.from([0, 4, 2, 5, 3, 1, 7, 8], BigInt), dims: [4, 2] };
    const graph = await model.graph({ shapes: { x: [4, 2] }, outputs: ["y"] });
    const { y } = await withProgram(inputsOf(model, graph), graph.outputs, {
      precision: "float64",
      use: (program) => program.run({ x: tokens, ...parameterFeeds(model) }),
    });
    expect(y.dims).toEqual([4, 2, 2]);
    expect(numbers(y)).toEqual([0, 4, 2, 5, 3, 1, 7, 8].flatMap((token) => [1 + 2 * (token % 3), 2 + 2 * (token % 3)]));
  });
});

describe("parameters by role", () => {
  test("are found behind nodes that only move them, and in what subgraphs capture", async () => {
    const model = await loadModel(
      tinyModel({
        weights: {
          w,
          b: [
            [0.25, -0.5],
            [2, 1],
          ],
        },
        nodes: [
          { op: "Transpose", inputs: ["w"], outputs: ["wt"] },
          { op: "MatMul", inputs: ["x", "wt"], outputs: ["h"] },
          { op: "Reshape", inputs: ["b", "size"], outputs: ["flat"] },
          { op: "Add", inputs: ["h", "flat"], outputs: ["y"] },
        ],
        initializers: [{ name: "size", tensor: { data: BigInt64Array.of(2n), dims: [1] } }],
      }),
    );
    expect(model.parameters.map(({ name, role }) => [name, role])).toEqual([
      ["w", "weight"],
      ["b", "offset"],
    ]);
    await agrees(model, { x });
  });

  test("are not masks, which hold numbers that no weight has", async () => {
    const model = await loadModel(
      tinyModel({
        weights: { w, mask: [[0, -1e9], [2]] },
        nodes: [
          { op: "MatMul", inputs: ["x", "w"], outputs: ["h"] },
          { op: "Add", inputs: ["h", "mask"], outputs: ["y"] },
        ],
      }),
    );
    expect(model.parameters.map(({ name }) => name)).toEqual(["w"]);
    const reason = "a mask: it has numbers no weight has";
    expect(model.constants).toEqual([{ name: "mask", dims: [2], reason, evidence: "content", certain: true }]);
  });

  test("have names that nothing else has", async () => {
    const { prepared } = await loadModel(
      tinyModel({
        inputs: [{ name: "fc.weight", dtype: "float32", dims: ["n", 2] }],
        weights: { val_1: w },
        nodes: [{ op: "MatMul", inputs: ["fc.weight", "val_1"], outputs: ["y"] }],
      }),
    );
    const withMetadata = (target: string) => ({
      ...prepared,
      metadata: { "pkg.torch.export.ExportedProgram.graph_signature": `p_fc_weight: PARAMETER target='${target}'` },
      nodes: prepared.nodes.map((node) => ({
        ...node,
        metadata: { "pkg.torch.onnx.fx_node": "aten.linear.default](args = (%x, %p_fc_weight))" },
      })),
    });
    const nameOf = async (target: string) => (await chooseParameters(withMetadata(target))).parameters[0].name;
    expect(await nameOf("layer.weight")).toBe("layer.weight");
    expect(await nameOf("fc.weight")).toBe("val_1");
  });
});
