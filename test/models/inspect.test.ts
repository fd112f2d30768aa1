import { describe, expect, test } from "vitest";
import { inspectModel, loadModel } from "../../src/models/index.ts";
import { suggestLoss } from "../../src/models/suggestLoss.ts";
import { exportedModels, exportedPath } from "./exportedModels.ts";
import { tinyModel } from "./tinyModel.ts";

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
      evidence: "exporter",
      certain: true,
    });
    expect("fixedRows" in inspection).toBe(false);
  });

  test.each(Object.keys(exportedModels))("%s has a rule for all that parameters reach", async (name) => {
    const { operators } = await inspect(name);
    expect(operators.filter(({ support, missing }) => support.missing + missing.length > 0)).toEqual([]);
    for (const { count, support, reached } of operators) {
      expect(support.supported + support.opaque + support.folded).toBe(count);
      expect(reached).toBeLessThanOrEqual(count);
    }
  });

  test("names the nodes that lack a rule", async () => {
    const bytes = tinyModel({
      weights: {
        w: [
          [1, 2, 3, 4],
          [2, 2],
        ],
      },
      nodes: [
        { op: "Det", name: "before", inputs: ["x"], outputs: ["s"] },
        { op: "MatMul", inputs: ["s", "w"], outputs: ["h"] },
        { op: "Det", name: "first", inputs: ["h"], outputs: ["g"] },
        { op: "Det", inputs: ["g"], outputs: ["y"] },
      ],
    });
    const { operators } = inspectModel(await loadModel(bytes));
    expect(operators).toEqual([
      {
        operator: "Det",
        count: 3,
        reached: 2,
        support: { supported: 0, opaque: 1, folded: 0, missing: 2 },
        missing: ["first", "y"],
      },
      {
        operator: "MatMul",
        count: 1,
        reached: 1,
        support: { supported: 1, opaque: 0, folded: 0, missing: 0 },
        missing: [],
      },
    ]);
  });

  test("tells what is differentiated, carried and folded", async () => {
    const { operators } = await inspect("bert_dynamo");
    const of = (name: string) => operators.find(({ operator }) => operator === name)!;
    // Counts of the exporter's graph: eight products, all downstream of weights.
    expect(of("MatMul")).toMatchObject({ count: 8, reached: 8, support: { supported: 8 } });
    // The mask depends on the attention_mask, not on weights.
    expect(of("GatherND")).toMatchObject({ count: 1, reached: 0, support: { missing: 0 } });
    expect(of("Shape").support).toMatchObject({ folded: 4 });
    expect(of("Where")).toMatchObject({ count: 2, reached: 1 });
    const sklearn = (await inspect("sklearn_mlp_classifier")).operators;
    expect(sklearn.find(({ operator }) => operator === "ai.onnx.ml.ArrayFeatureExtractor")?.support.opaque).toBe(1);
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
    [
      "regression_mlp",
      "meanSquaredError",
      'output "squeeze" has one number a row, as in regression; for two classes choose bceWithLogits, for counts poissonNll',
    ],
  ])("%s suggests %s", async (name, loss, reason) => {
    const [, output] = /output "(.*?)"/.exec(reason)!;
    expect((await inspect(name)).suggestedLoss).toEqual({
      name: loss,
      reason,
      output,
      certain: /ends in/.test(reason),
    });
  });

  test.each([
    [
      ["n", 5, 16, 16],
      "crossEntropy",
      /has 5 numbers at each pixel without an activation, as logits of 5 classes a pixel/,
    ],
    [
      ["n", 1, 16, 16],
      "meanSquaredError",
      /has one number a pixel, as in regression; for two classes a pixel choose bce/,
    ],
    [["n", 2], "crossEntropy", /two numbers a row.*two classes.*two values choose meanSquaredError.*gaussianNll/],
    [["n", 7, 40], "crossEntropy", /40 numbers a token .* logits of 40 classes/],
    [["n"], "meanSquaredError", /one number a row/],
    [["n", null], "meanSquaredError", /numbers of a size that the file leaves open/],
  ] as const)("outputs of sizes %j suggest %s, uncertain", (dims, name, reason) => {
    const found = suggestLoss([{ name: "y", dims }], { integers: new Set(), metadata: {} });
    expect(found).toMatchObject({ name, certain: false, output: "y", reason: expect.stringMatching(reason) });
  });

  test("an exported derivative has no loss", () => {
    const metadata = { product: "hvp", loss: "crossEntropy", parameters: "[]" };
    const found = suggestLoss([{ name: "loss", dims: [] }], { integers: new Set(), metadata });
    expect(found).toMatchObject({
      name: "none",
      certain: true,
      reason: expect.stringMatching(/exported derivative \(hvp\)/),
    });
  });

  test("takes the path of a file or its bytes too, and refuses anything else", async () => {
    const path = exportedPath("mlp_dynamo.onnx");
    expect(await inspectModel(path)).toEqual(await inspect("mlp_dynamo"));
    expect(() => inspectModel(loadModel(path) as never)).toThrow(
      /expects a model read by loadModel, or the path of its file, got a promise; write await/,
    );
  });
});
