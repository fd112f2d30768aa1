// Two ranks multiply until something happens on rank 1. Every rank prints its process id first.

import { onAllRanks, shardOf } from "../../../src/distributed/index.ts";
import { mpiCommunicator } from "../../../src/distributed/mpi/index.ts";
import { eigh } from "../../../src/linalg/index.ts";
import { loadModel } from "../../../src/models/index.ts";
import { empiricalRisk, hessian } from "../../../src/operators/index.ts";
import { keepLargeBlocks } from "../../../src/runtime/largeBlocks.ts";
import { dataOf, riskCases } from "../../operators/riskCases.ts";

const print = (text: string) => process.stdout.write(`${text}\n`);

const [, , event, timeout] = process.argv;

// Other parts of the library load system libraries before MPI is.
keepLargeBlocks();
await eigh({ rows: 1, columns: 1, data: Float64Array.of(1) });
const communicator = await mpiCommunicator(timeout === undefined ? {} : { timeoutMs: Number(timeout) });
const { rank } = communicator;
print(`pid ${process.pid}`);
const riskCase = riskCases["cross-entropy"]!;
const { model, loss } = riskCase;
if (event === "missing file") {
  await onAllRanks(communicator, async () => (rank === 1 ? loadModel("/nowhere/model.onnx") : model));
}
const risk = await empiricalRisk({
  model,
  loss,
  data: shardOf(dataOf(riskCase, 2), communicator),
  communicator,
  threads: 1,
});
const H = hessian(risk);
let v = risk.theta();
await communicator.barrier();
for (let step = 0; ; step++) {
  if (step === 20 && rank === 1) happen();
  if (step === 20) print("reached");
  v = await H.matvec(v);
}

function happen(): void {
  if (event === "SIGKILL") process.kill(process.pid, "SIGKILL");
  if (event === "SIGTERM") process.kill(process.pid, "SIGTERM");
  if (event === "exception") throw new Error("an exception of rank 1");
  if (event === "rejection") void Promise.reject(new Error("a rejection of rank 1"));
  if (event === "exit 0") process.exit(0);
  if (event === "exit 3") process.exit(3);
  if (event === "abort") communicator.abort(7, "rank 1 gives up");
  if (event === "hang") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}
