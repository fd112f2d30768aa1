import * as ort from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { type ModelDescription, readModel, writeModel } from "../../src/onnx/index.ts";
import { messageOf } from "./messageOf.ts";

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

  test("keeps versions as large as a file can hold", async () => {
    const bytes = writeModel({ ...gemm, opsets: { "": 17, "ai.example": 2 ** 63 } });
    const { model } = await readModel(bytes);
    expect(model.opsetImport.find(({ domain }) => domain === "ai.example")?.version).toBe(2n ** 63n - 1n);
  });

  test("refuses data that do not fit, and more than a file holds", () => {
    const write = (data: Uint8Array, count: number) => {
      const initializers = Array.from({ length: count }, (_, k) => ({
        name: `w${k}`,
        tensor: { data, dims: [2 ** 30] },
      }));
      return writeModel({ ...gemm, graph: { ...gemm.graph, initializers } });
    };
    expect(messageOf(() => write(new Uint8Array(2), 1))).toBe(
      'argument: Tensor "w0" of dimensions [1073741824] needs 1073741824 elements, but has 2.',
    );
    expect(messageOf(() => write(new Uint8Array(2 ** 30), 3))).toBe(
      "unsupported: A .onnx file holds at most 2 GiB, but this model has 3.00 GiB; write fewer initializers.",
    );
  });

  test("copies the data of initializers once", () => {
    const data = new Float32Array(2 ** 24);
    const initializers = [{ name: "w", tensor: { data, dims: [data.length] } }];
    const before = process.memoryUsage().arrayBuffers;
    const bytes = writeModel({ ...gemm, graph: { ...gemm.graph, initializers } });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1.1 * bytes.byteLength);
  });
});
