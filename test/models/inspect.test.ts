import { describe, expect, test } from "vitest";
import { inspectModel, loadModel } from "../../src/models/index.ts";
import { exportedModels, exportedPath } from "./exportedModels.ts";

const inspect = async (name: string) => inspectModel(await loadModel(exportedPath(`${name}.onnx`)));

describe("inspectModel", () => {
  test("is plain data", async () => {
    const inspection = await inspect("mlp_dynamo");
    expect(JSON.parse(JSON.stringify(inspection))).toEqual(inspection);
    expect(inspection).toMatchObject({
      opset: 20,
      inputs: [{ name: "x", dtype: "float32", dims: ["batch", 64] }],
      outputs: [{ name: "linear_2", dims: ["batch", 10] }],
      constants: [],
      notices: [],
    });
    expect(inspection.parameters[0]).toEqual({
      name: "0.weight",
      dims: [32, 64],
      role: "weight",
      layer: "0",
      reason: "the exporter calls it a parameter",
    });
    expect("fixedRows" in inspection).toBe(false);
  });

  test.each(Object.entries(exportedModels))("%s lists the operators without a rule", async (name, { missing = [] }) => {
    const { operators } = await inspect(name);
    expect(operators.filter(({ fates }) => fates.missing > 0).map(({ operator }) => operator)).toEqual(missing);
    for (const { count, fates, reached } of operators) {
      expect(fates.supported + fates.carried + fates.folded + fates.missing).toBe(count);
      expect(reached).toBeLessThanOrEqual(count);
    }
  });

  test("tells what is differentiated, carried and folded", async () => {
    const { operators } = await inspect("bert_dynamo");
    const of = (name: string) => operators.find(({ operator }) => operator === name)!;
    // Counts of the exporter's graph: eight products, all downstream of weights.
    expect(of("MatMul")).toMatchObject({ count: 8, reached: 8, fates: { supported: 8 } });
    // The mask depends on the attention_mask, not on weights.
    expect(of("GatherND")).toMatchObject({ count: 1, reached: 0, fates: { carried: 1 } });
    expect(of("Shape").fates).toMatchObject({ folded: 4 });
    expect(of("Where")).toMatchObject({ count: 2, reached: 1 });
    const sklearn = (await inspect("sklearn_mlp_classifier")).operators;
    expect(sklearn.find(({ operator }) => operator === "ai.onnx.ml.ArrayFeatureExtractor")?.fates.carried).toBe(1);
  });

  test("says how many rows are computed at once", async () => {
    expect((await inspect("cnn_batch_one_dynamo")).fixedRows).toBe(1);
  });

  test.each([
    [
      "mlp_probabilities",
      "crossEntropy",
      'output "softmax" ends in Softmax, so it stands for probabilities of classes',
    ],
    [
      "sklearn_mlp_classifier",
      "crossEntropy",
      'output "probabilities" ends in Softmax, so it stands for probabilities of classes',
    ],
    [
      "tied_autoencoder_dynamo",
      "bceWithLogits",
      'output "sigmoid" ends in Sigmoid, so each element is a probability of its own',
    ],
    [
      "mlp_dynamo",
      "crossEntropy",
      'output "linear_2" has 10 numbers a row without an activation, as logits of 10 classes have; for regression choose meanSquaredError',
    ],
    ["regression_mlp", "meanSquaredError", 'output "squeeze" has one number a row, as in regression'],
  ])("%s suggests %s", async (name, loss, reason) => {
    expect((await inspect(name)).suggestedLoss).toEqual({ name: loss, reason });
  });
});
