// Influence of rows on several ranks. Rank 0 prints, as JSON, how far all numbers are from those of one process.
import { influence, selfInfluence } from "../../../src/applications/influence/index.ts";
import { arrays, type Data, takeRows } from "../../../src/data/index.ts";
import { gatherRows, shardOf } from "../../../src/distributed/index.ts";
import { mpiCommunicator } from "../../../src/distributed/mpi/index.ts";
import { crossEntropy } from "../../../src/losses/index.ts";
import { functionModel } from "../../../src/models/index.ts";
import { empiricalRisk, ggn } from "../../../src/operators/index.ts";
import { matmul } from "../../../src/primitives/index.ts";

const communicator = await mpiCommunicator({ timeoutMs: 60_000 });
const { rank } = communicator;
const model = functionModel({
  name: "linear",
  parameters: { w: { data: Float64Array.of(0.3, -0.2, 0.1, 0.5, -0.4, 0.2), dims: [2, 3] } },
  inputs: { x: { dims: [2] } },
  apply: ({ w }, { x }) => matmul(x!, w!),
});
const rows = (count: number, from: number): Data =>
  arrays({
    inputs: { data: Float64Array.from({ length: 2 * count }, (_, i) => Math.sin(3 * (i + from))), dims: [count, 2] },
    targets: { data: Int32Array.from({ length: count }, (_, i) => (i * i + from) % 3), dims: [count] },
    batchSize: 4,
  });
const all = rows(11, 0);
const loss = crossEntropy();
const usual = { model, loss, dtype: "float64", threads: 1 } as const;
const alone = await empiricalRisk({ ...usual, data: all });
const queries = await empiricalRisk({ ...usual, data: takeRows(rows(5, 40), [0, 5]) });
const risk = await empiricalRisk({ ...usual, data: shardOf(all, communicator), communicator });
const options = { damping: 0.1, weightDecay: 0.01, solver: { method: "cg", tolerance: 1e-12 } } as const;
const expected = await influence(alone, queries, { ...options, matrix: ggn(alone) });
const found = await influence(risk, queries, { ...options, matrix: ggn(risk) });
let worst = 0;
for (const [t, query] of found.queries.entries()) {
  const other = expected.queries[t]!;
  const scores = await gatherRows(query.scores!, communicator);
  const effects = await gatherRows(query.removalEffects!, communicator);
  const pairs = [
    ...Array.from(scores, (score, i) => [score, other.scores![i]!]),
    ...Array.from(effects, (effect, i) => [effect, other.removalEffects![i]!]),
    [query.meanScore, other.meanScore],
    [query.scoreDeviation, other.scoreDeviation],
    [query.distanceFromMinimum, other.distanceFromMinimum],
  ];
  for (const [own, one] of pairs) worst = Math.max(worst, Math.abs(own! - one!));
  if (scores.length !== all.rows) worst = Number.POSITIVE_INFINITY;
}
const refused = await selfInfluence(risk, options).catch((error: Error) => error.message);
if (rank === 0) process.stdout.write(JSON.stringify({ worst, rows: found.rows, warnings: found.warnings, refused }));
await risk.dispose();
await communicator.close();
