import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  measureFile,
  measurePlan,
  quantizationSensitivity,
  quantizedModelFile,
  quantizedWeights,
  saveQuantizedModel,
  uniformPlan,
} from "../../../src/applications/quantization/index.ts";
import {
  accuracy,
  arrays,
  bceWithLogits,
  crossEntropy,
  type Data,
  empiricalRisk,
  type FileModel,
  functionModel,
  loadModel,
  modelFile,
  type Risk,
  type Tensor,
} from "../../../src/index.ts";
import { ModelProtoSchema, TensorProtoSchema, ValueInfoProtoSchema } from "../../../src/onnx/generated/onnx_pb.ts";
import { exportedModels, exportedPath, storedTensors } from "../../models/exportedModels.ts";
import { subgraph, tinyModel } from "../../models/tinyModel.ts";
import { rejectionOf } from "../../onnx/messageOf.ts";
import { difference } from "../../operators/closeness.ts";
import { digitsRisk, digitsRows } from "../digits.ts";

const folder = mkdtempSync(join(tmpdir(), "quantized-"));
afterAll(() => rmSync(folder, { recursive: true }));

const python = process.env.ONNX_CURVATURE_PYTHON;
const required = process.env.ONNX_CURVATURE_REQUIRE_ALL === "1";

/** The files that a test has written, with what was stated of them. */
const written: { readonly path: string; readonly loss: number; readonly accuracy: number }[] = [];

const original = new URL("../../../examples/digits/digits_mlp.onnx", import.meta.url);

/** The digits network in other versions of ai.onnx and of the format: its operators are the same in all of them. */
function digitsFile({ opset, irVersion }: { readonly opset: number; readonly irVersion?: number }): Uint8Array {
  const proto = fromBinary(ModelProtoSchema, readFileSync(original));
  for (const each of proto.opsetImport) each.version = BigInt(opset);
  if (irVersion !== undefined) {
    proto.irVersion = BigInt(irVersion);
    // Before version 4 every initializer is an input too.
    for (const { name } of proto.graph!.initializer) proto.graph!.input.push(create(ValueInfoProtoSchema, { name }));
  }
  return toBinary(ModelProtoSchema, proto);
}

/** Loss and accuracy of a file, by ONNX Runtime alone and a few lines of arithmetic. */
async function measuredByOnnxRuntime(
  bytes: Uint8Array,
  data: Data,
): Promise<{ readonly loss: number; readonly accuracy: number }> {
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 4 });
  const [input] = session.inputNames;
  let [loss, right, rows] = [0, 0, 0];
  for await (const batch of data.batches()) {
    const x = Object.values(batch.inputs)[0]!;
    const feeds = { [input!]: new OrtTensor("float32", Float32Array.from(x.data as Float64Array), [...x.dims]) };
    const logits = Object.values(await session.run(feeds))[0]!;
    const classes = logits.dims[1]!;
    for (let row = 0; row < x.dims[0]!; row++) {
      const own = Array.from((logits.data as Float32Array).subarray(row * classes, (row + 1) * classes));
      const top = Math.max(...own);
      const label = Number(batch.targets!.data[row]);
      loss += top + Math.log(own.reduce((sum, f) => sum + Math.exp(f - top), 0)) - own[label]!;
      if (own.indexOf(top) === label) right++;
      rows++;
    }
  }
  await session.release();
  return { loss: loss / rows, accuracy: right / rows };
}

/** Files of exporters with float32 weights in the main graph and inputs that ONNX Runtime takes as they are stored. */
const FILES = Object.keys(exportedModels).filter(
  (name) => !/float16|external|gpt2_opset23|rms_opset23/.test(name) && name !== "merged_weights_dynamo",
);

/** Outputs of a file. By default ONNX Runtime rounds activations before a MatMul whose matrix is dequantized; here it does not. */
async function outputsOf(
  bytes: Uint8Array,
  inputs: { readonly [name: string]: Tensor },
): Promise<readonly Float32Array[]> {
  const extra = { session: { qdq_matmulnbits_accuracy_level: "1" } };
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 4, extra });
  const feeds = Object.entries(inputs).map(([name, { data: own, dims }]) => [
    name,
    own instanceof BigInt64Array
      ? new OrtTensor("int64", own, dims)
      : new OrtTensor("float32", own as Float32Array, dims),
  ]);
  const outputs = await session.run(Object.fromEntries(feeds));
  const floats = session.outputNames.map((name) => outputs[name]!.data).filter((own) => own instanceof Float32Array);
  await session.release();
  return floats;
}

let risk: Risk;
const data = digitsRows("train");
beforeAll(async () => {
  risk = await digitsRisk({ dtype: "float32" });
});
afterAll(() => risk.dispose());

describe("saveQuantizedModel", () => {
  test.each([
    { opset: 13, bits: 8, scheme: "symmetric", channels: "tensor", storedAs: "int8" },
    { opset: 13, bits: 3, scheme: "asymmetric", channels: "output", storedAs: "uint8" },
    { opset: 10, bits: 8, scheme: "asymmetric", channels: "tensor", storedAs: "uint8" },
    { opset: 10, irVersion: 3, bits: 8, scheme: "symmetric", channels: "tensor", storedAs: "int8" },
    { opset: 21, bits: 4, scheme: "symmetric", channels: "output", storedAs: "int4" },
    { opset: 21, bits: 2, scheme: "symmetric", channels: "tensor", storedAs: "int4" },
    { opset: 21, bits: 4, scheme: "asymmetric", channels: "output", storedAs: "uint4" },
    { opset: 21, bits: 6, scheme: "asymmetric", channels: "tensor", storedAs: "uint8" },
    { opset: 13, bits: 16, scheme: "symmetric", channels: "tensor", storedAs: "float16" },
  ] as const)(
    "$storedAs of $bits bits by $channels at opset $opset: ONNX Runtime computes the loss that was stated",
    async (kind) => {
      const { opset, bits, scheme, channels, storedAs } = kind;
      const bytes = digitsFile(kind);
      const model = await loadModel(bytes);
      const settings = { bits: [bits], scheme, channels, tensors: "*", seed: 0, matvecs: 4, eigenvalues: false };
      const weights = await quantizedWeights(risk, uniformPlan(await quantizationSensitivity(risk, settings), bits));
      const stated = await measurePlan(risk, { weights });
      const file = await quantizedModelFile(model, weights.tensors);
      expect(file.tensors.map((tensor) => tensor.storedAs)).toEqual(Array(4).fill(storedAs));
      expect(file.tensors.every(({ largestRounding }) => largestRounding < 1e-6)).toBe(true);
      const path = join(folder, `${storedAs}-${bits}-${opset}-${scheme}-${channels}.onnx`);
      writeFileSync(path, file.bytes);
      written.push({ path, loss: stated.loss, accuracy: stated.accuracy! });
      const found = await measuredByOnnxRuntime(file.bytes, data);
      expect(Math.abs(found.loss - stated.loss)).toBeLessThan(2e-6 * Math.max(1, stated.loss));
      expect(found.accuracy).toBe(stated.accuracy);
      // Read again, the file is the network with these weights.
      const again = await loadModel(file.bytes);
      expect(again.opset).toBe(opset);
      const read = await empiricalRisk({ model: again, loss: crossEntropy(), data });
      expect(Math.abs((await read.loss()) - stated.loss)).toBeLessThan(2e-6 * Math.max(1, stated.loss));
      expect(await accuracy(read)).toBe(stated.accuracy);
      const run = await measureFile(risk, { model: again });
      expect(Math.abs(run.loss - found.loss)).toBeLessThan(1e-9);
      expect(run.accuracy).toBe(found.accuracy);
      again.parameters.forEach((parameter, i) => {
        expect(parameter.data).toEqual(weights.tensors[i]!.values);
      });
      await read.dispose();
      const stored = fromBinary(ModelProtoSchema, file.bytes).graph!;
      const bytesOf = (proto: (typeof stored.initializer)[number]) => proto.rawData.length;
      expect(stored.initializer.reduce((sum, each) => sum + bytesOf(each), 0)).toBe(
        file.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0),
      );
    },
  );

  const script = `
import json, sys
import numpy as np, onnx, onnxruntime
given = json.load(open(sys.argv[1]))
x, y = np.array(given["x"], np.float32).reshape(-1, 64), np.array(given["y"])
for file in given["files"]:
    onnx.checker.check_model(file["path"], full_check=True)
    session = onnxruntime.InferenceSession(file["path"], providers=["CPUExecutionProvider"])
    (f,) = session.run(None, {session.get_inputs()[0].name: x})
    f = f.astype(np.float64)
    f -= f.max(axis=1, keepdims=True)
    loss = np.mean(np.log(np.exp(f).sum(axis=1)) - f[np.arange(len(y)), y])
    assert abs(loss - file["loss"]) < 2e-6 * max(1, file["loss"]), (file, loss)
    assert np.mean(f.argmax(axis=1) == y) == file["accuracy"], file
print("same")
`;

  test.skipIf(python === undefined && !required)(
    "pass Python's checker, and have the loss that was stated in Python's ONNX Runtime",
    async () => {
      expect(written).toHaveLength(9);
      const rows: { readonly x: number[]; readonly y: number[] } = { x: [], y: [] };
      for await (const { inputs, targets } of data.batches()) {
        for (const pixel of Object.values(inputs)[0]!.data as Float64Array) rows.x.push(pixel);
        for (const label of targets!.data as Int32Array) rows.y.push(label);
      }
      const path = join(folder, "list.json");
      writeFileSync(path, JSON.stringify({ files: written, ...rows }));
      expect(execFileSync(python!, ["-c", script, path], { encoding: "utf8" })).toContain("same");
    },
  );

  test("measureFile runs the file as it is, with what ONNX Runtime fuses, and takes probabilities apart", async () => {
    const { dims, data: numbers } = (await loadModel(original)).parameters[0]!;
    const inputs = digitsRows((labels) => labels.map((_, i) => i).slice(0, 200));
    const matrix = numbers.map((_, k) => numbers[(k % dims[0]!) * dims[1]! + Math.floor(k / dims[0]!)]!);
    const described = (last: readonly string[]) =>
      tinyModel({
        inputs: [{ name: "x", dtype: "float32", dims: ["n", 64] }],
        weights: { w: [[...matrix], [64, 16]] },
        nodes: [
          { op: "MatMul", inputs: ["x", "w"], outputs: ["f"] },
          ...last.map((op) => ({ op, inputs: ["f"], outputs: ["y"] })),
        ],
        outputs: [last.length === 0 ? "f" : "y"],
      });
    const plan = { scheme: "symmetric", scale: "max", tensors: [{ name: "w", bits: 8, axis: 1 }] } as const;
    const found: { readonly loss: number; readonly own: number }[] = [];
    for (const last of [[], ["Softmax"], ["LogSoftmax"]]) {
      const model = await loadModel(described(last));
      const own = await empiricalRisk({ model, loss: crossEntropy(), data: inputs });
      const weights = await quantizedWeights(own, plan);
      const file = await loadModel((await quantizedModelFile(model, weights.tensors)).bytes);
      const { loss } = await measureFile(own, { model: file });
      found.push({ loss, own: (await measurePlan(own, { weights })).loss });
      if (last.length === 0) {
        const independent = await measuredByOnnxRuntime(file.source.bytes, inputs);
        expect(Math.abs(loss - independent.loss)).toBeLessThan(1e-9);
      }
      await own.dispose();
    }
    for (const { loss, own } of found) {
      expect(Math.abs(loss - found[0]!.loss)).toBeLessThan(1e-5);
      // Rounded activations move the loss by more than rounding errors of floats.
      expect(Math.abs(loss - own) / own).toBeLessThan(0.02);
    }
    const sigmoid = tinyModel({
      inputs: [{ name: "x", dtype: "float32", dims: ["n", 64] }],
      weights: { w: [[...matrix], [64, 16]] },
      nodes: [
        { op: "MatMul", inputs: ["x", "w"], outputs: ["f"] },
        { op: "Sigmoid", inputs: ["f"], outputs: ["y"] },
      ],
    });
    const targets = { data: new Float32Array(32), dims: [2, 16] };
    const few = arrays({ inputs: { x: { data: new Float32Array(128), dims: [2, 64] } }, targets });
    const model = await loadModel(sigmoid);
    const binary = await empiricalRisk({ model, loss: bceWithLogits(), data: few });
    expect(await rejectionOf(measureFile(binary, { model }))).toContain(
      "unsupported: measureFile: The given model ends in a sigmoid",
    );
    const outside = await loadModel(exportedPath("mlp_external_data.onnx"));
    expect(await rejectionOf(measureFile(risk, { model: outside }))).toContain(
      "has external data, so ONNX Runtime cannot open it",
    );
    await binary.dispose();
  });

  test("leaves every other byte as it was", async () => {
    const model = await loadModel(original);
    const plan = { scheme: "symmetric", scale: "max", tensors: [{ name: "2.weight", bits: 4, axis: 0 }] } as const;
    const { tensors } = await quantizedWeights(risk, plan);
    const path = join(folder, "quantized.onnx");
    const saved = await saveQuantizedModel(model, tensors, path);
    expect(saved).toMatchObject({ path, externalFiles: [], bytes: readFileSync(path).length });
    expect(saved.tensors).toEqual([
      {
        parameter: "2.weight",
        tensor: "2.weight",
        bits: 4,
        storedAs: "int8",
        axis: 0,
        bytesBefore: 640,
        bytes: 160 + 40,
        largestRounding: 0,
      },
    ]);
    const [before, after] = [readFileSync(original), readFileSync(path)].map((bytes) =>
      fromBinary(ModelProtoSchema, bytes),
    );
    const { graph: graphBefore, ...restBefore } = before!;
    const { graph: graphAfter, ...restAfter } = after!;
    expect(restAfter).toEqual(restBefore);
    const kept = graphAfter!.initializer.filter(({ name }) => !name.startsWith("2.weight"));
    expect(kept.map((each) => toBinary(TensorProtoSchema, each))).toEqual(
      graphBefore!.initializer
        .filter(({ name }) => name !== "2.weight")
        .map((each) => toBinary(TensorProtoSchema, each)),
    );
    expect(graphAfter!.node.slice(1)).toEqual(graphBefore!.node);
    expect(graphAfter!.node[0]).toMatchObject({ opType: "DequantizeLinear", output: ["2.weight"] });
  });

  test("no tensors: the same file, byte for byte", async () => {
    const { bytes } = await quantizedModelFile(await loadModel(original), []);
    expect(Buffer.compare(bytes, readFileSync(original))).toBe(0);
  });

  test("weights of Constant nodes, of float64, and names that are taken", async () => {
    const x = { data: Float64Array.of(1, -2, 0.5, 3), dims: [2, 2] };
    const constant = { tensor: { data: Float64Array.of(0.3, -1, 0.7, 0.2), dims: [2, 2] } };
    const bytes = tinyModel({
      inputs: [{ name: "x", dtype: "float64", dims: ["n", 2] }],
      nodes: [
        { op: "Constant", inputs: [], outputs: ["w"], attributes: { value: constant } },
        { op: "MatMul", inputs: ["x", "w"], outputs: ["w_quantized"] },
        { op: "Identity", inputs: ["w_quantized"], outputs: ["y"] },
      ],
    });
    const model = await loadModel(bytes, { parameters: { include: ["w"] } });
    const plan = { scheme: "asymmetric", scale: "max", tensors: [{ name: "w", bits: 5, axis: 1 }] } as const;
    const rounded = await quantizedTensors(model, plan);
    const file = await quantizedModelFile(model, rounded);
    const graph = fromBinary(ModelProtoSchema, file.bytes).graph!;
    expect(graph.initializer.map(({ name }) => name)).toEqual(["w_quantized_1", "w_scale", "w_zero_point"]);
    expect(graph.node.map(({ opType }) => opType)).toEqual(["DequantizeLinear", "Cast", "MatMul", "Identity"]);
    const session = await InferenceSession.create(file.bytes, { logSeverityLevel: 4 });
    const { y } = await session.run({ x: new OrtTensor("float64", x.data, x.dims) });
    const [a, b, c, d] = rounded[0]!.values;
    const expected = [a! - 2 * c!, b! - 2 * d!, 0.5 * a! + 3 * c!, 0.5 * b! + 3 * d!];
    [...(y!.data as Float64Array)].forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i]!, 6);
    });
    await session.release();
  });

  test("a tie restored: the copy is the transposed tensor", async () => {
    const table = Float32Array.from({ length: 12 }, (_, i) => Math.sin(3 * i + 1));
    const copy = table.map((_, k) => table[(k % 4) * 3 + Math.floor(k / 4)]!);
    const bytes = tinyModel({
      inputs: [{ name: "x", dtype: "float32", dims: ["n", 3] }],
      weights: { head: [[...copy], [3, 4]], table: [[...table], [4, 3]] },
      nodes: [
        { op: "MatMul", inputs: ["x", "head"], outputs: ["h"] },
        { op: "MatMul", inputs: ["h", "table"], outputs: ["y"] },
      ],
    });
    const model = await loadModel(bytes, { ties: "restore" });
    expect(model.parameters).toHaveLength(1);
    const [{ name, dims }] = model.parameters as [FileModel["parameters"][number]];
    const plan = { scheme: "symmetric", scale: "max", tensors: [{ name, bits: 4, axis: 0 }] } as const;
    const rounded = await quantizedTensors(model, plan);
    const file = await quantizedModelFile(model, rounded);
    expect(file.tensors.map(({ axis }) => axis)).toEqual([0, 1]);
    const again = await loadModel(file.bytes, { ties: "restore" });
    expect(again.parameters.map((each) => each.dims)).toEqual([dims]);
    expect(again.parameters[0]!.data).toEqual(rounded[0]!.values);
  });

  test("external data go along as long as anything refers to them", async () => {
    const own = exportedPath("mlp_external_data.onnx");
    const model = await loadModel(own);
    const planOf = (names: readonly string[]) => ({
      scheme: "symmetric" as const,
      scale: "max" as const,
      tensors: names.map((name) => ({ name, bits: 8 })),
    });
    const names = model.parameters.map(({ name }) => name);
    const location = "mlp_external_data.onnx.data";
    const some = await quantizedModelFile(model, await quantizedTensors(model, planOf(names.slice(0, 1))));
    expect(Object.keys(some.externalData)).toEqual([location]);
    expect(Buffer.compare(some.externalData[location]!, readFileSync(exportedPath(location)))).toBe(0);
    const all = await quantizedTensors(model, planOf(names));
    expect((await quantizedModelFile(model, all)).externalData).toEqual({});
    const path = join(folder, "without.onnx");
    expect((await saveQuantizedModel(model, all, path)).externalFiles).toEqual([]);
    expect((await loadModel(path)).parameters.map(({ data: numbers }) => numbers)).toEqual(
      all.map(({ values }) => values),
    );
  });

  test("refuses what it cannot write", async () => {
    const { tensors } = await quantizedWeights(risk, {
      scheme: "symmetric",
      scale: "max",
      tensors: [{ name: "0.weight", bits: 4, axis: 0 }],
    });
    const [tensor] = tensors;
    const model = await loadModel(original);
    const old = await loadModel(digitsFile({ opset: 12 }));
    expect(await rejectionOf(quantizedModelFile(old, tensors))).toBe(
      "unsupported: The given model uses opset 12, but DequantizeLinear with an axis needs 13; convert it with onnx.version_converter.convert_version, or quantize with one step a tensor",
    );
    const { axis: _, ...plain } = tensor!;
    expect(await rejectionOf(quantizedModelFile(await loadModel(digitsFile({ opset: 9 })), [plain]))).toBe(
      "unsupported: The given model uses opset 9, but DequantizeLinear needs 10; convert it with onnx.version_converter.convert_version",
    );
    expect(await rejectionOf(quantizedModelFile(model, [{ ...tensor!, name: "w" }]))).toContain(
      'has no parameter "w" to quantize; it has 0.weight, 0.bias',
    );
    expect(await rejectionOf(quantizedModelFile(model, [{ ...tensor!, dims: [64, 16] }]))).toContain(
      'shape: saveQuantizedModel expects "0.weight" in dimensions [16, 64], got [64, 16]',
    );
    const written = functionModel({
      name: "own",
      parameters: { w: { data: Float64Array.of(1), dims: [1] } },
      inputs: { x: { dims: [1] } },
      apply: (p) => p.w!,
    });
    expect(await rejectionOf(quantizedModelFile(written, []))).toBe(
      'model: saveQuantizedModel expects a model that loadModel has read, got "own", which was written in TypeScript and has no file; keep its weights as numbers',
    );
    expect(await rejectionOf(saveQuantizedModel(model, [], ""))).toBe(
      'argument: saveQuantizedModel expects the path of the file to write, got ""',
    );
    expect(await rejectionOf(saveQuantizedModel(model, [], join(folder, "nowhere", "\0", "x.onnx")))).toContain(
      "file: saveQuantizedModel cannot write",
    );
  });

  test.each(FILES)(
    "%s of an exporter in 8 bits: ONNX Runtime computes what the float file with the rounded weights does",
    async (name) => {
      const model = await loadModel(exportedPath(`${name}.onnx`));
      const wanted = model.parameters.filter(({ dims }) => dims.length > 1);
      const planned = wanted.map((each) => ({ name: each.name, bits: 8, axis: each.dims.length - 1 }));
      const tensors = await quantizedTensors(model, { scheme: "symmetric", scale: "max", tensors: planned });
      const rounded = Object.fromEntries(tensors.map(({ name: own, dims, values }) => [own, { data: values, dims }]));
      const [floats, file] = [await modelFile(model, rounded), await quantizedModelFile(model, tensors)];
      const { inputs } = storedTensors(name);
      const [expected, found] = [await outputsOf(floats.bytes, inputs), await outputsOf(file.bytes, inputs)];
      expect(found).toHaveLength(expected.length);
      found.forEach((output, i) => {
        expect(difference(output, expected[i]!)).toBeLessThan(1e-5);
      });
      expect(file.bytes.length).toBeLessThan(floats.bytes.length);
    },
  );

  test("refuses weights in sixteen bits and in subgraphs", async () => {
    const half = tinyModel({
      initializers: [{ name: "w", tensor: { data: Float32Array.of(1, 2, 3, 4), dims: [2, 2] }, storedAs: "float16" }],
      nodes: [
        { op: "Cast", inputs: ["w"], outputs: ["wide"], attributes: { to: { int: 1 } } },
        { op: "MatMul", inputs: ["x", "wide"], outputs: ["y"] },
      ],
    });
    const model = await loadModel(half);
    const [{ name }] = model.parameters as [FileModel["parameters"][number]];
    const plan = { scheme: "symmetric", scale: "max", tensors: [{ name, bits: 4 }] } as const;
    expect(await rejectionOf(quantizedModelFile(model, await quantizedTensors(model, plan)))).toBe(
      `unsupported: saveQuantizedModel cannot quantize "${name}" of The given model: the file stores it in float16; convert the model to float32, or leave it out`,
    );
    const branch = (weight: string, factor: number) => ({
      graph: subgraph({
        weights: {
          [weight]: [
            [factor, 2, 3, 4],
            [2, 2],
          ],
        },
        nodes: [{ op: "MatMul", inputs: ["x", weight], outputs: ["product"] }],
        outputs: ["product"],
      }),
    });
    const inside = await loadModel(
      tinyModel({
        inputs: [
          { name: "x", dtype: "float32", dims: ["n", 2] },
          { name: "first", dtype: "bool", dims: [] },
        ],
        nodes: [
          {
            op: "If",
            inputs: ["first"],
            outputs: ["y"],
            attributes: { then_branch: branch("V", 1), else_branch: branch("W", 2) },
          },
        ],
      }),
      { bind: { first: { data: Uint8Array.of(1), dims: [], dtype: "bool" } } },
    );
    const [weight] = inside.parameters as [FileModel["parameters"][number]];
    const inner = { scheme: "symmetric", scale: "max", tensors: [{ name: weight.name, bits: 4 }] } as const;
    expect(await rejectionOf(quantizedModelFile(inside, await quantizedTensors(inside, inner)))).toContain(
      "it belongs to a function or a subgraph; inline functions (onnx.inliner.inline_local_functions), or leave it out",
    );
  });
});

/** Tensors of a plan at the weights of a model. */
async function quantizedTensors(model: FileModel, plan: Parameters<typeof quantizedWeights>[1]) {
  const parts = model.parameters.map(({ name, dims, data: own }) => ({ name, dims, size: own.length }));
  let end = 0;
  const parameters = parts.map((part) => ({ ...part, offset: (end += part.size) - part.size }));
  const theta = Float32Array.from(model.parameters.flatMap(({ data: own }) => [...own]));
  const sketch = { parameters, theta: () => theta } as unknown as Risk;
  return (await quantizedWeights(sketch, plan)).tensors;
}
