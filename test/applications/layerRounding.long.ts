import { join } from "node:path";
import { expect, test } from "vitest";
import { rankCorrelation } from "../../src/applications/rankCorrelation.ts";
import {
  crossEntropy,
  curvatureReport,
  empiricalRisk,
  type LayerRounding,
  loadData,
  loadModel,
  type ReportedLayer,
} from "../../src/index.ts";
import { mnistFolder } from "../mnist.ts";

const digits = { data: "examples/digits/digits_train.csv.gz", scale: 16 } as const;
const models = {
  digits: "examples/digits/digits_mlp.onnx",
  "MNIST MLP": "test/models/mnist_mlp_op13.onnx",
  "MNIST CNN": "test/models/mnist_cnn_bn_op13.onnx",
  "MNIST ViT": "test/models/mnist_vit_op17.onnx",
} as const;

async function reportOf(file: string) {
  const model = await loadModel(file);
  const images = { [model.inputs[0]!.name]: join(mnistFolder, "t10k-images-idx3-ubyte") };
  const mnist = {
    inputs: images,
    targets: join(mnistFolder, "t10k-labels-idx1-ubyte"),
    scale: 255,
    rows: [0, 1000],
  } as const;
  const data = await loadData({ model, ...(file === models.digits ? digits : mnist) });
  const risk = await empiricalRisk({ model, loss: crossEntropy(), data });
  const matrices = ["hessian"] as const;
  const report = await curvatureReport(risk, {
    seed: 0,
    matrices,
    probes: 50,
    steps: 2,
    eigenvalues: 1,
    relative: false,
  });
  await risk.dispose();
  return { layers: report.matrices.hessian!.layers, rounding: report.rounding! };
}

/** Rank correlation of the layers' mean curvature with the measured increase. */
function byMeanCurvature(layers: readonly ReportedLayer[], { layers: rounded }: LayerRounding, bits: number) {
  const mean = rounded
    .map(({ name }) => layers.find((layer) => layer.name === name)!)
    .map((l) => l.trace / l.parameters);
  const measured = rounded.map(({ changes }) => changes.find((change) => change.bits === bits)!.measured);
  return rankCorrelation(mean, measured)!;
}

test("the predicted order of layers at 4 and 3 bits agrees with the measured one, and better than mean curvature", async () => {
  const found: { readonly name: string; readonly bits: number; readonly predicted: number; readonly mean: number }[] =
    [];
  for (const [name, file] of Object.entries(models)) {
    const { layers, rounding } = await reportOf(file);
    for (const bits of [4, 3]) {
      const predicted = rounding.rankCorrelations.find((each) => each.bits === bits)!.value!;
      found.push({ name, bits, predicted, mean: byMeanCurvature(layers, rounding, bits) });
    }
  }
  const table = found
    .map(({ name, bits, predicted, mean }) => `${name}, ${bits} bits: ${predicted} (mean curvature ${mean})`)
    .join("; ");
  for (const { predicted } of found) expect(predicted, table).toBeGreaterThan(0);
  const average = (key: "predicted" | "mean") => found.reduce((sum, each) => sum + each[key], 0) / found.length;
  expect(average("predicted"), table).toBeGreaterThan(0.6);
  expect(average("predicted"), table).toBeGreaterThan(average("mean") + 0.2);
});
