import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterAll, describe, expect, test } from "vitest";
import {
  arrays,
  crossEntropy,
  empiricalRisk,
  type FileModel,
  functionModel,
  loadModel,
  modelFile,
  primitives,
  saveModel,
  type Tensor,
  type Vector,
} from "../../src/index.ts";
import { ModelProtoSchema } from "../../src/onnx/generated/onnx_pb.ts";
import { rejectionOf } from "../onnx/messageOf.ts";
import { sampled } from "../sampled.ts";
import { exportedModels, exportedPath, storedTensors } from "./exportedModels.ts";
import { localFunction, subgraph, tinyModel } from "./tinyModel.ts";

const folder = mkdtempSync(join(tmpdir(), "saved-"));
afterAll(() => rmSync(folder, { recursive: true }));

const python = process.env.ONNX_CURVATURE_PYTHON;
const required = process.env.ONNX_CURVATURE_REQUIRE_ALL === "1";

const names = Object.keys(exportedModels);

/** All weights of a model, flat. */
function weightsOf({ parameters }: FileModel): Float64Array {
  return Float64Array.from(parameters.flatMap(({ data }) => [...data]));
}

/** Weights that are exact in sixteen bits: half of each. */
const half = (theta: Vector) => theta.map((number) => number / 2);

const w = [
  [1, 2, 3, 5],
  [2, 2],
] as const;

const matmulNode = (weight: string) => ({ op: "MatMul", inputs: ["x", weight], outputs: ["y"] });

async function productWith(bytes: Uint8Array, feeds: { readonly [name: string]: Tensor } = {}): Promise<number[]> {
  const x = { data: Float32Array.of(1, 0, 0, 1), dims: [2, 2] };
  const { y } = await (await loadModel(bytes)).run({ x, ...feeds });
  return [...(y!.data as Float32Array)];
}

describe("saveModel on files of exporters", () => {
  test.each(sampled(names, 10))("%s with its own weights is the same file, byte for byte", async (name) => {
    const path = exportedPath(`${name}.onnx`);
    const model = await loadModel(path);
    const saved = await modelFile(model, weightsOf(model));
    expect(Buffer.compare(saved.bytes, readFileSync(path))).toBe(0);
    expect(saved.tensors.every(({ changed, largestRounding }) => changed === 0 && largestRounding === 0)).toBe(true);
    for (const [location, bytes] of Object.entries(saved.externalData)) {
      expect(Buffer.compare(bytes, readFileSync(exportedPath(location)))).toBe(0);
    }
  });

  test.each(sampled(names, 10))(
    "%s with other weights has these when it is read again, and its length",
    async (name) => {
      const model = await loadModel(exportedPath(`${name}.onnx`));
      const theta = half(weightsOf(model));
      const path = join(folder, name, "saved.onnx");
      const { tensors } = await saveModel(model, theta, path);
      const again = await loadModel(path, { parameters: { include: model.tensors } });
      const byTensor = new Map(again.parameters.map((each) => [each.name, each.data]));
      for (const { name: parameter, data } of model.parameters) expect(byTensor.get(parameter)).toEqual(half(data));
      expect(tensors.map(({ parameter }) => parameter)).toEqual(model.parameters.map((each) => each.name));
      expect(tensors.every(({ largestRounding }) => largestRounding < 1e-7)).toBe(true);
      expect(readFileSync(path)).toHaveLength(readFileSync(exportedPath(`${name}.onnx`)).length);
    },
  );

  const script = `
import json, sys
import numpy as np, onnx, onnxruntime
from onnx import numpy_helper
for name, original, saved, given in json.load(open(sys.argv[1])):
    onnx.checker.check_model(saved, full_check=True)
    a, b = onnx.load(original), onnx.load(saved)
    def tensors(m):
        own = {t.name: t for t in m.graph.initializer}
        for n in m.graph.node:
            for at in n.attribute:
                if n.op_type == "Constant" and at.name == "value":
                    own[n.output[0]] = at.t
        return own
    left, right = tensors(a), tensors(b)
    assert list(left) == list(right), name
    seen = 0
    for key in left:
        x, y = numpy_helper.to_array(left[key]), numpy_helper.to_array(right[key])
        if key in given:
            seen += 1
            np.testing.assert_array_equal((x.astype(np.float64) / 2).astype(x.dtype), y, err_msg=name + " " + key)
            right[key].CopyFrom(left[key])
        assert left[key].SerializeToString() == right[key].SerializeToString(), (name, key)
    assert seen == len(given), (name, seen, len(given))
    assert a.SerializeToString(deterministic=True) == b.SerializeToString(deterministic=True), name
    onnxruntime.InferenceSession(saved, providers=["CPUExecutionProvider"])
print("same")
`;

  test.skipIf(python === undefined && !required)(
    "pass Python's checker and differ from the originals in the chosen tensors alone",
    async () => {
      const list = names
        .filter((name) => existsSync(join(folder, name, "saved.onnx")) && name !== "mlp_bfloat16")
        .map(async (name) => {
          const { tensors } = await loadModel(exportedPath(`${name}.onnx`));
          return [name, exportedPath(`${name}.onnx`), join(folder, name, "saved.onnx"), tensors];
        });
      const path = join(folder, "list.json");
      writeFileSync(path, JSON.stringify(await Promise.all(list)));
      expect(list.length).toBe(names.length - 1);
      expect(execFileSync(python!, ["-c", script, path], { encoding: "utf8" })).toContain("same");
    },
  );

  test("a saved file runs with the weights that were saved", async () => {
    const model = await loadModel(exportedPath("mlp_dynamo.onnx"));
    const { inputs } = storedTensors("mlp_dynamo");
    const [[input, { data: values, dims }]] = Object.entries(inputs) as [[string, Tensor]];
    const labels = { data: new BigInt64Array(dims[0]!).fill(3n), dims: [dims[0]!] };
    const data = arrays({ inputs: { [input]: { data: values as Float32Array, dims } }, targets: labels });
    const risk = await empiricalRisk({ model, loss: crossEntropy(), data, parameters: "*bias*" });
    const theta = half(risk.theta());
    const { bytes, tensors } = await modelFile(model, risk.split(theta));
    expect(tensors.map(({ parameter }) => parameter)).toEqual(risk.parameters.map(({ name }) => name));
    const again = await empiricalRisk({ model: await loadModel(bytes), loss: crossEntropy(), data });
    expect(await again.loss()).toBe(await risk.at(theta).loss());
    expect(await again.loss()).not.toBe(await risk.loss());
    await risk.dispose();
    await again.dispose();
  });

  test("copies of a restored tie are written with their original", async () => {
    const path = exportedPath("tied_autoencoder_dynamo.onnx");
    const model = await loadModel(path, { ties: "restore" });
    const { bytes, tensors } = await modelFile(model, half(weightsOf(model)));
    expect(tensors.length).toBe(model.tensors.length);
    expect(model.tensors.length).toBeGreaterThan(model.parameters.length);
    const split = await loadModel(bytes);
    const original = await loadModel(path);
    expect(weightsOf(split)).toEqual(half(weightsOf(original)));
    expect(split.notices.some((notice) => notice.includes("transposed copy"))).toBe(true);
  });
});

describe("saveModel wherever a file keeps weights", () => {
  test("a Constant node, with a tensor and with a list of numbers", async () => {
    for (const attributes of [
      { value: { tensor: { data: Float32Array.from(w[0]), dims: [2, 2] } } },
      { value_floats: { floats: [1, 2] } },
    ]) {
      const isList = "value_floats" in attributes;
      const bytes = tinyModel({
        nodes: [
          { op: "Constant", inputs: [], outputs: ["W"], attributes },
          { op: isList ? "Mul" : "MatMul", inputs: ["x", "W"], outputs: ["y"] },
        ],
      });
      const model = await loadModel(bytes, { parameters: { include: ["W"] } });
      const saved = await modelFile(model, half(weightsOf(model)));
      expect(await productWith(saved.bytes)).toEqual(isList ? [0.5, 0, 0, 1] : [0.5, 1, 1.5, 2.5]);
    }
  });

  test("a branch of an If, told from a branch with the same numbers by its name", async () => {
    const branch = (weight: string) => ({
      graph: subgraph({
        weights: { [weight]: w },
        nodes: [{ op: "MatMul", inputs: ["x", weight], outputs: ["product"] }],
        outputs: ["product"],
      }),
    });
    const bytes = tinyModel({
      inputs: [
        { name: "x", dtype: "float32", dims: ["n", 2] },
        { name: "first", dtype: "bool", dims: [] },
      ],
      nodes: [
        {
          op: "If",
          inputs: ["first"],
          outputs: ["y"],
          attributes: { then_branch: branch("V"), else_branch: branch("W") },
        },
      ],
    });
    const first = (yes: number): { readonly first: Tensor } => ({
      first: { data: Uint8Array.of(yes), dims: [], dtype: "bool" },
    });
    const bound = await loadModel(bytes, { bind: { first: { data: Uint8Array.of(0), dims: [], dtype: "bool" } } });
    expect(bound.parameters.map(({ name }) => name)).toEqual(["W"]);
    const saved = await modelFile(bound, half(weightsOf(bound)));
    const run = async (yes: number) => {
      const { y } = await (await loadModel(saved.bytes, { bind: first(yes) })).run({
        x: { data: Float32Array.of(1, 0, 0, 1), dims: [2, 2] },
      });
      return [...(y!.data as Float32Array)];
    };
    expect(await run(0)).toEqual([0.5, 1, 1.5, 2.5]);
    expect(await run(1)).toEqual([1, 2, 3, 5]);
  });

  /** y = x W + x W V with W and V in a function that is called once or twice. */
  const called = (times: 1 | 2) =>
    tinyModel({
      opsets: { "": 17, local: 1 },
      functions: [
        localFunction({
          name: "linear",
          inputs: ["a"],
          outputs: ["b"],
          nodes: [
            {
              op: "Constant",
              inputs: [],
              outputs: ["W"],
              attributes: { value: { tensor: { data: Float32Array.from(w[0]), dims: [2, 2] } } },
            },
            { op: "MatMul", inputs: ["a", "W"], outputs: ["b"] },
          ],
        }),
      ],
      nodes:
        times === 1
          ? [{ op: "linear", domain: "local", inputs: ["x"], outputs: ["y"] }]
          : [
              { op: "linear", domain: "local", inputs: ["x"], outputs: ["h"] },
              { op: "linear", domain: "local", inputs: ["h"], outputs: ["y"] },
            ],
    });

  test("a function", async () => {
    const model = await loadModel(called(1));
    const saved = await modelFile(model, half(weightsOf(model)));
    expect(await productWith(saved.bytes)).toEqual([0.5, 1, 1.5, 2.5]);
  });

  test("a function that is called twice takes the same numbers for both calls, and refuses different ones", async () => {
    const model = await loadModel(called(2));
    expect(model.parameters).toHaveLength(2);
    const saved = await modelFile(model, half(weightsOf(model)));
    expect(await productWith(saved.bytes)).toEqual([1.75, 3, 4.5, 7.75]);
    const different = half(weightsOf(model));
    different[0] = 9;
    expect(await rejectionOf(modelFile(model, different))).toContain(
      "the file has one tensor for both, in a function that is called twice; give them the same numbers, or take the model with its functions inlined",
    );
  });

  test("numbers as a list, packed or not, in floats, doubles and sixteen bits", async () => {
    const tensor = { data: Float32Array.from(w[0]), dims: [2, 2] };
    for (const kind of ["float32", "unpacked", "float64", "float16"] as const) {
      const bytes = withList(tinyModel({ nodes: [matmulNode("W")], initializers: [{ name: "W", tensor }] }), kind);
      const model = await loadModel(bytes);
      expect(weightsOf(model)).toEqual(Float64Array.from(w[0]));
      expect((await modelFile(model, weightsOf(model))).bytes).toEqual(bytes);
      const saved = await modelFile(model, Float64Array.of(-1000, 2.5, 0, 1));
      expect(saved.tensors[0]).toMatchObject({ storedAs: kind === "unpacked" ? "float32" : kind, changed: 4 });
      expect(weightsOf(await loadModel(saved.bytes))).toEqual(Float64Array.of(-1000, 2.5, 0, 1));
    }
  });

  test("fields that this library does not know stay where they are", async () => {
    const plain = tinyModel({ nodes: [matmulNode("W")], weights: { W: w } });
    // Field 900 of a ModelProto, with text in it.
    const unknown = Uint8Array.of(0xa2, 0x38, 3, 0x61, 0x62, 0x63);
    const bytes = Uint8Array.from([...unknown, ...plain]);
    const model = await loadModel(bytes);
    const saved = await modelFile(model, half(weightsOf(model)));
    expect(saved.bytes.subarray(0, unknown.length)).toEqual(unknown);
    expect(await productWith(saved.bytes)).toEqual([0.5, 1, 1.5, 2.5]);
  });
});

/** The model with the numbers of its only initializer in the list of their type instead of raw bytes. */
function withList(bytes: Uint8Array, kind: "float32" | "unpacked" | "float64" | "float16"): Uint8Array {
  const model = fromBinary(ModelProtoSchema, bytes);
  const [tensor] = model.graph!.initializer;
  delete (tensor as { rawData?: Uint8Array }).rawData;
  if (kind === "float32") tensor!.floatData = [...w[0]];
  // Fields of their own, of four bytes each, as old writers have them.
  if (kind === "unpacked") {
    tensor!.$unknown = w[0].map((number) => ({
      no: 4,
      wireType: 5,
      data: new Uint8Array(Float32Array.of(number).buffer),
    }));
  }
  if (kind === "float64") tensor!.doubleData = [...w[0]];
  // Patterns of 1, 2, 3 and 5 in float16.
  if (kind === "float16") tensor!.int32Data = [0x3c00, 0x4000, 0x4200, 0x4500];
  tensor!.dataType = { float32: 1, unpacked: 1, float64: 11, float16: 10 }[kind];
  return toBinary(ModelProtoSchema, model);
}

describe("saveModel refuses", () => {
  const bytes = tinyModel({ nodes: [matmulNode("W")], weights: { W: w } });

  test("a model without a file", async () => {
    const model = functionModel({
      name: "written",
      parameters: { w: { data: Float32Array.of(1), dims: [1] } },
      inputs: { x: { dims: [1] } },
      apply: (p, { x }) => primitives.mul(x!, p.w!),
    });
    expect(await rejectionOf(saveModel(model, Float32Array.of(1), join(folder, "a.onnx")))).toBe(
      'model: saveModel expects a model that loadModel has read, got "written", which was written in TypeScript and has no file; keep its weights as numbers',
    );
    expect(await rejectionOf(modelFile(null as never, Float32Array.of(1)))).toBe(
      "argument: saveModel expects a model made by loadModel, got null",
    );
  });

  test("weights that do not fit", async () => {
    const model = await loadModel(bytes);
    expect(await rejectionOf(modelFile(model, new Float32Array(3)))).toBe(
      "shape: saveModel expects 4 entries for all parameters of The given model, got 3; for chosen parameters give risk.split(theta)",
    );
    expect(await rejectionOf(modelFile(model, { V: { data: new Float32Array(4), dims: [2, 2] } }))).toBe(
      'argument: The given model has no parameter "V" to save; it has W',
    );
    expect(await rejectionOf(modelFile(model, { W: { data: new Float32Array(4), dims: [4] } }))).toBe(
      'shape: saveModel expects "W" as floats of dimensions [2, 2], got float32 of [4] with 4 entries',
    );
    expect(await rejectionOf(modelFile(model, "W" as never))).toBe(
      "argument: saveModel expects theta as a flat vector or as tensors by parameter name, got the string W",
    );
    expect(await rejectionOf(modelFile(model, Float64Array.of(1, 2, 1e300, 4)))).toBe(
      'argument: saveModel cannot store 1e+300 of "W", which is not a finite number in float32, the type of the file',
    );
    expect(await rejectionOf(saveModel(model, new Float32Array(4), ""))).toBe(
      'argument: saveModel expects the path of the file to write, got ""',
    );
  });

  test("weights that the file stores as integers", async () => {
    const quantized = tinyModel({
      nodes: [{ op: "DequantizeLinear", inputs: ["Q", "s"], outputs: ["W"] }, matmulNode("W")],
      weights: { s: [[0.5], []] },
      initializers: [{ name: "Q", tensor: { data: Int8Array.of(2, 4, 6, 10), dims: [2, 2] } }],
    });
    const model = await loadModel(quantized);
    expect(await rejectionOf(modelFile(model, weightsOf(model)))).toContain(
      'saveModel cannot write "W" into The given model: the file has it not as floats but computes it, as from integers by DequantizeLinear; leave it out',
    );
  });

  test("weights whose place is not unique", async () => {
    const constant = (output: string) => ({
      op: "Constant",
      inputs: [],
      outputs: [output],
      attributes: { value: { tensor: { data: Float32Array.from(w[0]), dims: [2, 2] } } },
    });
    const body = (name: string) =>
      localFunction({
        name,
        inputs: ["a"],
        outputs: ["b"],
        nodes: [constant("W"), { op: "MatMul", inputs: ["a", "W"], outputs: ["b"] }],
      });
    const model = await loadModel(
      tinyModel({
        opsets: { "": 17, local: 1 },
        functions: [body("one"), body("two")],
        nodes: [
          { op: "one", domain: "local", inputs: ["x"], outputs: ["h"] },
          { op: "two", domain: "local", inputs: ["h"], outputs: ["y"] },
        ],
      }),
    );
    expect(await rejectionOf(modelFile(model, weightsOf(model)))).toContain(
      "2 tensors of its functions and subgraphs have the same numbers",
    );
  });

  test("to overwrite external data of the original or of another model", async () => {
    const own = join(folder, "own");
    mkdirSync(own);
    for (const name of ["mlp_external_data.onnx", "mlp_external_data.onnx.data"])
      copyFileSync(exportedPath(name), join(own, name));
    const model = await loadModel(join(own, "mlp_external_data.onnx"));
    expect(await rejectionOf(saveModel(model, half(weightsOf(model)), join(own, "tuned.onnx")))).toMatch(
      /^argument: saveModel cannot write .*tuned.onnx beside the original, which keeps ".*" in "mlp_external_data.onnx.data", a file that both would share; choose another folder$/,
    );
    // With its own weights it shares the file.
    expect((await saveModel(model, weightsOf(model), join(own, "same.onnx"))).externalFiles).toEqual([]);
    const other = join(folder, "other");
    mkdirSync(other);
    writeFileSync(join(other, "mlp_external_data.onnx.data"), "of another model");
    expect(await rejectionOf(saveModel(model, half(weightsOf(model)), join(other, "tuned.onnx")))).toMatch(
      /^argument: saveModel would overwrite .*mlp_external_data.onnx.data, which is there already and belongs to another model/,
    );
    expect(readFileSync(join(other, "mlp_external_data.onnx.data"), "utf8")).toBe("of another model");
  });

  test("a path that cannot be written", async () => {
    const file = join(folder, "file");
    writeFileSync(file, "");
    expect(await rejectionOf(saveModel(await loadModel(bytes), new Float32Array(4), join(file, "a.onnx")))).toMatch(
      /^file: saveModel cannot write .*a.onnx \((ENOTDIR|EEXIST)\); choose another path$/,
    );
  });
});
