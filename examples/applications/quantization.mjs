import { crossEntropy, empiricalRisk, loadData, loadModel } from "onnx-curvature";
import {
  bitPlan,
  comparePlans,
  measureFile,
  measurePlan,
  quantizationSensitivity,
  quantizedWeights,
  saveQuantizedModel,
} from "onnx-curvature/quantization";
import { diagonal, kfac } from "onnx-curvature/structured";

const model = await loadModel("examples/digits/digits_mlp.onnx");
const data = await loadData({
  data: "examples/digits/digits_train.csv.gz",
  scale: 16,
  model,
  targetType: "class",
});
const risk = await empiricalRisk({ model, loss: crossEntropy(), data });
try {
  const sensitivity = await quantizationSensitivity(risk, {
    bits: [2, 3, 4, 8],
    channels: "output", // a step for each output; the result says which axis that is
    diagonal: await (await diagonal(risk)).diagonal(), // exact traces; without it they are estimated from products
    seed: 0,
  });
  for (const { name, reason, choices } of sensitivity.tensors)
    for (const { bits, predicted, measured } of choices)
      console.log(`${name} (${reason}) at ${bits} bits: predicted ${predicted}, measured ${measured}`);

  const plan = bitPlan(sensitivity, { budget: { averageBits: 3.5 }, objective: "measured" });
  console.log(
    `${plan.tensors.map(({ name, bits }) => `${name} ${bits}`).join(", ")}: ${plan.averageBits} bits a weight`,
  );

  // Weights that are not rounded yet make up for the errors of those that are.
  const compensation = await kfac(risk, { of: "inputs" });
  const plain = await measurePlan(risk, { weights: await quantizedWeights(risk, plan) });
  const weights = await quantizedWeights(risk, plan, { compensation });
  const planned = await measurePlan(risk, { weights });
  console.log(`loss ${planned.lossBefore} before, ${plain.loss} at nearest points, ${planned.loss} with compensation`);
  console.log(`change predicted ${planned.predicted}, measured ${planned.measured}, accuracy ${planned.accuracy}`);

  for (const { bits, uniform, planned: own } of await comparePlans(risk, sensitivity, { objective: "measured" }))
    console.log(`size of ${bits} bits: uniform ${uniform.measured}, plan ${own.measured}`);

  const { tensors, bytes } = await saveQuantizedModel(model, weights.tensors, "quantized.onnx");
  for (const { tensor, storedAs, bytesBefore, bytes: own } of tensors)
    console.log(`${tensor} as ${storedAs}: ${own} bytes, before ${bytesBefore}`);
  const file = await measureFile(risk, { model: await loadModel("quantized.onnx") });
  console.log(`quantized.onnx of ${bytes} bytes has loss ${file.loss} in ONNX Runtime`);
} finally {
  await risk.dispose();
}
