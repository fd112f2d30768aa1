import { crossEntropy, empiricalRisk, hessian, loadData, loadModel } from "onnx-curvature";
import { hutchinsonTrace } from "onnx-curvature/linalg";

async function main() {
  const model = await loadModel("digits/digits_mlp.onnx");
  const data = await loadData({ model, data: "digits/digits_train.csv.gz", scale: 16, rows: [0, 200] });
  const risk = await empiricalRisk({ model, loss: crossEntropy(), data });
  const { trace } = await hutchinsonTrace(hessian(risk), { matvecs: 4, seed: 0 });
  console.log(`loss ${(await risk.loss()).toFixed(6)} trace ${Number.isFinite(trace)}`);
  await risk.dispose();
}

main();
