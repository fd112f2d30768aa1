import { describe, expect, test } from "vitest";
import { inspectModel, loadModel } from "../../src/models/index.ts";
import type { Tensor } from "../../src/tensors/index.ts";
import { rejectionOf } from "../onnx/messageOf.ts";
import { distance, inputsOf, numbers, parameterFeeds, shapesOf, withProgram } from "./running.ts";
import { subgraph, type TinyModel, tinyModel } from "./tinyModel.ts";

const x: Tensor = { data: Float32Array.of(1, -2, 0.5, 3), dims: [2, 2] };
const weights = {
  w: [
    [0.5, -1, 2, 1],
    [2, 2],
  ],
} as const;
const bool = (value: number): Tensor => ({ data: Uint8Array.of(value), dims: [], dtype: "bool" });
const int = (value: number): Tensor => ({ data: BigInt64Array.of(BigInt(value)), dims: [] });
const scalar = { dtype: "int64", dims: [] } as const;

/** Ours in float64 against ONNX Runtime's run of the file, and no node of control flow left to carry. */
async function agrees(tiny: TinyModel): Promise<readonly number[][]> {
  const model = await loadModel(tinyModel(tiny));
  const names = tiny.outputs ?? ["y"];
  const graph = await model.graph({ shapes: shapesOf({ x }), outputs: names });
  const ours = await withProgram(inputsOf(model, graph), graph.outputs, {
    precision: "float64",
    use: (program) => program.run({ x, ...parameterFeeds(model) }),
  });
  const own = await model.run({ x });
  for (const name of names) expect(distance(numbers(ours[name]), numbers(own[name]))).toBeLessThan(1e-6);
  return names.map((name) => numbers(own[name]));
}

const step = {
  inputs: [
    { name: "i", ...scalar },
    { name: "go", dtype: "bool", dims: [] },
    { name: "h", dtype: "float32", dims: [2, 2] },
  ],
} as const;

/** h <- tanh(h w + k), stacked sums s of h; goes on as the last node says. */
const body = (last: TinyModel["nodes"][number], initializers: TinyModel["initializers"] = []) =>
  subgraph({
    ...step,
    initializers: [{ name: "k", tensor: { data: Float32Array.of(0.25), dims: [] } }, ...initializers],
    nodes: [
      { op: "MatMul", inputs: ["h", "w"], outputs: ["a"] },
      { op: "Add", inputs: ["a", "k"], outputs: ["b"] },
      { op: "Tanh", inputs: ["b"], outputs: ["t"] },
      { op: "Neg", inputs: ["t"], outputs: ["s"] },
      last,
    ],
    outputs: ["more", "t", "s"],
  });

const onward = { op: "Identity", inputs: ["go"], outputs: ["more"] };

describe("Loop", () => {
  const loop = (graph: Uint8Array, inputs: readonly string[]): TinyModel => ({
    weights,
    initializers: [
      { name: "three", tensor: int(3) },
      { name: "yes", tensor: bool(1) },
    ],
    nodes: [
      { op: "Loop", name: "rounds", inputs, outputs: ["last", "all"], attributes: { body: { graph } } },
      { op: "ReduceSum", inputs: ["all"], outputs: ["sums"], attributes: { keepdims: { int: 0 } } },
      { op: "Add", inputs: ["last", "sums"], outputs: ["y"] },
    ],
  });

  test("of a known count", async () => {
    const { operators } = inspectModel(await loadModel(tinyModel(loop(body(onward), ["three", "", "x"]))));
    expect(operators.find(({ operator }) => operator === "Loop")?.support).toMatchObject({ folded: 1, missing: 0 });
    await agrees(loop(body(onward), ["three", "yes", "x"]));
    await agrees(loop(body(onward), ["three", "", "x"]));
  });

  test("that ends by a condition on the count", async () => {
    const least = { name: "least", tensor: int(1) };
    const graph = body({ op: "Less", inputs: ["i", "least"], outputs: ["more"] }, [least]);
    const [y] = await agrees(loop(graph, ["", "yes", "x"]));
    const [shorter] = await agrees({
      ...loop(body(onward), ["two", "", "x"]),
      initializers: [{ name: "two", tensor: int(2) }],
    });
    expect(y).toEqual(shorter);
  });

  test("that ends by a condition on the data is refused by name", async () => {
    const nodes = { op: "ReduceMax", inputs: ["t"], outputs: ["m"], attributes: { keepdims: { int: 0 } } };
    const graph = subgraph({
      ...step,
      initializers: [{ name: "k", tensor: { data: Float32Array.of(0.25), dims: [] } }],
      nodes: [
        { op: "MatMul", inputs: ["h", "w"], outputs: ["t"] },
        { op: "Neg", inputs: ["t"], outputs: ["s"] },
        nodes,
        { op: "Less", inputs: ["m", "k"], outputs: ["more"] },
      ],
      outputs: ["more", "t", "s"],
    });
    const model = await loadModel(tinyModel(loop(graph, ["three", "yes", "x"])));
    expect(await rejectionOf(model.graph({ shapes: { x: [2, 2] }, outputs: ["y"] }))).toBe(
      'unsupported: Loop "rounds" decides by the data how often it repeats; derivatives need one graph for all rows, so export the model without data-dependent control flow',
    );
  });

  test("of too many rounds", async () => {
    const many = { ...loop(body(onward), ["many", "", "x"]), initializers: [{ name: "many", tensor: int(2 ** 40) }] };
    const model = await loadModel(tinyModel(many));
    expect(await rejectionOf(model.graph({ shapes: { x: [2, 2] }, outputs: ["y"] }))).toBe(
      'unsupported: Loop "rounds" has more than 10000 rounds, too many to be written out; export the model without the loop',
    );
  });

  test("of no rounds has nothing to stack", async () => {
    const none = { ...loop(body(onward), ["none", "", "x"]), initializers: [{ name: "none", tensor: int(0) }] };
    const model = await loadModel(tinyModel(none));
    expect(await rejectionOf(model.graph({ shapes: { x: [2, 2] }, outputs: ["y"] }))).toBe(
      'unsupported: Loop "rounds" has no rounds but stacks their results; export the model without it',
    );
  });

  test("without a body", async () => {
    const { nodes, ...rest } = loop(body(onward), ["three", "", "h"]);
    const product = { op: "MatMul", inputs: ["x", "w"], outputs: ["h"] };
    const model = await loadModel(
      tinyModel({ ...rest, nodes: [product, { ...nodes[0]!, attributes: {} }, ...nodes.slice(1)] }),
    );
    expect(await rejectionOf(model.graph({ shapes: { x: [2, 2] }, outputs: ["y"] }))).toBe(
      'file: The given model: Loop "rounds" lacks a body; the file is damaged, export it again',
    );
  });
});

describe("Scan", () => {
  const graph = subgraph({
    inputs: [
      { name: "h", dtype: "float32", dims: [2] },
      { name: "row", dtype: "float32", dims: [2] },
    ],
    nodes: [
      { op: "Add", inputs: ["h", "row"], outputs: ["a"] },
      { op: "MatMul", inputs: ["a", "w"], outputs: ["next"] },
      { op: "Tanh", inputs: ["next"], outputs: ["seen"] },
    ],
    outputs: ["next", "seen"],
  });
  const scan = (attributes: TinyModel["nodes"][number]["attributes"] = {}): TinyModel => ({
    weights: { ...weights, start: [[0.5, -0.25], [2]] },
    nodes: [
      {
        op: "Scan",
        name: "rows",
        inputs: ["start", "x"],
        outputs: ["last", "y"],
        attributes: { num_scan_inputs: { int: 1 }, body: { graph }, ...attributes },
      },
    ],
  });

  test("over rows, and backwards over columns", async () => {
    const forward = await agrees(scan());
    const one = { ints: [1] };
    const other = await agrees(
      scan({ scan_input_axes: one, scan_output_axes: one, scan_input_directions: one, scan_output_directions: one }),
    );
    expect(other).not.toEqual(forward);
  });

  test("in the form of opset 8", async () => {
    const { num_scan_inputs: _, ...rest } = scan().nodes[0]!.attributes!;
    const model = await loadModel(tinyModel({ ...scan(), nodes: [{ ...scan().nodes[0]!, attributes: rest }] }), {
      parameters: { include: ["w"] },
    });
    expect(await rejectionOf(model.graph({ shapes: { x: [2, 2] }, outputs: ["y"] }))).toMatch(
      /^unsupported: Scan "rows" has the form of opset 8; convert the file to opset 9 or newer$/,
    );
  });
});

describe("If", () => {
  test("within whose branch names are used again, by inner graphs too", async () => {
    const inner = { graph: subgraph({ nodes: [{ op: "Neg", inputs: ["y"], outputs: ["q"] }], outputs: ["q"] }) };
    const outer = {
      graph: subgraph({
        nodes: [
          { op: "Tanh", inputs: ["h"], outputs: ["y"] },
          { op: "If", inputs: ["yes"], outputs: ["r"], attributes: { then_branch: inner, else_branch: inner } },
        ],
        outputs: ["r"],
      }),
    };
    await agrees({
      weights,
      initializers: [{ name: "yes", tensor: bool(1) }],
      nodes: [
        { op: "MatMul", inputs: ["x", "w"], outputs: ["h"] },
        { op: "If", inputs: ["yes"], outputs: ["z"], attributes: { then_branch: outer, else_branch: outer } },
        { op: "Mul", inputs: ["z", "h"], outputs: ["y"] },
      ],
    });
  });
});
