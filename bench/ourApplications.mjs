// @ts-check
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { arrays, crossEntropy, empiricalRisk, loadModel } from "onnx-curvature";
import { influence } from "onnx-curvature/influence";
import { laplace, logMarginalLikelihood, predict } from "onnx-curvature/laplace";
import { ekfac } from "onnx-curvature/structured";

/*
 * One application of this library on one network, as peers/time_applications.py does it with theirs: one JSON line with processor seconds of
 * the first and of further calls and the memory that the first one took. FOLDER has the arrays that applications.mjs wrote; numbers to compare go there.
 */

const { values } = parseArgs({
  options: {
    folder: { type: "string", default: "" },
    work: { type: "string", default: "" },
    dtype: { type: "string", default: "float32" },
    repeats: { type: "string", default: "5" },
  },
});
const { folder, work } = values;
const dtype = values.dtype === "float64" ? "float64" : "float32";
const about = JSON.parse(readFileSync(join(folder, "about.json"), "utf8"));

/** @param {string} name */
const numbers = (name) => {
  const bytes = readFileSync(join(folder, name));
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
};
/** @param {"train" | "test"} part @param {number} [rows] */
function rowsOf(part, rows = about[part]) {
  return arrays({
    inputs: {
      data: new Float32Array(numbers(`${part}_x.bin`)).slice(0, rows * about.size),
      dims: [rows, ...about.dims],
    },
    targets: { data: new Int32Array(numbers(`${part}_y.bin`)).slice(0, rows), dims: [rows] },
    batchSize: about.batch,
  });
}

const model = await loadModel(about.model);
const data = { train: rowsOf("train"), test: rowsOf("test"), queries: rowsOf("test", about.queries) };

/** @param {string} subset @param {"full" | "kfac" | "diagonal"} structure */
async function approximation(subset, structure) {
  const start = seconds();
  const risk = await empiricalRisk({ model, loss: crossEntropy(), data: data.train, dtype, threads: 1 });
  const weights = subset === "all" ? "all" : "lastLayer";
  const posterior = await laplace(risk, { weights, structure, priorPrecision: 1 });
  const fit = seconds() - start;
  const { probabilities } = await predict(posterior, data.test, { link: "probit" });
  const total = seconds() - start;
  const { value } = await logMarginalLikelihood(posterior);
  await posterior.dispose();
  await risk.dispose();
  return { fit, rest: total - fit, numbers: [...(probabilities ?? []), value] };
}

async function scores() {
  const start = seconds();
  const risk = await empiricalRisk({ model, loss: crossEntropy(), data: data.train, dtype, threads: 1 });
  const matrix = await ekfac(risk, { of: "empiricalFisher" });
  const fit = seconds() - start;
  const queries = await risk.on(data.queries);
  const { queries: found } = await influence(risk, queries, { matrix, damping: about.damping });
  const total = seconds() - start;
  await queries.dispose();
  await matrix.dispose();
  await risk.dispose();
  return { fit, rest: total - fit, numbers: found.flatMap(({ scores: own }) => [...(own ?? [])]) };
}

function seconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Peak of resident memory since the last reset, in bytes (Linux). */
const peak = () => 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);

const [task, subset, structure] = work.split(" ");
const run = task === "influence" ? scores : () => approximation(subset, /** @type {any} */ (structure));
writeFileSync("/proc/self/clear_refs", "5");
const before = peak();
const calls = [await run()];
const memory = peak() - before;
for (let call = 1; call < Number(values.repeats); call++) calls.push(await run());
writeFileSync(join(folder, "ours.bin"), Float64Array.from(calls[0].numbers));
console.log(JSON.stringify({ fit: calls.map(({ fit }) => fit), rest: calls.map(({ rest }) => rest), memory }));
