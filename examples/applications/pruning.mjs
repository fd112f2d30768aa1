import { crossEntropy, empiricalRisk, ggn, loadData, loadModel, saveModel, takeRows } from "onnx-curvature";
import { denseCurvature, prune, saliency } from "onnx-curvature/pruning";

const model = await loadModel("examples/digits/digits_mlp.onnx");
const rows = await loadData({
  data: "examples/digits/digits_train.csv.gz",
  scale: 16,
  model,
  targetType: "class",
});
const risk = await empiricalRisk({ model, loss: crossEntropy(), data: takeRows(rows, [0, 1000]) });
try {
  const validation = await risk.on(takeRows(rows, [1000]));
  // The dense matrix serves all calls below; for large networks take woodFisher(risk) or kfac(risk).
  const matrix = await denseCurvature(ggn(risk));
  const { free } = await saliency(risk, { method: "obs", matrix });
  console.log(`${free.length} weights have no curvature: their inputs are always zero`);

  for (const method of ["magnitude", "obs"]) {
    const pruned = await prune(risk, { sparsity: 0.7, method, matrix, validation });
    const [{ validationAccuracy }] = pruned.steps;
    console.log(`${method}: loss ${pruned.loss}, accuracy on other rows ${validationAccuracy}; ${pruned.message}`);
  }

  // Gradually: gradient, matrix and saliencies anew at each of five steps.
  const pruned = await prune(risk, { sparsity: 0.7, steps: 5, matrix: (at) => ggn(at), validation });
  for (const { sparsity, lossBefore, predictedIncrease, loss } of pruned.steps) {
    console.log(`${(100 * sparsity).toFixed(0)} %: predicted loss ${lossBefore + predictedIncrease}, measured ${loss}`);
  }
  const { tensors } = await saveModel(model, risk.split(pruned.theta), "pruned.onnx");
  console.log(`pruned.onnx has new numbers in ${tensors.map(({ parameter }) => parameter).join(", ")}`);
} finally {
  await risk.dispose();
}
