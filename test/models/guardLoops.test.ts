import { expect, test } from "vitest";
import { loadModel } from "../../src/models/index.ts";
import type { AttributeValue, Tensor } from "../../src/tensors/index.ts";
import { rejectionOf } from "../onnx/messageOf.ts";
import { subgraph, type TinyModel, tinyModel } from "./tinyModel.ts";

type Nodes = TinyModel["nodes"];

const x: Tensor = { data: Float32Array.of(1, 2, 3, 4), dims: [2, 2] };
const yes: Tensor = { data: Uint8Array.of(1), dims: [], dtype: "bool" };
const size: Tensor = { data: BigInt64Array.of(400_000n), dims: [1] };
const goesOn = { op: "Identity", inputs: ["c"], outputs: ["c2"] };

/** A model that is a weight and one node of control flow, with a body of these nodes. */
function around(op: string, body: Nodes, attributes: Readonly<Record<string, AttributeValue>> = {}): Uint8Array {
  const isLoop = op === "Loop";
  const graph = subgraph({
    inputs: [
      ...(isLoop ? [{ name: "i", dtype: "int64" as const, dims: [] }] : []),
      ...(isLoop ? [{ name: "c", dtype: "bool" as const, dims: [] }] : []),
      { name: "v", dtype: "float32", dims: null },
      ...(isLoop ? [] : [{ name: "e", dtype: "float32" as const, dims: [] }]),
    ],
    nodes: body,
    outputs: isLoop ? ["c2", "r"] : ["r"],
  });
  return tinyModel({
    weights: {
      w: [
        [1, 2, 3, 4],
        [2, 2],
      ],
      tiny: [[1], [1]],
    },
    initializers: [
      { name: "yes", tensor: yes },
      { name: "size", tensor: size },
      { name: "front", tensor: { data: BigInt64Array.of(0n), dims: [1] } },
    ],
    nodes: [
      { op: "MatMul", inputs: ["x", "w"], outputs: ["h"] },
      { op: "Expand", inputs: ["tiny", "size"], outputs: ["long"] },
      {
        op,
        name: "again",
        inputs: isLoop ? ["", "yes", "h"] : ["h", "long"],
        outputs: ["y"],
        attributes: { body: { graph }, ...attributes },
      },
    ],
  });
}

async function runOf(bytes: Uint8Array): Promise<string> {
  return rejectionOf(loadModel(bytes, { memoryLimit: 1e8 }).then((model) => model.run({ x })));
}

test("a loop without an end is stopped", async () => {
  const body = [{ op: "Tanh", inputs: ["v"], outputs: ["r"] }, goesOn];
  expect(await runOf(around("Loop", body))).toMatch(
    /^unsupported: The given model: Loop "again" goes on for more than \d+ rounds, which is where it is stopped; bind the inputs/,
  );
});

test("a loop that doubles what it carries is stopped before it has taken the memory", async () => {
  const axis = { axis: { int: 0 } };
  const body = [{ op: "Concat", inputs: ["v", "v"], outputs: ["r"], attributes: axis }, goesOn];
  expect(await runOf(around("Loop", body))).toMatch(
    /^model: The given model: Loop "again" hands on or collects more than 6250000 elements, too many for the memory limit;/,
  );
});

test("a loop that gives what it carries one axis more in each round is stopped before the engine slows down", async () => {
  const body = [{ op: "Unsqueeze", inputs: ["v", "front"], outputs: ["r"] }, goesOn];
  expect(await runOf(around("Loop", body))).toMatch(
    /^model: The given model: Loop "again" hands on tensors of more than 64 axes, too many for the engine; bind the inputs/,
  );
});

test("so is a scan over more than the engine does in seconds", async () => {
  const body = [{ op: "Tanh", inputs: ["v"], outputs: ["r"] }];
  const bytes = around("Scan", body, { num_scan_inputs: { int: 1 } });
  expect(await runOf(bytes)).toMatch(/^unsupported: The given model: Scan "again" goes on for more than \d+ rounds/);
});

test("a scan of more inputs than it has is damaged", async () => {
  const body = [{ op: "Tanh", inputs: ["v"], outputs: ["r"] }];
  const bytes = around("Scan", body, { num_scan_inputs: { int: 2 ** 31 } });
  expect(await rejectionOf(loadModel(bytes))).toBe(
    'file: The given model: Scan "again" scans 2147483648 inputs, but has 2 in all; the file is damaged, export it again',
  );
});

test("loops that end are computed as before", async () => {
  const body = [
    { op: "Tanh", inputs: ["v"], outputs: ["r"] },
    { op: "Cast", inputs: ["i"], outputs: ["later"], attributes: { to: { int: 9 } } },
    { op: "Not", inputs: ["later"], outputs: ["c2"] },
  ];
  const model = await loadModel(around("Loop", body));
  const { y } = await model.run({ x });
  const products = [7, 10, 15, 22];
  expect(Array.from(y.data as Float32Array)).toEqual(products.map((h) => expect.closeTo(Math.tanh(Math.tanh(h)), 6)));
});
