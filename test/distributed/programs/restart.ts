// Eigenvalues and a solution from saved states: the ranks are killed at the step that the arguments name, or print a digest of the results.
import { createHash } from "node:crypto";
import { rankStore, shardOf } from "../../../src/distributed/index.ts";
import { mpiCommunicator } from "../../../src/distributed/mpi/index.ts";
import { cgSteps, damped, eigshSteps, stateStore } from "../../../src/linalg/index.ts";
import { empiricalRisk, ggn } from "../../../src/operators/index.ts";
import { dataOf, randomTensor, riskCases } from "../../operators/riskCases.ts";

const [, , folder, killAt = "never", shards] = process.argv;
const communicator = await mpiCommunicator({ timeoutMs: 50_000 });
const riskCase = riskCases["cross-entropy with weights of rows and classes, ignored rows, smoothing"]!;
const { model, loss } = riskCase;
const split = shards === undefined ? {} : { shards: Number(shards) };
const risk = await empiricalRisk({
  model,
  loss,
  data: shardOf(dataOf(riskCase, 2), communicator, split),
  dtype: "float64",
  threads: 1,
  communicator,
  reduction: shards === undefined ? "tree" : "ordered",
  // States then hold the whole basis, of which each rank has its rows.
  splitBasis: shards === undefined,
});
const G = ggn(risk);
const { settings } = risk;
let step = 0;
let resumed = 0;

/** Runs to the end from the last saved state, saving every third one. */
async function finished<S, R>(name: string, run: (state: S | undefined) => AsyncGenerator<S, R, void>): Promise<R> {
  const store = rankStore(stateStore(`${folder}/${name}.state`, { settings }), communicator);
  const saved = (await store.load()) as S | undefined;
  if (saved !== undefined) resumed++;
  const steps = run(saved);
  for (;;) {
    const { value, done } = await steps.next();
    if (done) return value;
    if (String(step) === killAt && communicator.rank === step % communicator.size) process.kill(process.pid, "SIGKILL");
    if (step % 3 === 0) await store.save(value);
    step++;
  }
}

const given = <S>(state: S | undefined) => (state === undefined ? {} : { state });
const top = await finished("eigsh", (state) =>
  eigshSteps(G, {
    k: 3,
    which: "largest",
    seed: 1,
    tolerance: 1e-13,
    basisSize: 8,
    matvecs: 200,
    ...given(state as never),
  }),
);
const b = randomTensor([risk.size], 4).data;
const solution = await finished("cg", (state) =>
  cgSteps(damped(G, 1e-2), b, { tolerance: 1e-9, matvecs: 200, ...given(state as never) }),
);
const digest = createHash("sha256");
for (const x of [top.values, top.vectors.data, solution.x])
  digest.update(new Uint8Array(x.buffer, x.byteOffset, x.byteLength));
if (communicator.rank === 0) {
  process.stdout.write(
    `${JSON.stringify({ digest: digest.digest("hex"), steps: step, resumed, status: [top.status, solution.status] })}\n`,
  );
}
await communicator.close();
