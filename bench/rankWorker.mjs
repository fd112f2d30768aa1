// @ts-check
import { parseArgs } from "node:util";
import { crossEntropy, empiricalRisk, hessian, selfCommunicator, shardOf, splitBasis } from "onnx-curvature";
import { eigsh, functionOperator, lanczos } from "onnx-curvature/linalg";
import { mpiCommunicator } from "onnx-curvature/mpi";
import { makeProblem } from "./problems.mjs";
import { normalVector, uniformNumbers } from "./random.mjs";

/*
 * One measurement on the ranks of mpirun, as one JSON line a figure; bench/ranks.mjs starts it. Times are in milliseconds, each repeat as long as
 * its slowest rank took.
 */

const { values } = parseArgs({
  options: {
    part: { type: "string" },
    problem: { type: "string", default: "C" },
    batches: { type: "string", default: "20" },
    threads: { type: "string", default: "1" },
    seconds: { type: "string", default: "1" },
    entries: { type: "string", default: "1000" },
    method: { type: "string", default: "lanczos" },
    weights: { type: "string", default: "1e7" },
    vectors: { type: "string", default: "60" },
  },
});

const communicator = await mpiCommunicator();
const { rank, size } = communicator;
const seconds = Number(values.seconds);

/** @param {readonly number[]} all */
function summary(all) {
  const sorted = [...all].sort((a, b) => a - b);
  return { median_ms: sorted[sorted.length >> 1], least_ms: sorted[0], repeats: sorted.length };
}

/**
 * Repeats kinds of work in turns until the time is over, so that a disturbance of the machine affects all of them.
 *
 * @param {{ readonly [name: string]: () => Promise<unknown> }} kinds
 * @returns {Promise<{ [name: string]: ReturnType<typeof summary> }>}
 */
async function times(kinds) {
  /** @type {{ [name: string]: number[] }} */
  const all = Object.fromEntries(Object.keys(kinds).map((name) => [name, []]));
  for (const work of Object.values(kinds)) for (let i = 0; i < 2; i++) await work();
  const until = performance.now() + 1000 * seconds;
  for (let round = 0, more = true; more; round++) {
    const order = Object.entries(kinds);
    for (const [name, work] of round % 2 === 0 ? order : order.reverse()) {
      await communicator.barrier();
      const start = performance.now();
      await work();
      const [slowest] = await communicator.allReduce(Float64Array.of(performance.now() - start), "max");
      all[name].push(slowest);
    }
    const [ended] = await communicator.broadcast(Float64Array.of(Number(performance.now() >= until)));
    more = ended === 0 || round < 4;
  }
  return Object.fromEntries(Object.entries(all).map(([name, repeats]) => [name, summary(repeats)]));
}

/** @param {object} line */
function print(line) {
  if (rank === 0) process.stdout.write(`${JSON.stringify({ ranks: size, ...line })}\n`);
}

/** Sums of float32 vectors over the ranks. */
async function sums() {
  for (const entries of values.entries.split(",").map(Number)) {
    const vector = new Float32Array(entries);
    const { sum } = await times({ sum: () => communicator.allReduce(vector) });
    print({ entries, ...sum });
  }
}

/** Products with the Hessian on the rows of all ranks; on one rank also without a communicator, in turns. */
async function products() {
  const { model, data: batch } = makeProblem(values.problem);
  const count = Number(values.batches);
  // The batch again and again: its numbers do not matter for the time.
  const data = {
    ...batch,
    rows: batch.rows * count,
    async *batches() {
      for (let i = 0; i < count; i++)
        for await (const each of batch.batches()) yield { ...each, start: i * batch.rows };
    },
  };
  const threads = Number(values.threads);
  const usual = { model, loss: crossEntropy(), threads };
  const risks = {
    shared: await empiricalRisk({ ...usual, data: shardOf(data, communicator), communicator }),
    ...(size === 1 && {
      alone: await empiricalRisk({ ...usual, data }),
      self: await empiricalRisk({
        ...usual,
        data: shardOf(data, selfCommunicator()),
        communicator: selfCommunicator(),
      }),
    }),
  };
  const v = normalVector(uniformNumbers(1), risks.shared.size);
  const kinds = Object.fromEntries(
    Object.entries(risks).map(([name, risk]) => {
      const H = hessian(risk);
      return [name, () => H.matvec(v)];
    }),
  );
  print({ problem: values.problem, count, threads, ...(await times(kinds)) });
  for (const risk of Object.values(risks)) await risk.dispose();
}

/** Peak memory of a rank whose Krylov basis is split over all of them. */
async function basis() {
  const n = Number(values.weights);
  const vectors = Number(values.vectors);
  const d = new Float32Array(n);
  for (let i = 0; i < n; i++) d[i] = (i / n) ** 2;
  const diagonal = functionOperator({
    shape: [n, n],
    dtype: "float32",
    symmetric: true,
    async matvec(x) {
      const y = new Float32Array(n);
      for (let i = 0; i < n; i++) y[i] = d[i] * x[i];
      return y;
    },
  });
  const A = splitBasis(diagonal, communicator);
  // A product and a few vectors, without a basis.
  await lanczos(A, { steps: 1, seed: 0 });
  const before = process.resourceUsage().maxRSS;
  const began = performance.now();
  if (values.method === "lanczos") await lanczos(A, { steps: vectors, seed: 0 });
  else await eigsh(A, { k: 2, seed: 0, basisSize: vectors, matvecs: vectors + 12, copies: false });
  const peaks = await communicator.allReduce(Float64Array.of(process.resourceUsage().maxRSS, before), "max");
  const [peak_MB, before_MB] = Array.from(peaks, (kilobytes) => Math.round(kilobytes / 1024));
  const [taken] = await communicator.allReduce(Float64Array.of((performance.now() - began) / 1000), "max");
  print({ method: values.method, weights: n, vectors, peak_MB, before_MB, seconds: Math.round(taken) });
}

/** @type {{ readonly [part: string]: () => Promise<void> }} */
const parts = { sums, products, basis };
const part = parts[values.part ?? ""];
if (part === undefined) throw new Error(`expected --part ${Object.keys(parts).join(", ")}; got ${values.part}`);
await part();
await communicator.close();
