// The largest eigenvalues of the Gauss-Newton matrix of the digits classifier, on any number of ranks. Killed at any time, the same command
// goes on from the last saved state. See docs/cluster.md.
import { crossEntropy, empiricalRisk, ggn, loadData, loadModel, onAllRanks, rankStore, shardOf } from "onnx-curvature";
import { eigshSteps, stateStore } from "onnx-curvature/linalg";
import { mpiCommunicator } from "onnx-curvature/mpi";

const folder = process.argv[2] ?? ".";
const digits = new URL("../digits/", import.meta.url);
const communicator = await mpiCommunicator({ timeoutMs: 600_000 });

// A rank's own work fails on all ranks together, with the message of the rank that failed.
const { model, data } = await onAllRanks(communicator, async () => {
  const model = await loadModel(new URL("digits_mlp.onnx", digits));
  return {
    model,
    data: await loadData({ model, data: new URL("digits_train.csv.gz", digits), scale: 16, batchSize: 64 }),
  };
});
const risk = await empiricalRisk({ model, loss: crossEntropy(), data: shardOf(data, communicator), communicator });

const store = rankStore(stateStore(`${folder}/eigsh.state`, { settings: risk.settings }), communicator);
const state = await store.load();
const steps = eigshSteps(ggn(risk), { k: 5, which: "largest", seed: 0, ...(state && { state }) });
let next = await steps.next();
for (let step = 1; !next.done; step++) {
  if (step % 10 === 0) await store.save(next.value);
  next = await steps.next();
}
// Results are the same on all ranks: one of them prints.
if (communicator.rank === 0) {
  const { values, status, matvecs } = next.value;
  console.log(
    `${communicator.size} ranks, ${status} after ${matvecs} products: ${Array.from(values, (x) => x.toPrecision(6)).join(" ")}`,
  );
}
await store.clear();
await risk.dispose();
await communicator.close();
