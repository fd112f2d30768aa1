import { arrays, crossEntropy, empiricalRisk, ggn, loadData, loadModel, takeRows } from "onnx-curvature";
import { influence, leaveOneOut, recall, selfInfluence } from "onnx-curvature/influence";
import { newtonCg } from "onnx-curvature/training";

const model = await loadModel("examples/digits/digits_mlp.onnx");
const rows = await loadData({
  data: "examples/digits/digits_train.csv.gz",
  scale: 16,
  model,
  targetType: "class",
});

// 600 rows, of which every twentieth gets a wrong label.
const planted = [];
const inputs = [];
const labels = [];
for await (const batch of takeRows(rows, [0, 600]).batches()) {
  inputs.push(...Object.values(batch.inputs)[0].data);
  for (const label of batch.targets.data) {
    const row = labels.length;
    if (row % 20 === 7) planted.push(row);
    labels.push(row % 20 === 7 ? (Number(label) + 1 + (row % 9)) % 10 : Number(label));
  }
}
const data = arrays({
  inputs: { data: Float64Array.from(inputs), dims: [600, 64] },
  targets: { data: Int32Array.from(labels), dims: [600] },
});

const weightDecay = 1e-3;
const start = await empiricalRisk({ model, loss: crossEntropy(), data, dtype: "float64" });
try {
  // Influence is about a minimum: train on these rows first.
  const { theta, gradientNorm } = await newtonCg(start, { weightDecay, steps: 80 });
  const risk = start.at(theta);
  console.log(`gradient norm after training: ${gradientNorm}`);

  const own = await selfInfluence(risk, { matrix: ggn(risk), damping: 0.01, weightDecay });
  for (const share of [0.05, 0.1]) {
    const found = recall(own.ranking, { rows: planted, share });
    const byLoss = recall(own.lossRanking, { rows: planted, share });
    console.log(`wrong labels in the first ${100 * share} %: self-influence ${found}, loss ${byLoss}`);
  }

  // Which rows helped and harmed the two rows after these.
  const queries = await risk.on(takeRows(rows, [600, 602]));
  const found = await influence(risk, queries, { matrix: ggn(risk), damping: 0.01, weightDecay, top: 3 });
  for (const { value, helpful, harmful } of found.queries) {
    console.log(
      `loss ${value}: helped by ${helpful.map(({ row }) => row)}, harmed by ${harmful.map(({ row }) => row)}`,
    );
  }
  for (const warning of found.warnings) console.log(warning);

  // What removing the most harmful row really does.
  const [worst] = found.queries[0].harmful;
  const { removals } = await leaveOneOut(risk, [worst.row], { queries, weightDecay, method: "newton", matrix: ggn });
  console.log(`without row ${worst.row}: predicted ${worst.ifRemoved}, by a Newton step ${removals[0].changes[0]}`);
} finally {
  await start.dispose();
}
