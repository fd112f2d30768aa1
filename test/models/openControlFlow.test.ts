import { describe, expect, test } from "vitest";
import { inspectModel, loadModel } from "../../src/models/index.ts";
import type { Tensor } from "../../src/tensors/index.ts";
import { rejectionOf } from "../onnx/messageOf.ts";
import { subgraph, type TinyModel, tinyModel } from "./tinyModel.ts";

/*
 * What the user is told about branches and loops of which it is not known what they compute, and of the weights within them.
 */
const w = [
  [0.5, -1, 2, 1],
  [2, 2],
] as const;

const v = [
  [1, 0.5, -2, 0.25],
  [2, 2],
] as const;

const scalar = (value: number): Tensor => ({ data: BigInt64Array.of(BigInt(value)), dims: [] });

const product = (weight: string, inner: boolean) => ({
  graph: subgraph({
    weights: inner ? { [weight]: weight === "W" ? w : v } : {},
    nodes: [{ op: "MatMul", inputs: ["x", weight], outputs: [`${weight} x`] }],
    outputs: [`${weight} x`],
  }),
});

/** y = x W where `rate` is 16000, else x V, with the weights within the branches or outside them. */
const switched = (inner: boolean): TinyModel => ({
  inputs: [
    { name: "x", dtype: "float32", dims: ["n", 2] },
    { name: "rate", dtype: "int64", dims: [] },
  ],
  weights: inner ? {} : { W: w, V: v },
  initializers: [{ name: "fast", tensor: scalar(16000) }],
  nodes: [
    { op: "Equal", inputs: ["fast", "rate"], outputs: ["isFast"] },
    { op: "Identity", inputs: ["isFast"], outputs: ["condition"] },
    {
      op: "If",
      name: "choice",
      inputs: ["condition"],
      outputs: ["y"],
      attributes: { then_branch: product("W", inner), else_branch: product("V", inner) },
    },
  ],
});

const advice = 'bind rate to 16000 (bind: { "rate": 16000 }, or --bind rate=16000)';

describe("a branch chosen by an input", () => {
  test("with all weights within it: the input and the number to bind it to", async () => {
    expect(await rejectionOf(loadModel(tinyModel(switched(true))))).toBe(
      `model: The given model: nothing in it is taken for a parameter; If "choice" takes one of two branches by input "rate". 2 float tensors within its branches are no weights until that is known. B${advice.slice(1)}`,
    );
  });

  test("with weights outside: a notice, and the same advice from the graph", async () => {
    const model = await loadModel(tinyModel(switched(false)));
    expect(inspectModel(model).notices).toEqual([
      `If "choice" takes one of two branches by input "rate". B${advice.slice(1)}.`,
    ]);
    expect(await rejectionOf(model.graph({ shapes: { x: [1, 2], rate: [] }, outputs: ["y"] }))).toBe(
      `unsupported: The given model: If "choice" chooses by the data which branch to compute, and parameters reach both; derivatives need one graph for all rows, so ${advice}`,
    );
  });

  test("the advice is right: bound, nothing is left to say", async () => {
    for (const inner of [true, false]) {
      const { notices, parameters } = await loadModel(tinyModel(switched(inner)), { bind: { rate: 16000 } });
      expect(notices).toEqual(['Input "rate" is bound to 16000.']);
      expect(parameters.map(({ name }) => name)).toContain("W");
    }
  });

  test("by no number in particular", async () => {
    const { nodes, ...rest } = switched(false);
    const compared = nodes.map((node) => (node.op === "Equal" ? { ...node, op: "Less" } : node));
    const { notices } = await loadModel(tinyModel({ ...rest, nodes: compared }));
    expect(notices[0]).toMatch(/Bind rate to VALUE \(bind: \{ "rate": VALUE \}, or --bind rate=VALUE\)\.$/);
  });
});

describe("a branch chosen by sizes", () => {
  const model: TinyModel = {
    inputs: [{ name: "x", dtype: "float32", dims: [null, 2] }],
    initializers: [{ name: "one", tensor: { data: BigInt64Array.of(1n), dims: [1] } }],
    nodes: [
      { op: "Shape", inputs: ["x"], outputs: ["sizes"], attributes: { end: { int: 1 } } },
      { op: "Equal", inputs: ["sizes", "one"], outputs: ["single"] },
      {
        op: "If",
        name: "choice",
        inputs: ["single"],
        outputs: ["y"],
        attributes: { then_branch: product("W", true), else_branch: product("V", true) },
      },
    ],
  };

  test("with weights within it: the sizes to bind", async () => {
    expect(await rejectionOf(loadModel(tinyModel(model)))).toMatch(
      /If "choice" takes one of two branches by size "x\[0\]"\. 2 float tensors .* Bind x\[0\] to SIZE \(bind: \{ "x\[0\]": SIZE \}, or --bind x\[0\]=SIZE\)$/,
    );
    const bound = await loadModel(tinyModel(model), { bind: { "x[0]": 1 } });
    expect(bound.parameters.map(({ name }) => name)).toEqual(["W"]);
    expect(bound.notices).toEqual(['Size "x[0]" is bound to 1.']);
  });

  test("with all weights outside: nothing, since each batch has its sizes", async () => {
    const branches = { then_branch: product("W", false), else_branch: product("V", false) };
    const nodes = model.nodes.map((node) => (node.op === "If" ? { ...node, attributes: branches } : node));
    const loaded = await loadModel(tinyModel({ ...model, nodes, weights: { W: w, V: v } }));
    expect(loaded.notices).toEqual([]);
    await expect(loaded.graph({ shapes: { x: [3, 2] }, outputs: ["y"] })).resolves.toBeDefined();
  });
});

describe("a branch chosen by the data", () => {
  const model: TinyModel = {
    inputs: [{ name: "x", dtype: "float32", dims: [1, 2] }],
    weights: {
      W: w,
      V: w,
      U: [
        [1, -1],
        [2, 1],
      ],
    },
    initializers: [{ name: "half", tensor: { data: Float32Array.of(0.5), dims: [] } }],
    nodes: [
      { op: "MatMul", inputs: ["x", "U"], outputs: ["h"] },
      { op: "Sigmoid", inputs: ["h"], outputs: ["p"] },
      { op: "Greater", inputs: ["p", "half"], outputs: ["yes"] },
      {
        op: "If",
        name: "choice",
        inputs: ["yes"],
        outputs: ["y"],
        attributes: {
          then_branch: product("W", false),
          else_branch: {
            graph: subgraph({
              nodes: [{ op: "Concat", inputs: ["p", "p"], outputs: ["pp"], attributes: { axis: { int: 1 } } }],
              outputs: ["pp"],
            }),
          },
        },
      },
    ],
  };

  test("the value to choose as output instead, which is right", async () => {
    const loaded = await loadModel(tinyModel(model));
    expect(loaded.notices[0]).toBe(
      'If "choice" takes one of two branches by input "x". Choose an output before it, as "p" (output: "p", or --output p), or export the model without data-dependent control flow.',
    );
    const chosen = await loadModel(tinyModel(model), { output: "p" });
    expect(chosen.notices).toEqual([]);
    expect(chosen.parameters.map(({ name }) => name)).toEqual(["U"]);
  });
});

describe("a loop with weights in its body", () => {
  const body = {
    graph: subgraph({
      inputs: [
        { name: "i", dtype: "int64", dims: [] },
        { name: "go", dtype: "bool", dims: [] },
        { name: "h", dtype: "float32", dims: [null, 2] },
      ],
      weights: { W: w },
      nodes: [
        { op: "MatMul", inputs: ["h", "W"], outputs: ["next"] },
        { op: "Identity", inputs: ["go"], outputs: ["goes"] },
      ],
      outputs: ["goes", "next"],
    }),
  };
  const loop = (count: "steps" | "two"): TinyModel => ({
    inputs: [
      { name: "x", dtype: "float32", dims: ["n", 2] },
      ...(count === "steps" ? [{ name: "steps", dtype: "int64" as const, dims: [] }] : []),
    ],
    initializers: [{ name: "two", tensor: scalar(2) }],
    nodes: [{ op: "Loop", name: "rounds", inputs: [count, "", "x"], outputs: ["y"], attributes: { body } }],
  });

  test("of a known count has them as parameters", async () => {
    const { parameters, notices } = await loadModel(tinyModel(loop("two")));
    expect(parameters.map(({ name, role }) => [name, role])).toEqual([["W", "weight"]]);
    expect(notices).toEqual([]);
  });

  test("repeated as often as an input says: that input is to be bound", async () => {
    expect(await rejectionOf(loadModel(tinyModel(loop("steps"))))).toMatch(
      /Loop "rounds" repeats its body, how often by input "steps"\. 1 float tensor within its body is no weight until that is known\. Bind steps to VALUE/,
    );
    const { parameters } = await loadModel(tinyModel(loop("steps")), { bind: { steps: 3 } });
    expect(parameters.map(({ name }) => name)).toEqual(["W"]);
  });
});

test("a scan with weights in its body: the sizes to bind", async () => {
  const body = {
    graph: subgraph({
      inputs: [
        { name: "h", dtype: "float32", dims: [null, 2] },
        { name: "row", dtype: "float32", dims: [null, 2] },
      ],
      weights: { W: w },
      nodes: [
        { op: "Add", inputs: ["h", "row"], outputs: ["sum"] },
        { op: "MatMul", inputs: ["sum", "W"], outputs: ["next"] },
      ],
      outputs: ["next"],
    }),
  };
  const model: TinyModel = {
    inputs: [
      { name: "x", dtype: "float32", dims: ["n", 2] },
      { name: "steps", dtype: "float32", dims: ["t", "n", 2] },
    ],
    nodes: [
      {
        op: "Scan",
        name: "steps of time",
        inputs: ["x", "steps"],
        outputs: ["y"],
        attributes: { body, num_scan_inputs: { int: 1 } },
      },
    ],
  };
  expect(await rejectionOf(loadModel(tinyModel(model)))).toMatch(
    /Scan "steps of time" repeats its body, how often by size "n", size "t"\. 1 float tensor .* Bind n to SIZE and t to SIZE \(bind: \{ "n": SIZE, "t": SIZE \}, or --bind n=SIZE --bind t=SIZE\)$/,
  );
  const { parameters, notices } = await loadModel(tinyModel(model), { bind: { n: 1, t: 3 } });
  expect(parameters.map(({ name }) => name)).toEqual(["W"]);
  expect(notices).toEqual(['Size "n" is bound to 1.', 'Size "t" is bound to 3.']);
});

describe("sizes of rows that do not fit", () => {
  test("are told with what is bound", async () => {
    const model: TinyModel = {
      inputs: [
        { name: "x", dtype: "float32", dims: [null, 2] },
        { name: "state", dtype: "float32", dims: [null, 2] },
      ],
      weights: { w },
      nodes: [
        { op: "MatMul", inputs: ["x", "w"], outputs: ["h"] },
        { op: "Concat", inputs: ["h", "state"], outputs: ["y"], attributes: { axis: { int: 1 } } },
      ],
    };
    const bound = await loadModel(tinyModel(model), { bind: { "state[0]": 1, state: 0 } });
    expect(await rejectionOf(bound.graph({ shapes: { x: [3, 2] }, outputs: ["y"] }))).toMatch(
      /cannot run The given model on "x" of shape \[3, 2\] with "state" bound to shape \[1, 2\] \(sizes that count rows must be bound alike, of inputs that are not bound too; 1 everywhere computes one row at a time\): /,
    );
    const rowwise = await loadModel(tinyModel(model), { bind: { "state[0]": 1, state: 0, "x[0]": 1 } });
    await expect(rowwise.graph({ shapes: { x: [3, 2] }, outputs: ["y"] })).resolves.toBeDefined();
  });
});
