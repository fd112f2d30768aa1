import { describe, expect, test } from "vitest";
import * as library from "../../src/index.ts";
import { diagonal, spectralDensity } from "../../src/linalg/index.ts";
import { tinyModel } from "../models/tinyModel.ts";

type Door = (...args: readonly unknown[]) => unknown;

const doors = library as unknown as { readonly [name: string]: Door };

/** What JavaScript lets callers give in place of what is expected. */
const others = [undefined, null, 3, "x", true, {}, [], () => 1, Symbol("s")];

const model = tinyModel({
  nodes: [
    { op: "MatMul", inputs: ["x", "W"], outputs: ["h"] },
    { op: "Add", inputs: ["h", "b"], outputs: ["y"] },
  ],
  weights: {
    W: [
      [1, 2, 3, 4],
      [2, 2],
    ],
    b: [[1, 2], [2]],
  },
});
const x = { data: Float32Array.of(1, 2, 3, 4), dims: [2, 2] };

/** The error of a call, however it comes; undefined where there is none. */
async function errorOf(call: () => unknown): Promise<unknown> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return error;
  }
}

describe("callers without a type checker", () => {
  test.each([
    ...[
      "arrays",
      "asyncData",
      "functionModel",
      "empiricalRisk",
      "exportProduct",
      "curvatureReport",
      "accuracy",
      "dataSummary",
      "layerRounding",
      "inspectModel",
    ],
    ...["hessian", "ggn", "fisher", "empiricalFisher", "gradientCovariance", "jacobian", "curvatureMatrix"],
    ...[
      "inputGradient",
      "inputHessian",
      "inputJacobian",
      "rebatch",
      "takeRows",
      "loadData",
      "readNpy",
      "readIdx",
      "readNpz",
      "npzNames",
    ],
  ])("%s names what it expects", async (name) => {
    // inspectModel takes the path of a file.
    for (const other of others.filter((each) => name !== "inspectModel" || typeof each !== "string")) {
      const error = await errorOf(() => doors[name]!(other, {}));
      expect(error, String(other)).toMatchObject({ name: "CurvatureError", code: "argument" });
      expect((error as Error).message).toMatch(/expects|expected/);
    }
  });

  test.each(["loadModel", "loadTensor", "csv"])("%s takes nothing but sources", async (name) => {
    for (const other of others.filter((each) => each !== "x")) {
      expect(await errorOf(() => doors[name]!(other)), String(other)).toMatchObject({ code: "argument" });
    }
  });

  test("parameters that are no patterns are refused, not passed over", async () => {
    for (const parameters of [
      3,
      "W",
      null,
      { include: "W" },
      { include: 3 },
      { exclude: null },
      { weights: ["W"] },
      ["W"],
    ]) {
      const error = await errorOf(() => library.loadModel(model, { parameters } as never));
      expect(error, JSON.stringify(parameters)).toMatchObject({ code: "argument" });
      expect((error as Error).message).toContain(
        "loadModel expects parameters: { include: [names or patterns], exclude: [names or patterns] }, got",
      );
    }
    const loaded = await library.loadModel(model);
    const data = library.arrays({ inputs: x, targets: x });
    for (const parameters of [3, null, [null], [3], {}]) {
      const request = { model: loaded, loss: library.meanSquaredError(), data, parameters } as never;
      expect(await errorOf(() => library.empiricalRisk(request)), String(parameters)).toMatchObject({
        code: "argument",
      });
      const exported = { product: "hvp", loss: library.meanSquaredError(), batchSize: 2, parameters } as never;
      expect(await errorOf(() => library.exportProduct(loaded, exported)), String(parameters)).toMatchObject({
        code: "argument",
      });
    }
  });

  test("a model, a loss, data or a product that is none is named", async () => {
    const loaded = await library.loadModel(model);
    const loss = library.meanSquaredError();
    const data = library.arrays({ inputs: x, targets: x });
    const riskError = (given: object) =>
      errorOf(() => library.empiricalRisk(given as never)).then((error) => (error as Error).message);
    expect(await riskError({ loss, data })).toBe("empiricalRisk expects options, got an object without model");
    expect(await riskError({ model: 3, loss, data })).toBe(
      "empiricalRisk expects a model, as await loadModel(path) or functionModel(...), got the number 3",
    );
    expect(await riskError({ model: "a.onnx", loss, data })).toContain("as await loadModel(path)");
    expect(await riskError({ model: library.loadModel(model), loss, data })).toMatch(/got a promise; write await/);
    expect(await riskError({ model: loaded, loss: library.crossEntropy, data })).toBe(
      "empiricalRisk expects a loss, as crossEntropy(), got the function crossEntropy; call it: crossEntropy(...)",
    );
    const loading = (given: unknown) =>
      errorOf(() => library.loadData(given as never)).then((error) => (error as Error).message);
    expect(await loading("train.csv")).toMatch(/^loadData expects \{ model, data: "train\.csv" \}.*got the string/);
    expect(await loading({ data: "train.csv" })).toMatch(/with the model that loadModel gives, got nothing/);
    expect(await loading({ model: library.loadModel(model), data: "train.csv" })).toMatch(/got a promise; write await/);
    expect(await riskError({ model: loaded, loss: "mse", data })).toBe(
      "empiricalRisk expects a loss, as crossEntropy(), got the string mse",
    );
    expect(await riskError({ model: loaded, loss, data: [] })).toBe(
      "empiricalRisk expects data, as arrays({ inputs, targets }), got an array without rows",
    );
    const product = { product: "hessian", loss, batchSize: 2 } as never;
    await expect(library.exportProduct(loaded, product)).rejects.toThrow(
      "exportProduct expects product to be one of gradient, hvp, ggnvp, jvp, vjp, got hessian",
    );
  });

  test("a density that is aborted before its first step says so", async () => {
    const A = diagonal(Float64Array.of(1, 2, 3));
    await expect(
      spectralDensity(A, { steps: 3, probes: 2, seed: 0, signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({
      code: "aborted",
      message: "spectralDensity was aborted before its first step: there is no density yet",
    });
  });
});
