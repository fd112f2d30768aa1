// @ts-check
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { crossEntropy, empiricalRisk } from "onnx-curvature";
import { ekfac, kfac } from "onnx-curvature/structured";
import { makeProblem } from "./problems.mjs";
import { normalVector, uniformNumbers } from "./random.mjs";
import { supportedParameters } from "./structuredQuantities.mjs";
import { linesOf, startWorker } from "./worker.mjs";

/*
 * KFAC and EKFAC beside curvlinops', on the layers that curvlinops takes: first that both have the same numbers, then their times. Both
 * processes take turns, quantity by quantity, in the opposite order every other round. The tables have the least processor times, which other
 * processes on the machine disturb least, and the least times.
 */

const { values } = parseArgs({
  options: {
    problem: { type: "string", default: "A,B,C,D,E" },
    quantities: { type: "string", default: "kfac_1,kfac_type2,ekfac_1,kfac_product" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "0.5" },
    python: { type: "string", default: process.env.ONNX_CURVATURE_BENCH_PYTHON ?? "python3" },
    numbers: { type: "boolean", default: true },
  },
  allowNegative: true,
});

// Eigendecompositions of both sides: in one thread, as all else. Read when a library is loaded, so that the children have it too.
process.env.OPENBLAS_NUM_THREADS = "1";

/** What our time over curvlinops' is to be at most. */
const TARGETS = /** @type {Record<string, number>} */ ({
  kfac_1: 0.5,
  kfac_type2: 0.2,
  ekfac_1: 0.5,
  kfac_product: 0.5,
});
const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));

/**
 * Relative differences of the exact matrices from the peer's, of products with one vector, traces and Frobenius norms.
 *
 * @param {string} problem
 */
async function compareNumbers(problem) {
  const folder = mkdtempSync(join(tmpdir(), "onnx-curvature-structured-"));
  const { model, data } = makeProblem(problem);
  const risk = await empiricalRisk({ model, data, loss: crossEntropy(), parameters: supportedParameters(model) });
  try {
    const v = normalVector(uniformNumbers(8), risk.size);
    await writeProblem(folder, { model, data, v });
    const command = [values.python, here("peers/structured.py"), "--problem", problem, "--folder", folder];
    const [peer] = await linesOf(command);
    const lines = [];
    for (const [name, make] of Object.entries({ kfac, ekfac })) {
      if (peer[name].error !== undefined) {
        process.stderr.write(`${problem}: ${name} of curvlinops fails: ${peer[name].error}\n`);
        continue;
      }
      const K = await make(risk, { of: { type: 2 }, bias: "factor" });
      const theirs = new Float32Array(Uint8Array.from(readFileSync(join(folder, name))).buffer);
      const product = relativeDifference(await K.matvec(v), theirs);
      const trace = Math.abs((await K.trace()) / peer[name].trace - 1);
      const norm = Math.abs((await K.frobeniusNorm()) / peer[name].norm - 1);
      lines.push({ problem, matrix: name, product, trace, norm });
      await K.dispose();
    }
    return lines;
  } finally {
    await risk.dispose();
    rmSync(folder, { recursive: true });
  }
}

/**
 * @param {string} folder
 * @param {import("./problems.mjs").Problem & { v: Float32Array }} problem
 */
async function writeProblem(folder, { model, data, v }) {
  model.parameters.forEach(({ data: numbers }, i) => {
    writeFileSync(
      join(folder, `parameter_${i}`),
      new Uint8Array(Float32Array.from(/** @type {any} */ (numbers)).buffer),
    );
  });
  for await (const { inputs, targets } of data.batches()) {
    if (targets === undefined) throw new Error("the problems have targets");
    const [x] = Object.values(inputs);
    writeFileSync(join(folder, "inputs"), new Uint8Array(Float32Array.from(/** @type {any} */ (x.data)).buffer));
    writeFileSync(
      join(folder, "targets"),
      new Uint8Array(BigInt64Array.from(/** @type {any} */ (targets.data)).buffer),
    );
  }
  writeFileSync(join(folder, "v"), new Uint8Array(v.buffer));
  // The positions of the transformer are no parameter; see networks.mjs.
  if (model.name.startsWith("transformer"))
    writeFileSync(join(folder, "position"), new Uint8Array(normalVector(uniformNumbers(4), 50 * 64, 0.1).buffer));
}

/**
 * @param {import("onnx-curvature").Vector} ours
 * @param {Float32Array} theirs
 */
function relativeDifference(ours, theirs) {
  let [difference, norm] = [0, 0];
  for (let i = 0; i < theirs.length; i++) {
    difference += (ours[i] - theirs[i]) ** 2;
    norm += theirs[i] ** 2;
  }
  return Math.sqrt(difference / norm);
}

/**
 * EKFAC is left out on D, where the peer's eigensolver fails in float32 (a factor of 4,608 rows).
 *
 * @param {string} problem
 */
async function compareTimes(problem) {
  const served = ["--problem", problem, "--threads", "1", "--serve"];
  const ours = await startWorker("ours", [process.execPath, here("run.mjs"), ...served]);
  const peer = await startWorker("peer", [values.python, here("peers/time_curvlinops.py"), ...served]);
  /** @type {Map<string, { all: number[], processor: number[] }>} */
  const times = new Map();
  const quantities = values.quantities.split(",").filter((name) => !(problem === "D" && name === "ekfac_1"));
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const quantity of ["gradient", ...quantities]) {
      for (const worker of round % 2 === 0 ? [ours, peer] : [peer, ours]) {
        const { all, processor, error } = await worker.measure(quantity, Number(values.seconds));
        if (error !== undefined) throw new Error(`${problem} ${quantity}, ${worker.library}: ${error}`);
        const known = times.get(`${worker.library} ${quantity}`) ?? { all: [], processor: [] };
        known.all.push(...all);
        known.processor.push(...processor);
        times.set(`${worker.library} ${quantity}`, known);
      }
    }
    process.stderr.write(`${problem}: round ${round + 1} of ${values.rounds}\n`);
  }
  await ours.stop();
  await peer.stop();
  const least = (/** @type {string} */ key) => {
    const { all, processor } = /** @type {{ all: number[], processor: number[] }} */ (times.get(key));
    return { time: Math.min(...all), processor: Math.min(...processor) };
  };
  const gradient = least("ours gradient").processor;
  return quantities.map((quantity) => {
    const [own, other] = [least(`ours ${quantity}`), least(`peer ${quantity}`)];
    const ratio = own.processor / other.processor;
    const cells = [own.processor, other.processor, own.processor / gradient, ratio, own.time / other.time].map(short);
    return [problem, quantity, ...cells, `${TARGETS[quantity]}`, ratio <= TARGETS[quantity] ? "yes" : "no"];
  });
}

/** @param {number} value */
function short(value) {
  return `${Number(value.toPrecision(3))}`;
}

/**
 * @param {readonly string[]} head
 * @param {readonly (readonly string[])[]} body
 */
function table(head, body) {
  return [head, head.map((_, i) => (i < 2 ? "---" : "---:")), ...body]
    .map((row) => `| ${row.join(" | ")} |`)
    .join("\n");
}

const problems = values.problem.split(",");
if (values.numbers) {
  const lines = [];
  for (const problem of problems) lines.push(...(await compareNumbers(problem)));
  const body = lines.map(({ problem, matrix, ...numbers }) => [
    problem,
    matrix,
    ...Object.values(numbers).map((x) => x.toExponential(1)),
  ]);
  console.log(`${table(["problem", "matrix", "product", "trace", "norm"], body)}\n`);
}
const rows = [];
for (const problem of problems) rows.push(...(await compareTimes(problem)));
const head = [
  "problem",
  "quantity",
  "ours ms",
  "curvlinops ms",
  "our gradients",
  "ratio",
  "ratio of times",
  "target",
  "met",
];
console.log(table(head, rows));
