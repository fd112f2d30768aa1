import * as ort from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { type ModelDescription, writeModel } from "../../src/onnx/index.ts";

const gemm: ModelDescription = {
  opsets: { "": 17 },
  producer: "test",
  graph: {
    name: "g",
    nodes: [
      { op: "Gemm", inputs: ["x", "w"], outputs: ["y"], attributes: { transB: { int: 1 }, alpha: { float: 2 } } },
    ],
    inputs: [{ name: "x", dtype: "float32", dims: ["n", 3] }],
    outputs: [{ name: "y", dtype: "float32", dims: ["n", 2] }],
    initializers: [{ name: "w", tensor: { data: Float32Array.from([1, 2, 3, 4, 5, 6]), dims: [2, 3] } }],
  },
};

async function run(bytes: Uint8Array, feeds: Record<string, ort.Tensor>) {
  const session = await ort.InferenceSession.create(bytes);
  const outputs = await session.run(feeds);
  await session.release();
  return outputs;
}

describe("writeModel", () => {
  test("ONNX Runtime computes what was written", async () => {
    const x = new ort.Tensor("float32", Float32Array.from([1, 1, 1, 0, 0, 1]), [2, 3]);
    const { y } = await run(writeModel(gemm), { x });
    expect([...(y!.data as Float32Array)]).toEqual([12, 30, 6, 12]);
  });
});
