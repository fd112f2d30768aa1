/*
 * Runs structured cases: `node --import ../linalg/registerTypescript.mjs structuredWorker.ts FOLDER FIRST END`. Each is read,
 * inspected and run, and where that goes well its loss and gradient are computed.
 */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { arrays, type Data, loadData } from "../../src/data/index.ts";
import { meanSquaredError } from "../../src/losses/index.ts";
import { type FileModel, inspectModel, loadModel, type ModelInput } from "../../src/models/index.ts";
import { empiricalRisk } from "../../src/operators/index.ts";
import { stream } from "../../src/random/index.ts";
import { arrayTypes, sizeOf, type Tensor } from "../../src/tensors/index.ts";
import { reportCases } from "./fuzzProcess.ts";
import { type StructuredCase, structuredCase } from "./structuredFuzz.ts";

const [folder, first, end] = process.argv.slice(2) as [string, string, string];
const LIMIT = 2e9;
const ROWS = 2;

await reportCases(Number(first), Number(end), async (seed) => {
  const { kind, ...files } = structuredCase(seed);
  const place = join(folder, String(seed));
  writeFiles(place, files);
  try {
    const model = await loadModel(join(place, "model.onnx"), { memoryLimit: LIMIT });
    inspectModel(model);
    const data = await dataFor(model, files.data === undefined ? undefined : join(place, files.data));
    const risk = await empiricalRisk({
      model,
      loss: meanSquaredError(),
      data,
      memoryLimit: LIMIT,
      cache: 0,
      coupledRows: true,
      assumeLogits: true,
    });
    try {
      await risk.loss();
      await risk.gradient();
    } finally {
      await risk.dispose();
    }
    return `computed ${kind}`;
  } finally {
    rmSync(place, { recursive: true });
  }
});

function writeFiles(place: string, { model, files }: Omit<StructuredCase, "kind">): void {
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, "model.onnx"), model);
  for (const [name, content] of Object.entries(files)) {
    if ("link" in content) symlinkSync(content.link, join(place, name));
    else writeFileSync(join(place, name), content);
  }
}

async function dataFor(model: FileModel, file: string | undefined): Promise<Data> {
  if (file !== undefined) {
    const wanted = Object.fromEntries(model.inputs.map(({ name, dims, dtype }) => [name, { dims, dtype }]));
    return loadData({ wanted, data: file, memoryLimit: LIMIT, targetType: "number" });
  }
  const inputs = Object.fromEntries(model.inputs.map((input) => [input.name, randomInput(input)]));
  const outputs = await model.run(inputs);
  const { dims } = outputs[model.outputs[0].name];
  return arrays({ inputs, targets: { data: randomNumbers(sizeOf(dims), "targets"), dims }, batchSize: ROWS });
}

function randomInput({ name, dims, dtype }: ModelInput): Tensor {
  const sizes = dims.map((dim) => (typeof dim === "number" && dim >= 0 && dim < 1000 ? dim : ROWS));
  const size = sizeOf(sizes);
  if (dtype === "string") return { data: new Array<string>(size).fill("a"), dims: sizes, dtype };
  const data = dtype === "float32" ? randomNumbers(size, name) : new arrayTypes[dtype](size);
  return { data, dims: sizes, dtype };
}

function randomNumbers(size: number, name: string): Float32Array {
  const random = stream(1, name);
  return Float32Array.from({ length: size }, () => random.normal());
}
