/*
 * Runs mutants of a model: `node --import ../linalg/registerTypescript.mjs mutantWorker.ts FILE FIRST END`. Each is read, inspected and
 * run; where that gives a loss, it is computed once more from the outputs that ONNX Runtime gives for the very same bytes.
 */
import { readFileSync } from "node:fs";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { arrays } from "../../src/data/index.ts";
import { CurvatureError } from "../../src/errors/index.ts";
import { crossEntropy, meanSquaredError } from "../../src/losses/index.ts";
import { type FileModel, inspectModel, loadModel } from "../../src/models/index.ts";
import { empiricalRisk } from "../../src/operators/index.ts";
import { stream } from "../../src/random/index.ts";
import { arrayTypes, dtypeOf, sizeOf, type Tensor } from "../../src/tensors/index.ts";
import { reportCases } from "./fuzzProcess.ts";
import { mutant } from "./mutants.ts";

const [file, first, end] = process.argv.slice(2) as [string, string, string];
const original = new Uint8Array(readFileSync(file));
const LIMIT = 2e9;
const ROWS = 2;
/** Difference of two losses that float32 explains, relative to their size. */
const CLOSE = 1e-3;

await reportCases(Number(first), Number(end), async (seed) => {
  const bytes = mutant(original, seed);
  const model = await loadModel(bytes, { memoryLimit: LIMIT });
  inspectModel(model);
  const feeds = inputsFor(model, seed);
  const [output] = model.outputs;
  const loss = seed % 2 === 0 || output.activation !== undefined ? meanSquaredError() : crossEntropy();
  const outputs = await model.run(feeds);
  const targets = targetsFor(outputs[output.name], { seed, isClass: loss.name === "crossEntropy" });
  const data = arrays({ inputs: feeds, targets, batchSize: Math.max(feedRows(feeds), 1) });
  const risk = await empiricalRisk({
    model,
    loss,
    data,
    memoryLimit: LIMIT,
    cache: 0,
    coupledRows: true,
    assumeLogits: true,
  });
  let ours: number;
  try {
    ours = await risk.loss();
  } finally {
    await risk.dispose();
  }
  const theirs = await engineOutput(bytes, { feeds, output: output.name });
  if (theirs === undefined) return "refused by the engine alone";
  const expected = loss.name === "crossEntropy" ? crossEntropyOf(theirs, targets) : squaresOf(theirs, targets);
  if (expected === undefined) return "shaped otherwise";
  const isClose = Math.abs(ours - expected) <= CLOSE * Math.max(1, Math.abs(expected)) || Object.is(ours, expected);
  return isClose ? "compared" : `different: ${loss.name} ${ours} of ours, ${expected} of ONNX Runtime's outputs`;
});

function inputsFor(model: FileModel, seed: number): { [name: string]: Tensor } {
  const random = stream(seed, "inputs");
  return Object.fromEntries(
    model.inputs.map(({ name, dims, dtype }) => {
      const sizes = dims.map((dim) => (typeof dim === "number" && dim >= 0 && dim < 1000 ? dim : ROWS));
      const size = sizeOf(sizes);
      if (dtype === "string") return [name, { data: new Array<string>(size).fill(""), dims: sizes, dtype }];
      const data = new arrayTypes[dtype](size);
      for (let i = 0; i < size; i++) {
        if (dtype.startsWith("float")) data[i] = random.normal();
        // Positions in a table, or truth values.
        else
          data[i] = (
            data instanceof BigInt64Array || data instanceof BigUint64Array
              ? BigInt(random.integer(2))
              : random.integer(2)
          ) as never;
      }
      return [name, { data, dims: sizes, dtype }];
    }),
  );
}

function feedRows(feeds: { readonly [name: string]: Tensor }): number {
  return Math.max(...Object.values(feeds).map(({ dims }) => dims[0] ?? 1));
}

function targetsFor({ dims }: Tensor, { seed, isClass }: { readonly seed: number; readonly isClass: boolean }): Tensor {
  const random = stream(seed, "targets");
  if (!isClass) return { data: Float32Array.from({ length: sizeOf(dims) }, () => random.normal()), dims };
  // Classes stand on axis 1.
  const rest = [...dims.slice(0, 1), ...dims.slice(2)];
  return {
    data: Int32Array.from({ length: sizeOf(rest) }, () => random.integer(Math.max(dims[1] ?? 1, 1))),
    dims: rest,
  };
}

/** The output of a session on the file as it stands; undefined where ONNX Runtime does not run it. */
async function engineOutput(
  bytes: Uint8Array,
  { feeds, output }: { readonly feeds: { readonly [name: string]: Tensor }; readonly output: string },
): Promise<Tensor | undefined> {
  try {
    const session = await InferenceSession.create(bytes, { logSeverityLevel: 4, graphOptimizationLevel: "disabled" });
    try {
      const given = Object.fromEntries(
        Object.entries(feeds).map(([name, tensor]) => [
          name,
          new OrtTensor(dtypeOf(tensor) as "float32", tensor.data as Float32Array, tensor.dims),
        ]),
      );
      const found = (await session.run(given, [output]))[output];
      return { data: found.data as Float32Array, dims: found.dims };
    } finally {
      await session.release();
    }
  } catch (error) {
    if (error instanceof CurvatureError) throw error;
    return undefined;
  }
}

/** Mean over the elements of the squared differences, in double precision. */
function squaresOf({ data }: Tensor, targets: Tensor): number | undefined {
  if (data.length !== targets.data.length) return undefined;
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += (Number(data[i]) - Number(targets.data[i])) ** 2;
  return sum / data.length;
}

/** Mean over all but the classes' axis of log sum exp f - f of the class, in double precision. */
function crossEntropyOf({ data, dims }: Tensor, { data: classes }: Tensor): number | undefined {
  const [rows, count] = [dims[0] ?? 1, dims[1] ?? 1];
  const after = sizeOf(dims.slice(2));
  if (classes.length !== rows * after) return undefined;
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    for (let place = 0; place < after; place++) {
      const logits = Array.from({ length: count }, (_, c) => Number(data[(row * count + c) * after + place]));
      const most = Math.max(...logits);
      const total = logits.reduce((total, logit) => total + Math.exp(logit - most), 0);
      sum += most + Math.log(total) - logits[Number(classes[row * after + place])];
    }
  }
  return sum / classes.length;
}
