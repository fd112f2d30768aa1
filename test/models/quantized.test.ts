import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { loadModel } from "../../src/models/index.ts";
import { ModelProtoSchema } from "../../src/onnx/generated/onnx_pb.ts";
import type { Initializer } from "../../src/onnx/index.ts";
import type { Tensor } from "../../src/tensors/index.ts";
import { rejectionOf } from "../onnx/messageOf.ts";
import { distance, inputsOf, numbers, parameterFeeds, shapesOf, withProgram } from "./running.ts";
import { type TinyModel, tinyModel } from "./tinyModel.ts";

const x: Tensor = { data: Float32Array.of(1, -2, 0.5, 3), dims: [2, 2] };
const floats = (...values: number[]): Tensor => ({ data: Float32Array.from(values), dims: [values.length] });
const number = (value: number): Tensor => ({ data: Float32Array.of(value), dims: [] });

const initializers: Initializer[] = [
  { name: "w_quantized", tensor: { data: Int8Array.of(10, -20, 30, 40), dims: [2, 2] } },
  { name: "w_scale", tensor: floats(0.1, 0.05) },
  { name: "w_zero", tensor: { data: Int8Array.of(0, 4), dims: [2] } },
  { name: "b_quantized", tensor: { data: Int32Array.of(7, -3), dims: [2] } },
  { name: "b_scale", tensor: number(0.5) },
  { name: "x_scale", tensor: number(0.02) },
  { name: "x_zero", tensor: { data: Uint8Array.of(100), dims: [] } },
];

const model: TinyModel = {
  initializers,
  nodes: [
    { op: "QuantizeLinear", inputs: ["x", "x_scale", "x_zero"], outputs: ["xq"] },
    { op: "DequantizeLinear", inputs: ["xq", "x_scale", "x_zero"], outputs: ["xd"] },
    {
      op: "DequantizeLinear",
      inputs: ["w_quantized", "w_scale", "w_zero"],
      outputs: ["wd"],
      attributes: { axis: { int: 1 } },
    },
    { op: "DequantizeLinear", inputs: ["b_quantized", "b_scale"], outputs: ["bd"] },
    { op: "Gemm", inputs: ["xd", "wd", "bd"], outputs: ["y"] },
  ],
};

/** The model with its int8 tensors "w" and "zero" stored in four bits. */
function withPacked(bytes: Uint8Array): Uint8Array {
  const proto = fromBinary(ModelProtoSchema, bytes);
  for (const each of proto.graph!.initializer) {
    if (each.dataType !== 3 || !["w", "zero"].includes(each.name)) continue;
    const values = new Int8Array(each.rawData);
    each.dataType = 22;
    each.rawData = Uint8Array.from(
      { length: Math.ceil(values.length / 2) },
      (_, i) => (values[2 * i]! & 15) | (((values[2 * i + 1] ?? 0) & 15) << 4),
    );
  }
  return toBinary(ModelProtoSchema, proto);
}

describe("files with QuantizeLinear and DequantizeLinear", () => {
  test("are the float models that they stand for", async () => {
    const read = await loadModel(tinyModel(model));
    expect(read.parameters.map(({ name, role }) => [name, role])).toEqual([
      ["w", "weight"],
      ["b", "bias"],
    ]);
    // (q - zero) scale, a scale for each column.
    expect(distance([...read.parameters[0]!.data], [1, -1.2, 3, 1.8])).toBeLessThan(1e-6);
    expect([...read.parameters[1]!.data]).toEqual([3.5, -1.5]);
    expect(read.notices).toEqual([
      "The file is quantized; it is read as a float model: 2 weights stored as integers read as the floats they stand for, 1 quantizer of activations read as the identity.",
    ]);
    const graph = await read.graph({ shapes: shapesOf({ x }), outputs: ["y"] });
    const { y } = await withProgram(inputsOf(read, graph), graph.outputs, {
      precision: "float64",
      use: (program) => program.run({ x, ...parameterFeeds(read) }),
    });
    const expected = [1 - 6 + 3.5, -1.2 - 3.6 - 1.5, 0.5 + 9 + 3.5, -0.6 + 5.4 - 1.5];
    expect(distance(numbers(y), expected)).toBeLessThan(1e-6);
    expect(distance(numbers((await read.run({ x })).y), expected)).toBeLessThan(1e-6);
  });

  test("of four bits, in blocks, are what ONNX Runtime reads", async () => {
    const attributes = { axis: { int: 0 }, block_size: { int: 2 } };
    const bytes = withPacked(
      tinyModel({
        opsets: { "": 21 },
        initializers: [
          { name: "w", tensor: { data: Int8Array.of(1, -2, 3, 4, -8, 7), dims: [2, 3] } },
          { name: "zero", tensor: { data: Int8Array.of(1, -1, 0), dims: [1, 3] } },
          { name: "scale", tensor: { data: Float32Array.of(1, 0.5, 0.25), dims: [1, 3] } },
        ],
        nodes: [
          { op: "DequantizeLinear", inputs: ["w", "scale", "zero"], outputs: ["wd"], attributes },
          { op: "MatMul", inputs: ["x", "wd"], outputs: ["y"] },
        ],
      }),
    );
    const read = await loadModel(bytes);
    // (q - zero) scale, a scale and a zero point for each column.
    expect([...read.parameters[0]!.data]).toEqual([0, -0.5, 0.75, 3, -3.5, 1.75]);
    const session = await InferenceSession.create(bytes, { logSeverityLevel: 4 });
    const own = await session.run({ x: new OrtTensor("float32", x.data as Float32Array, x.dims) });
    await session.release();
    expect(distance(numbers((await read.run({ x })).y), [...(own.y!.data as Float32Array)])).toBeLessThan(1e-6);
  });

  test("that round to four bits and stay so are refused", async () => {
    const bytes = withPacked(
      tinyModel({
        ...model,
        opsets: { "": 21 },
        initializers: [...initializers, { name: "zero", tensor: { data: Int8Array.of(0), dims: [] } }],
        nodes: [
          ...model.nodes,
          { op: "QuantizeLinear", name: "last", inputs: ["y", "x_scale", "zero"], outputs: ["z"] },
        ],
        outputs: ["y", "z"],
      }),
    );
    expect(await rejectionOf(loadModel(bytes))).toBe(
      'unsupported: The given model: QuantizeLinear "last" rounds to less than eight bits without a DequantizeLinear after it, which has no derivative; take the float model',
    );
  });

  test("blocks along an axis have scales of their own, as ONNX Runtime reads them", async () => {
    const blocks: Initializer[] = [
      { name: "w", tensor: { data: Int8Array.of(1, 2, 3, 4, 5, 6), dims: [3, 2] } },
      { name: "scale", tensor: { data: Float32Array.of(1, 10, 100, 1000), dims: [2, 2] } },
    ];
    const attributes = { axis: { int: 0 }, block_size: { int: 2 } };
    const read = await loadModel(
      tinyModel({
        opsets: { "": 21 },
        initializers: blocks,
        inputs: [{ name: "x", dtype: "float32", dims: ["n", 3] }],
        nodes: [
          { op: "DequantizeLinear", inputs: ["w", "scale"], outputs: ["wd"], attributes },
          { op: "MatMul", inputs: ["x", "wd"], outputs: ["y"] },
        ],
      }),
    );
    expect([...read.parameters[0]!.data]).toEqual([1, 20, 3, 40, 500, 6000]);
  });

  test("a quantized value that something else reads stays", async () => {
    const read = await loadModel(
      tinyModel({
        ...model,
        nodes: [...model.nodes, { op: "Cast", inputs: ["xq"], outputs: ["z"], attributes: { to: { int: 6 } } }],
        outputs: ["y", "z"],
      }),
    );
    expect(read.prepared.nodes.filter(({ op }) => op === "QuantizeLinear")).toHaveLength(1);
  });
});

test("operators that compute with integers are refused by name", async () => {
  const integers: TinyModel = {
    initializers,
    nodes: [
      { op: "DynamicQuantizeLinear", inputs: ["x"], outputs: ["xq", "s", "z"] },
      { op: "MatMulInteger", name: "product", inputs: ["xq", "w_quantized", "z"], outputs: ["y"] },
    ],
  };
  expect(await rejectionOf(loadModel(tinyModel(integers)))).toBe(
    'unsupported: The given model: DynamicQuantizeLinear, MatMulInteger "product" compute with integers, which have no derivative; take the float model, or quantize in QDQ format',
  );
});
