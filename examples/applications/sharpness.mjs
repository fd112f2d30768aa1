import { crossEntropy, empiricalRisk, loadData, loadModel } from "onnx-curvature";
import {
  eigenvectorDirections,
  landscape,
  samSharpness,
  stableLearningRate,
  worstCaseSharpness,
} from "onnx-curvature/sharpness";

const model = await loadModel("examples/digits/digits_mlp.onnx");
const data = await loadData({
  data: "examples/digits/digits_train.csv.gz",
  scale: 16,
  model,
  targetType: "class",
});
const risk = await empiricalRisk({ model, loss: crossEntropy(), data, dtype: "float64" });
try {
  const one = await samSharpness(risk, { radius: 0.5, scale: "adaptive" });
  const worst = await worstCaseSharpness(risk, { radius: 0.5, scale: "adaptive", seed: 0 });
  console.log(`one step of ascent: ${one.sharpness}; the maximum found: ${worst.sharpness} (${worst.status})`);
  const { threshold, eigenvalue } = await stableLearningRate(risk, { seed: 0 });
  console.log(`largest eigenvalue ${eigenvalue}: gradient descent is stable up to a learning rate of ${threshold}`);
  const directions = await eigenvectorDirections(risk, { seed: 0, k: 1 });
  const line = await landscape(risk, { directions, grid: [-1, -0.5, 0, 0.5, 1] });
  for (const [i, step] of line.axes[0].steps.entries())
    console.log(`step ${step}: loss ${line.values[i][0]}, quadratic model ${line.quadratic[i][0]}`);
} finally {
  await risk.dispose();
}
