// @ts-check
import { parseArgs } from "node:util";
import { crossEntropy, empiricalRisk, hessian, selfCommunicator, shardOf } from "onnx-curvature";
import { mpiCommunicator } from "onnx-curvature/mpi";
import { makeProblem } from "./problems.mjs";
import { normalVector, uniformNumbers } from "./random.mjs";

/*
 * What ranks cost, as one JSON line a figure. Start it by mpirun:
 *   mpirun -n 2 --bind-to none node bench/ranks.mjs                        an all-reduce in float32, for 1 to 10^8 entries
 *   mpirun -n 2 --bind-to none node bench/ranks.mjs --problem C --batches 20 --threads 1      a product with the Hessian
 * Times are medians and least times in milliseconds, each repeat as long as its slowest rank took.
 */

const { values } = parseArgs({
  options: {
    problem: { type: "string" },
    batches: { type: "string", default: "20" },
    threads: { type: "string", default: "1" },
    seconds: { type: "string", default: "5" },
    longest: { type: "string", default: "1e7" },
  },
});

const communicator = await mpiCommunicator();
const { rank, size } = communicator;

/**
 * @param {() => Promise<unknown>} work
 * @param {number} seconds
 */
async function times(work, seconds) {
  for (let i = 0; i < 2; i++) await work();
  const all = [];
  const until = performance.now() + 1000 * seconds;
  for (let more = true; more; ) {
    await communicator.barrier();
    const start = performance.now();
    await work();
    const [slowest] = await communicator.allReduce(Float64Array.of(performance.now() - start), "max");
    all.push(slowest);
    const [ended] = await communicator.broadcast(Float64Array.of(Number(performance.now() >= until)));
    more = ended === 0 || all.length < 5;
  }
  all.sort((a, b) => a - b);
  return { median_ms: all[all.length >> 1], least_ms: all[0], repeats: all.length };
}

/** @param {object} line */
function print(line) {
  if (rank === 0)
    process.stdout.write(`${JSON.stringify({ ranks: size, library: communicator.library.abi, ...line })}\n`);
}

if (values.problem === undefined) {
  for (let entries = 1; entries <= Number(values.longest); entries *= 10) {
    const vector = new Float32Array(entries);
    print({ entries, ...(await times(() => communicator.allReduce(vector), Number(values.seconds))) });
  }
} else {
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
  for (const [name, ranks] of /** @type {const} */ ([
    ["ranks", communicator],
    ["no communicator", undefined],
    ["one rank", selfCommunicator()],
  ])) {
    // The others are of one process.
    if (name !== "ranks" && size > 1) continue;
    const own = ranks === undefined ? { data } : { data: shardOf(data, ranks), communicator: ranks };
    const risk = await empiricalRisk({ model, loss: crossEntropy(), threads, ...own });
    const H = hessian(risk);
    const v = normalVector(uniformNumbers(1), risk.size);
    print({
      problem: values.problem,
      count,
      threads,
      name,
      ...(await times(() => H.matvec(v), Number(values.seconds))),
    });
    await risk.dispose();
  }
}
await communicator.close();
