// What ranks refuse together. Every rank prints, as JSON, the message of each case that it saw.
import { arrays, type Data, rebatch } from "../../../src/data/index.ts";
import { exchangeText, isOnAllRanks, onAllRanks, rankStore } from "../../../src/distributed/index.ts";
import { mpiCommunicator } from "../../../src/distributed/mpi/index.ts";
import { CurvatureError } from "../../../src/errors/index.ts";
import { scalar } from "../../../src/graph/index.ts";
import { lanczos } from "../../../src/linalg/index.ts";
import { crossEntropy } from "../../../src/losses/index.ts";
import { functionModel } from "../../../src/models/index.ts";
import { type EmpiricalRiskOptions, empiricalRisk, fisher, ggn, hessian } from "../../../src/operators/index.ts";
import { matmul, mul } from "../../../src/primitives/index.ts";

const print = (text: string) => process.stdout.write(`${text}\n`);

const communicator = await mpiCommunicator({ timeoutMs: 30_000 });
const { rank, size } = communicator;

const modelOf = (weight: number, scale = 1) =>
  functionModel({
    name: "linear",
    parameters: {
      w: { data: Float64Array.of(weight, 1, 0, 2, 1, 1), dims: [2, 3] },
      factor: { data: Float64Array.of(1), dims: [] },
    },
    inputs: { x: { dims: [2] } },
    apply: ({ w, factor }, { x }) => mul(matmul(x, mul(w, factor)), scalar(scale)),
  });

const model = modelOf(1);
function dataOf({ bad = {}, ignored = false }: { bad?: { x?: number; y?: number }; ignored?: boolean } = {}): Data {
  const x = Float64Array.from({ length: 8 }, (_, i) => i / 4);
  const y = BigInt64Array.of(0n, 1n, 2n, 1n);
  if (ignored) y.fill(-100n);
  if (rank === 1 && bad.x !== undefined) x[3] = bad.x;
  if (rank === 1 && bad.y !== undefined) y[2] = BigInt(bad.y);
  return arrays({
    inputs: { data: x, dims: [4, 2] },
    targets: { data: y, dims: [4] },
    batchSize: 2,
    description: "rows",
  });
}
const usual = { model, loss: crossEntropy(), data: dataOf(), dtype: "float64", threads: 1, communicator } as const;
const open = (changed: Partial<EmpiricalRiskOptions>) => async () =>
  void (await (await empiricalRisk({ ...usual, ...changed })).dispose());
const onRankOne = <T>(one: T, others: T): T => (rank === 1 ? one : others);

const cases: { readonly [name: string]: () => Promise<unknown> } = {
  label: open({ data: dataOf({ bad: { y: 9 } }) }),
  number: open({ data: dataOf({ bad: { x: Number.NaN } }) }),
  weights: open({ model: onRankOne(modelOf(2), model) }),
  graph: open({ model: onRankOne(modelOf(1, 2), model) }),
  loss: open({ loss: onRankOne(crossEntropy({ labelSmoothing: 0.1 }), crossEntropy()) }),
  parameters: open({ parameters: onRankOne("w", "*") }),
  precision: open({ dtype: onRankOne("float32", "float64") }),
  argument: open({ cache: onRankOne(-1, 0) }),
  ignored: open({ data: dataOf({ ignored: true }) }),
  "no rows": open({ data: { ...dataOf(), rows: 0, async *batches() {} } }),
  coupled: open({ coupledRows: true }),
  "without shards": open({ reduction: "ordered" }),
  "shard and ranks": open({ shard: { denominator: 8, rows: 8, firstRow: 0 } }),
  reduction: open({ reduction: "mean" as never }),
  "split basis": open({ splitBasis: rank === 1 }),
  "own work": () =>
    onAllRanks(communicator, async () => {
      if (rank === 1) throw new CurvatureError("file", "a file of rank 1 is missing");
    }),
};

const messages: Record<string, unknown> = {};
async function refusal(name: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
    messages[name] = "nothing";
  } catch (error) {
    const known = error instanceof CurvatureError;
    messages[name] = {
      code: known ? error.code : "unknown",
      message: String((error as Error).message),
      shared: isOnAllRanks(error),
    };
  }
}

for (const [name, work] of Object.entries(cases)) await refusal(name, work);
const risk = await empiricalRisk(usual);
const v = Float64Array.from({ length: risk.size }, (_, i) => i);
await refusal("other calls", () => (rank === 1 ? risk.gradient() : risk.loss()));
await refusal("signal", () =>
  hessian(risk).matvec(v, { signal: rank === 1 ? AbortSignal.abort() : new AbortController().signal }),
);
const far = risk.at(v.map(() => 1e200));
await refusal("not finite", () => hessian(far).matvec(v));
const drawn = fisher(risk.at(v), { type: 1, labels: 2, seed: 0 });
await refusal("signal while labels are drawn", () =>
  drawn.matvec(v, rank === 1 ? { signal: AbortSignal.abort() } : {}),
);
const longer = await empiricalRisk({ ...usual, data: rebatch(usual.data, onRankOne(4, 2)) });
await refusal("other shapes", () => longer.engine.total({ build: ({ f }) => ({ outputs: { f } }) }));
const own = { save: async () => {}, clear: async () => {}, load: async () => ({ x: Float64Array.of(rank) }) };
await refusal("other states", () => rankStore(own, communicator).load());
// After all of this the ranks are still in step: concurrent products of two risks, and a run that a signal of one rank stops.
const other = await empiricalRisk({ ...usual, dtype: "float32" });
const both = await Promise.all([hessian(risk).matvec(v), ggn(other).matvec(v), risk.loss(), other.gradient()]);
messages.sums = both.map((x) => (typeof x === "number" ? x : Array.from(x)).toString());
await refusal("stopped run", async () => {
  const stopped = await lanczos(hessian(risk), { steps: 3, seed: 1 });
  throw new Error(stopped.status);
});
// Rank 0 prints for all: launchers mix the long lines of ranks.
for (let root = 0; root < size; root++) {
  const text = await exchangeText(communicator, JSON.stringify({ rank, size, messages }), { root });
  if (rank === 0) print(text);
}
await communicator.close();
