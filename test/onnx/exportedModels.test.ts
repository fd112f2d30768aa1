import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as ort from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import {
  type FileGraph,
  type Initializer,
  modelContents,
  readModel,
  toTensorProto,
  writeModel,
} from "../../src/onnx/index.ts";

interface StoredTensor {
  readonly dtype: "float32" | "float16" | "int64";
  readonly dims: readonly number[];
  readonly data: readonly number[];
}

const folder = fileURLToPath(new URL("../models/exported/", import.meta.url));
const models = readdirSync(folder).filter((file) => file.endsWith(".onnx"));
/** Random by nature, or without a kernel in ONNX Runtime. */
const notComparable = ["cnn_train_dynamo.onnx", "cnn_train_torchscript.onnx", "mlp_bfloat16.onnx"];

async function loadInitializers({ initializers }: FileGraph): Promise<Initializer[]> {
  return Promise.all(
    initializers.map(async ({ name, dtype, load }) => {
      const tensor = await load();
      return dtype === "float16" || dtype === "bfloat16" ? { name, tensor, storedAs: dtype } : { name, tensor };
    }),
  );
}

async function rewritten(file: string): Promise<Uint8Array> {
  const { graph, ...rest } = modelContents(await readModel(folder + file));
  const initializers = await loadInitializers(graph);
  return writeModel({ ...rest, functions: [], graph: { ...graph, initializers } });
}

/** Outputs of ONNX Runtime for the inputs that stand beside the model. */
async function outputsOf(model: Uint8Array | string, file: string) {
  const { inputs } = JSON.parse(readFileSync(folder + file.replace(/onnx$/, "json"), "utf8"));
  const feeds = Object.entries(inputs as Record<string, StoredTensor>).map(([name, { dtype, data, dims }]) => {
    if (dtype === "int64") return [name, new ort.Tensor(dtype, BigInt64Array.from(data.map(BigInt)), dims)];
    if (dtype === "float32") return [name, new ort.Tensor(dtype, Float32Array.from(data), dims)];
    const { rawData } = toTensorProto(name, { data: Float32Array.from(data), dims }, { storedAs: dtype });
    return [name, new ort.Tensor(dtype, new Uint16Array(rawData.slice().buffer), dims)];
  });
  const options = { graphOptimizationLevel: "disabled", logSeverityLevel: 3 } as const;
  const session = await ort.InferenceSession.create(model as string, options);
  const outputs = await session.run(Object.fromEntries(feeds));
  const plain = Object.entries(outputs).map(([name, { type, dims, data }]) => [name, { type, dims, data }]);
  await session.release();
  return Object.fromEntries(plain);
}

describe("exported models, read and written again", () => {
  test.each(models.filter((file) => !notComparable.includes(file)))("%s computes the same", async (file) => {
    expect(await outputsOf(await rewritten(file), file)).toEqual(await outputsOf(folder + file, file));
  });

  test.each(models)("%s reads the same again", async (file) => {
    const { graph, producer, ...first } = modelContents(await readModel(folder + file));
    const second = modelContents(await readModel(await rewritten(file)));
    expect(second.opsets).toEqual(first.opsets);
    expect(second.metadata).toEqual(first.metadata);
    expect(second.irVersion).toBe(first.irVersion);
    expect(second.producer).toBe(producer);
    expect(second.graph.nodes).toEqual(graph.nodes.map((node) => ({ ...node, metadata: {} })));
    expect([second.graph.inputs, second.graph.outputs]).toEqual([graph.inputs, graph.outputs]);
    expect(await loadInitializers(second.graph)).toEqual(await loadInitializers(graph));
  });
});
