import { crossEntropy, empiricalRisk, ggn, loadData, loadModel, saveModel, takeRows } from "onnx-curvature";
import { newtonCg } from "onnx-curvature/training";

const model = await loadModel("examples/digits/digits_mlp.onnx");
const rows = await loadData({
  data: "examples/digits/digits_train.csv.gz",
  scale: 16,
  model,
  targetType: "class",
});
const trained = await empiricalRisk({ model, loss: crossEntropy(), data: takeRows(rows, [0, 1200]), dtype: "float64" });
try {
  const risk = trained.at(trained.theta().map((weight) => weight / 2)); // a bad start
  const validation = await risk.on(takeRows(rows, [1200]));
  const result = await newtonCg(risk, { matrix: ggn, weightDecay: 1e-4, validation, steps: 12 });
  for (const { step, objective, validationLoss } of result.steps)
    console.log(`step ${step}: objective ${objective}, validation loss ${validationLoss}`);
  console.log(`${result.message}; as much work as ${Math.round(result.gradientEquivalents)} gradients`);
  const { tensors } = await saveModel(model, risk.split(result.theta), "tuned.onnx");
  console.log(`tuned.onnx has new numbers in ${tensors.map(({ tensor }) => tensor).join(", ")}`);
} finally {
  await trained.dispose();
}
