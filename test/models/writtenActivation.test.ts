import { describe, expect, test } from "vitest";
import { loadModel } from "../../src/models/index.ts";
import type { Tensor } from "../../src/tensors/index.ts";
import { distance, inputsOf, numbers, parameterFeeds, withProgram } from "./running.ts";
import { type TinyModel, tinyModel } from "./tinyModel.ts";

const x: Tensor = { data: Float32Array.of(1, -2, 0.5, 3, -1, 0.25), dims: [3, 2] };
const weights = {
  w: [
    [0.5, -1, 2, 1, 0.25, -0.75, 1.5, -2],
    [2, 4],
  ],
} as const;

type Node = TinyModel["nodes"][number];
const node = (op: string, inputs: string, output: string, attributes: Node["attributes"] = {}): Node => ({
  op,
  inputs: inputs.split(" "),
  outputs: [output],
  attributes,
});
const axes = (...values: number[]) => ({ axes: { ints: values } });
const flat = { keepdims: { int: 0 } };
const number = (name: string, value: number) => ({ name, tensor: { data: Float32Array.of(value), dims: [] } });
const initializers = [
  number("one", 1),
  number("two", 2),
  number("minus", -1),
  number("zero", 0),
  { name: "last", tensor: { data: BigInt64Array.of(-1n), dims: [1] } },
  { name: "rows", tensor: { data: BigInt64Array.of(0n), dims: [1] } },
  { name: "second", tensor: { data: BigInt64Array.of(1n), dims: [1] } },
];

async function read(...nodes: Node[]) {
  const model = await loadModel(tinyModel({ weights, initializers, nodes: [node("MatMul", "x w", "z"), ...nodes] }), {
    parameters: { include: ["w"] },
  });
  const run = async (cut: readonly string[]) => {
    const graph = await model.graph({ shapes: { x: x.dims }, outputs: ["y"], cut });
    const results = await withProgram(inputsOf(model, graph), graph.outputs, {
      precision: "float64",
      use: (program) => program.run({ x, ...parameterFeeds(model) }),
    });
    return numbers(results.y!);
  };
  return { output: model.outputs[0], whole: await run([]), logits: await run(["Softmax", "LogSoftmax", "Sigmoid"]) };
}

const rowwise = (change: (row: readonly number[]) => number[]) => (z: readonly number[]) =>
  Array.from({ length: z.length / 4 }, (_, i) => change(z.slice(4 * i, 4 * i + 4))).flat();
const softmax = rowwise((row) => {
  const sum = row.reduce((total, v) => total + Math.exp(v), 0);
  return row.map((v) => Math.exp(v) / sum);
});
const MEANING: Readonly<Record<string, (z: readonly number[]) => number[]>> = {
  Softmax: softmax,
  LogSoftmax: (z) => softmax(z).map(Math.log),
  Sigmoid: (z) => z.map((v) => 1 / (1 + Math.exp(-v))),
};

const maximum = node("ReduceMax", "z", "m", axes(1));
const shifted = [maximum, node("Sub", "z m", "d"), node("Exp", "d", "e")];
const plain = node("Exp", "z", "e");
const sum = node("ReduceSum", "e last", "s");

const WRITTEN: Readonly<Record<string, readonly [operator: string, nodes: readonly Node[]]>> = {
  "exp / sum": ["Softmax", [plain, sum, node("Div", "e s", "y")]],
  "with the maximum taken off": ["Softmax", [...shifted, node("ReduceSum", "e second", "s"), node("Div", "e s", "y")]],
  "with another maximum's axis": ["Softmax", [...shifted, sum, node("Div", "e s", "y")]],
  "with a number taken off": [
    "Softmax",
    [node("Sub", "z two", "d"), node("Exp", "d", "e"), sum, node("Div", "e s", "y")],
  ],
  "times the reciprocal": ["Softmax", [plain, sum, node("Reciprocal", "s", "r"), node("Mul", "r e", "y")]],
  "through Cast and Identity": [
    "Softmax",
    [
      plain,
      node("Cast", "e", "f", { to: { int: 1 } }),
      node("ReduceSum", "f last", "s"),
      node("Identity", "s", "t"),
      node("Div", "e t", "q"),
      node("Identity", "q", "y"),
    ],
  ],
  "a sum whose axis is put back": [
    "Softmax",
    [plain, node("ReduceSum", "e second", "s", flat), node("Unsqueeze", "s second", "t"), node("Div", "e t", "y")],
  ],
  "log of Softmax": ["LogSoftmax", [node("Softmax", "z", "p"), node("Log", "p", "y")]],
  "log of a softmax written out": ["LogSoftmax", [plain, sum, node("Div", "e s", "p"), node("Log", "p", "y")]],
  "minus ReduceLogSumExp": ["LogSoftmax", [node("ReduceLogSumExp", "z", "l", axes(1)), node("Sub", "z l", "y")]],
  "minus log sum exp": ["LogSoftmax", [plain, sum, node("Log", "s", "l"), node("Sub", "z l", "y")]],
  "shifted, minus log sum exp": ["LogSoftmax", [...shifted, sum, node("Log", "s", "l"), node("Sub", "d l", "y")]],
  "minus the maximum plus log sum exp": [
    "LogSoftmax",
    [...shifted, sum, node("Log", "s", "l"), node("Add", "l m", "n"), node("Sub", "z n", "y")],
  ],
  "1 / (1 + exp(-z))": [
    "Sigmoid",
    [node("Neg", "z", "d"), node("Exp", "d", "e"), node("Add", "e one", "s"), node("Div", "one s", "y")],
  ],
  "1 / (1 + exp(-1 z)) by Mul and Reciprocal": [
    "Sigmoid",
    [node("Mul", "minus z", "d"), node("Exp", "d", "e"), node("Add", "one e", "s"), node("Reciprocal", "s", "y")],
  ],
  "1 / (1 + exp(0 - z)) by Sub and Pow": [
    "Sigmoid",
    [node("Sub", "zero z", "d"), node("Exp", "d", "e"), node("Add", "one e", "s"), node("Pow", "s minus", "y")],
  ],
  "exp(z) / (1 + exp(z))": ["Sigmoid", [plain, node("Add", "one e", "s"), node("Div", "e s", "y")]],
};

describe("an activation written out is recognized and cut", () => {
  test.each(Object.entries(WRITTEN))("%s", async (_, [operator, nodes]) => {
    const { output, whole, logits } = await read(...nodes);
    expect(output).toEqual({ name: "y", activation: operator, written: true });
    expect(distance(MEANING[operator](logits), whole)).toBeLessThan(1e-12);
    expect(distance(logits, whole)).toBeGreaterThan(1e-3);
  });
});

describe("what only looks like one stays", () => {
  test.each<[string, readonly Node[]]>([
    ["a sum over rows", [plain, node("ReduceSum", "e rows", "s"), node("Div", "e s", "y")]],
    ["a sum over everything", [plain, node("ReduceSum", "e", "s"), node("Div", "e s", "y")]],
    ["a sum of something else", [plain, node("ReduceSum", "z last", "s"), node("Div", "e s", "y")]],
    [
      "2 / (1 + exp(-z))",
      [node("Neg", "z", "d"), node("Exp", "d", "e"), node("Add", "e one", "s"), node("Div", "two s", "y")],
    ],
    [
      "1 / (2 + exp(-z))",
      [node("Neg", "z", "d"), node("Exp", "d", "e"), node("Add", "e two", "s"), node("Div", "one s", "y")],
    ],
    ["1 / (1 + exp(z))", [plain, node("Add", "e one", "s"), node("Div", "one s", "y")]],
    ["minus the mean", [node("ReduceMean", "z", "m", axes(1)), node("Sub", "z m", "y")]],
    ["Softmax over rows", [node("Softmax", "z", "y", { axis: { int: 0 } })]],
  ])("%s", async (_, nodes) => {
    const { output, whole, logits } = await read(...nodes);
    expect(output).toEqual({ name: "y" });
    expect(logits).toEqual(whole);
  });
});
