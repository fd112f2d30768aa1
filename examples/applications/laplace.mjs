import { crossEntropy, empiricalRisk, loadData, loadModel, takeRows } from "onnx-curvature";
import { calibration, laplace, logMarginalLikelihood, optimizePrior, predict } from "onnx-curvature/laplace";
import { newtonCg } from "onnx-curvature/training";

const model = await loadModel("examples/digits/digits_mlp.onnx");
const rows = await loadData({
  data: "examples/digits/digits_train.csv.gz",
  scale: 16,
  model,
  targetType: "class",
});
const [train, test] = [takeRows(rows, [0, 600]), takeRows(rows, [600, 1000])];
const trained = await empiricalRisk({ model, loss: crossEntropy(), data: train, dtype: "float64" });
try {
  // A posterior around weights that are a maximum of likelihood and prior: precision 1 is a weight decay of 1 / 600 of the mean loss.
  const decay = 1 / train.rows;
  const { theta } = await newtonCg(trained, { weightDecay: decay, tolerance: 1e-4, steps: 20 });
  const risk = trained.at(theta);

  const posterior = await laplace(risk, { weights: "lastLayer", structure: "kfac", priorPrecision: 1 });
  console.log(`posterior of ${posterior.weights}; a Newton step would gain ${posterior.stationarity.newtonGain} nats`);
  console.log(`evidence ${(await logMarginalLikelihood(posterior)).value}`);

  // The prior that the evidence prefers, and the one that predicts best on rows of their own.
  const evidence = await optimizePrior(posterior);
  const validated = await optimizePrior(posterior, { method: "validation", validation: takeRows(test, [0, 200]) });
  console.log(`prior precision ${evidence.priorPrecision} by the evidence, ${validated.priorPrecision} by validation`);
  for (const { method, posterior: chosen } of [evidence, validated]) {
    const { before, after } = await calibration(chosen, takeRows(test, [200]));
    const [loss, error] = [after.negativeLogLikelihood.value, after.classes.expectedCalibrationError];
    console.log(`${method}: loss ${before.negativeLogLikelihood.value} -> ${loss}, calibration error ${error}`);
  }

  const { probabilities, pointProbabilities } = await predict(validated.posterior, takeRows(test, [0, 1]));
  console.log(
    `first row: ${Math.max(...probabilities)} sure, without the posterior ${Math.max(...pointProbabilities)}`,
  );
  await posterior.dispose();
} finally {
  await trained.dispose();
}
