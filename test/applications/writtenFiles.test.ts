import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fromBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mergeModels } from "../../src/applications/information/index.ts";
import { prune } from "../../src/applications/pruning/index.ts";
import { levenbergMarquardt } from "../../src/applications/training/index.ts";
import {
  accuracy,
  crossEntropy,
  empiricalRisk,
  type FileModel,
  ggn,
  loadModel,
  type Risk,
  saveCompact,
  saveModel,
  type Vector,
} from "../../src/index.ts";
import { ModelProtoSchema } from "../../src/onnx/generated/onnx_pb.ts";
import { digitsRows } from "./digits.ts";

const python = process.env.ONNX_CURVATURE_PYTHON;
const required = process.env.ONNX_CURVATURE_REQUIRE_ALL === "1";

const folder = mkdtempSync(join(tmpdir(), "written-"));
afterAll(() => rmSync(folder, { recursive: true }));

const original = fileURLToPath(new URL("../../examples/digits/digits_mlp.onnx", import.meta.url));
const data = digitsRows((labels) => labels.map((_, i) => i).slice(0, 200));

let model: FileModel;
let risk: Risk;
beforeAll(async () => {
  model = await loadModel(original);
  risk = await empiricalRisk({ model, loss: crossEntropy(), data });
});
afterAll(() => risk.dispose());

/** The files that the tests have written, with the loss and the accuracy of their weights. */
const written: { readonly path: string; readonly loss: number; readonly accuracy: number }[] = [];

async function noteFile(path: string, theta: Vector): Promise<void> {
  const at = risk.at(theta);
  written.push({ path, loss: await at.loss(), accuracy: (await accuracy(at))! });
  await at.dispose();
}

/** Writes the weights into the file of the digits network, in which only the tensors of these names may differ. */
async function saveChanged(name: string, { theta, changed }: { readonly theta: Vector; readonly changed: RegExp }) {
  const path = join(folder, `${name}.onnx`);
  await saveModel(model, risk.split(theta), path);
  await noteFile(path, theta);
  const [before, after] = [original, path].map((file) => fromBinary(ModelProtoSchema, readFileSync(file)));
  const changes = before!.graph!.initializer.filter(
    ({ rawData }, i) => !Buffer.from(rawData).equals(Buffer.from(after!.graph!.initializer[i]!.rawData)),
  );
  expect(changes.length).toBeGreaterThan(0);
  for (const tensor of changes) expect(tensor.name).toMatch(changed);
  // With the old numbers put back, the two files are the same.
  before!.graph!.initializer.forEach(({ rawData }, i) => {
    after!.graph!.initializer[i]!.rawData = rawData;
  });
  expect(after).toEqual(before);
}

test("a pruned file has new numbers in its weights alone", async () => {
  const { theta } = await prune(risk, { sparsity: 0.5, method: "magnitude", compensation: false, tensors: "2.weight" });
  await saveChanged("pruned", { theta, changed: /^2\.weight$/ });
});

test("a tuned file keeps frozen tensors byte for byte", async () => {
  const { theta } = await levenbergMarquardt(risk, { matrix: ggn, frozen: /^0\./, steps: 2, damping: 0.1 });
  await saveChanged("tuned", { theta, changed: /^2\./ });
});

test("a merged file has new numbers in its parameters alone", async () => {
  const other = risk.at(risk.theta().map((weight, i) => weight * (1 + 0.1 * Math.sin(i))));
  const { theta } = await mergeModels([{ risk }, { risk: other }], { damping: 0.1 });
  await other.dispose();
  await saveChanged("merged", { theta, changed: /^[02]\.(weight|bias)$/ });
});

test("a compact file has fewer units and the same outputs", async () => {
  const { theta } = await prune(risk, { sparsity: 0.25, method: "magnitude", units: "channels", compensation: false });
  const path = join(folder, "compact.onnx");
  const { layers } = await saveCompact(model, risk.split(theta), path);
  expect(layers).toMatchObject([{ parameter: "0.weight", units: 16 }]);
  expect(layers[0]!.removed).toHaveLength(4);
  await noteFile(path, theta);
});

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
  "all of them pass Python's checker, and have the loss and the accuracy of their weights in Python's ONNX Runtime",
  async () => {
    expect(written).toHaveLength(4);
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
