import { crossEntropy, empiricalRisk, ggn, loadData, loadModel, takeRows } from "onnx-curvature";
import { effectiveParameters, ewcPenalty, hypergradient, mergeModels, tic } from "onnx-curvature/information";
import { newtonCg } from "onnx-curvature/training";

const model = await loadModel("examples/digits/digits_mlp.onnx");
const rows = await loadData({
  data: "examples/digits/digits_train.csv.gz",
  scale: 16,
  model,
  targetType: "class",
});
const risk = await empiricalRisk({ model, loss: crossEntropy(), data: takeRows(rows, [0, 600]), dtype: "float64" });
try {
  const { penalty, damping } = await tic(risk, { matrix: ggn(risk), damping: 0.01, probes: 10, seed: 0 });
  console.log(
    `TIC penalty ${penalty.value} +- ${penalty.standardError} at damping ${damping}, of ${risk.size} parameters`,
  );
  const gamma = await effectiveParameters(risk, { alpha: 1, probes: 5, steps: 40, seed: 0 });
  console.log(`effective parameters ${gamma.value} +- ${gamma.standardError}`);

  // Learn other rows without forgetting these.
  const later = await risk.on(takeRows(rows, [600, 1200]));
  const { theta } = await newtonCg(later, { matrix: ggn, penalties: [ewcPenalty(risk, { strength: 1 })], steps: 5 });
  console.log(
    `loss on the first rows ${await risk.at(theta).loss()}, on the later ones ${await later.at(theta).loss()}`,
  );

  const merged = await mergeModels([{ risk }, { risk: later.at(theta) }], { damping: 1e-3 });
  console.log(`merged: ${merged.tasks.map((task) => task.merged).join(" and ")}`);

  // The way of a validation loss through training, in the strength of weight decay.
  const minimum = await newtonCg(risk, { weightDecay: 0.01, tolerance: 1e-8, steps: 200 });
  const validation = await risk.on(takeRows(rows, [1200]));
  const slope = await hypergradient(risk.at(minimum.theta), { validation, weightDecay: 0.01, rowWeights: false });
  console.log(`d validation / d log strength ${slope.logStrength}, gradient norm ${slope.gradientNorm}`);
} finally {
  await risk.dispose();
}
