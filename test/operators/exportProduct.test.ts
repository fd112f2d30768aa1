import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { afterAll, describe, expect, test } from "vitest";
import { arrays } from "../../src/data/index.ts";
import { bceWithLogits, crossEntropy, gaussianNll, type Loss, meanSquaredError } from "../../src/losses/index.ts";
import { functionModel, loadModel } from "../../src/models/index.ts";
import {
  type ExportedProduct,
  empiricalRisk,
  exportProduct,
  ggn,
  hessian,
  jacobian,
  type Risk,
} from "../../src/operators/index.ts";
import { matmul, tanh } from "../../src/primitives/index.ts";
import { type Tensor, toPrecision, type Vector } from "../../src/tensors/index.ts";
import { expectClose } from "./closeness.ts";
import { randomTensor } from "./riskCases.ts";

const folder = mkdtempSync(join(tmpdir(), "exported-"));
afterAll(() => rmSync(folder, { recursive: true }));

const python = process.env.ONNX_CURVATURE_PYTHON;
const required = process.env.ONNX_CURVATURE_REQUIRE_ALL === "1";
const rows = 5;

/** A small network with two layers and outputs [n, 4]. */
const network = functionModel({
  name: "network",
  parameters: {
    first: { ...randomTensor([3, 6], 1), dims: [3, 6] },
    second: { ...randomTensor([6, 4], 2), dims: [6, 4] },
  },
  inputs: { x: { dims: [3] } },
  apply: ({ first, second }, { x }) => matmul(tanh(matmul(x, first)), second),
});
const x = randomTensor([rows, 3], 3);
const labels: Tensor = { data: BigInt64Array.of(0n, 3n, -100n, 1n, 3n), dims: [rows] };

const cases: readonly { readonly name: string; readonly loss: Loss; readonly targets: Tensor }[] = [
  {
    name: "cross-entropy, weighted, a label ignored",
    loss: crossEntropy({ classWeights: [1, 2, 0.5, 3] }),
    targets: labels,
  },
  { name: "cross-entropy, sum", loss: crossEntropy({ reduction: "sum" }), targets: labels },
  { name: "squared error", loss: meanSquaredError(), targets: randomTensor([rows, 4], 4) },
  { name: "Gaussian", loss: gaussianNll(), targets: randomTensor([rows, 2], 5) },
];

/** The parts of a vector or of outputs by parameter, one after the other. */
function joined(
  risk: Risk,
  outputs: { readonly [name: string]: { readonly data: unknown } },
  prefix: string,
): Float64Array {
  return Float64Array.from(risk.parameters.flatMap(({ name }) => [...(outputs[`${prefix}.${name}`]!.data as Vector)]));
}

function toEngine(feeds: { readonly [name: string]: Tensor }): Record<string, OrtTensor> {
  return Object.fromEntries(
    Object.entries(feeds).map(([name, { data, dims }]) => [name, new OrtTensor(data as Float64Array, dims)]),
  );
}

/** What an exported product must equal, by the operators. */
async function expectedOf(
  product: ExportedProduct,
  { risk, v, u }: { risk: Risk; v: Vector; u: Vector },
): Promise<Vector> {
  if (product === "gradient") return risk.gradient();
  if (product === "hvp") return hessian(risk).matvec(v);
  if (product === "ggnvp") return ggn(risk).matvec(v);
  return product === "jvp" ? jacobian(risk).matvec(v) : jacobian(risk).adjoint!().matvec(u);
}

describe.each(cases)("exported derivatives: $name", ({ loss, targets }) => {
  test.each(["gradient", "hvp", "ggnvp", "jvp", "vjp"] as const)(
    "%s equals the operator in plain ONNX Runtime",
    async (product) => {
      const data = arrays({ inputs: x, targets, batchSize: rows });
      const risk = await empiricalRisk({ model: network, loss, data, dtype: "float64" });
      const v = randomTensor([risk.size], 6).data;
      const u = randomTensor([rows * 4], 7).data;
      for (const parametersAsInputs of [false, true]) {
        const exported = await exportProduct(network, {
          product,
          loss,
          batchSize: rows,
          dtype: "float64",
          parametersAsInputs,
        });
        const own = Object.fromEntries(
          network.parameters.map(({ name, data: values, dims }) => [name, { data: values, dims }]),
        );
        const vectors = Object.fromEntries(Object.entries(risk.split(v)).map(([name, part]) => [`v.${name}`, part]));
        const all: Record<string, Tensor> = {
          x,
          targets,
          ...own,
          ...vectors,
          "u.output": { data: u, dims: [rows, 4] },
        };
        const session = await InferenceSession.create(exported.bytes);
        expect(session.inputNames).toEqual(exported.inputs);
        expect(exported.inputs.includes("first")).toBe(parametersAsInputs);
        const outputs = await session.run(
          toEngine(Object.fromEntries(exported.inputs.map((name) => [name, all[name]!]))),
        );
        const prefix = product === "gradient" ? "gradient" : "product";
        const actual =
          product === "jvp" ? (outputs["tangent.output"]!.data as Float64Array) : joined(risk, outputs, prefix);
        expectClose(actual, await expectedOf(product, { risk, v, u }), 1e-12);
        if (product === "gradient") expect(outputs.loss!.data[0]).toBeCloseTo(await risk.loss(), 12);
        await session.release();
      }
      await risk.dispose();
    },
  );
});

const script = `
import json, sys
import numpy as np, onnx, onnxruntime
model, feeds = sys.argv[1], json.load(open(sys.argv[2]))
onnx.checker.check_model(model, full_check=True)
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
given = {k: np.array(f["data"], dtype=f["dtype"]).reshape(f["dims"]) for k, f in feeds.items()}
names = [o.name for o in session.get_outputs()]
print(json.dumps({n: np.asarray(r, dtype=float).ravel().tolist() for n, r in zip(names, session.run(names, given))}))
`;

describe("in Python's onnxruntime", () => {
  test.skipIf(python === undefined && !required)("H v of the digits model equals the operator", async () => {
    const model = await loadModel("test/models/digits_mlp_op13.onnx");
    const loss = crossEntropy();
    const inputs: Tensor = { data: toPrecision(randomTensor([rows, 64], 8).data, "float32"), dims: [rows, 64] };
    const classes: Tensor = { data: BigInt64Array.of(3n, 1n, 4n, 1n, 5n), dims: [rows] };
    const risk = await empiricalRisk({ model, loss, data: arrays({ inputs, targets: classes, batchSize: rows }) });
    const v = toPrecision(randomTensor([risk.size], 9).data, "float32");
    const { bytes } = await exportProduct(model, { product: "hvp", loss, batchSize: rows });
    const [modelPath, feedsPath, scriptPath] = ["hvp.onnx", "feeds.json", "run.py"].map((name) => join(folder, name));
    writeFileSync(modelPath!, bytes);
    writeFileSync(scriptPath!, script);
    const vectors = Object.entries(risk.split(v)).map(([name, part]) => [`v.${name}`, part] as const);
    const feeds = [["x", inputs], ["targets", classes], ...vectors] as readonly (readonly [string, Tensor])[];
    const plain = feeds.map(([name, { data, dims }]) => {
      const dtype = data instanceof BigInt64Array ? "int64" : "float32";
      return [name, { data: Array.from(data as ArrayLike<number | bigint>, Number), dims, dtype }];
    });
    writeFileSync(feedsPath!, JSON.stringify(Object.fromEntries(plain)));
    const text = execFileSync(python ?? "python3", [scriptPath!, modelPath!, feedsPath!], { encoding: "utf8" });
    const parsed = JSON.parse(text.trim().split("\n").at(-1)!) as { [name: string]: number[] };
    const outputs = Object.fromEntries(Object.entries(parsed).map(([name, data]) => [name, { data }]));
    expectClose(joined(risk, outputs, "product"), await hessian(risk).matvec(v), 1e-5);
    await risk.dispose();
  });
});

describe("exporting refuses", () => {
  const loss = bceWithLogits();
  const base = { product: "hvp", loss, batchSize: 2 } as const;
  test("a batch size that is no positive integer", async () => {
    await expect(exportProduct(network, { ...base, batchSize: 0 })).rejects.toThrow(
      "batchSize must be a positive integer, got 0",
    );
  });
  test("a parameter that is not there", async () => {
    await expect(exportProduct(network, { ...base, parameters: "third" })).rejects.toThrow(
      /no parameter of network matches third/,
    );
  });
  test("sizes left open", async () => {
    const open = { ...network, inputs: [{ name: "x", dtype: "float32", dims: [null, "width"] }] } as typeof network;
    await expect(exportProduct(open, base)).rejects.toThrow(/input "x" has open sizes \[\?, width\]; give rowShapes/);
  });
  test("an input called targets, which would stand twice", async () => {
    const clash = functionModel({
      name: "clash",
      parameters: { w: { data: Float32Array.of(1, 2), dims: [2, 1] } },
      inputs: { targets: { dims: [2] } },
      apply: ({ w }, { targets }) => matmul(targets!, w!),
    });
    await expect(exportProduct(clash, base)).rejects.toThrow(
      '"targets" is the name of two inputs of the exported model',
    );
  });
});
