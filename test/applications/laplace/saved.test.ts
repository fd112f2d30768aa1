import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  calibration,
  laplace,
  loadLaplace,
  logMarginalLikelihood,
  predict,
  saveLaplace,
} from "../../../src/applications/laplace/index.ts";
import { crossEntropy, loadModel, meanSquaredError, type Risk, takeRows } from "../../../src/index.ts";
import { kfac, saveStructured } from "../../../src/structured/index.ts";
import { rejectionOf } from "../../onnx/messageOf.ts";
import { difference } from "../../operators/closeness.ts";
import { applicationFile, digitsRisk, digitsRows, relative } from "../digits.ts";

let risk: Risk;
let folder: string;
beforeAll(async () => {
  risk = await digitsRisk({ data: takeRows(digitsRows("train"), [0, 300]) });
  folder = await mkdtemp(join(tmpdir(), "laplace-"));
});
afterAll(async () => {
  await risk.dispose();
  await rm(folder, { recursive: true });
});

test.each([
  ["kfac", { structure: "kfac" }],
  ["ekfac of the last layer", { structure: "ekfac", weights: "lastLayer" }],
  ["a subnetwork with a prior for each weight", { structure: "full", weights: { largest: "magnitude", count: 20 } }],
] as const)("a saved posterior predicts the same without the rows: %s", async (name, options) => {
  const path = join(folder, `${name}.safetensors`);
  const size = options.structure === "full" ? 20 : undefined;
  const priorPrecision = size === undefined ? 3 : Float64Array.from({ length: size }, (_, i) => 1 + i);
  const posterior = await laplace(risk, { ...options, priorPrecision });
  await saveLaplace(path, posterior);
  const loaded = await loadLaplace(path, { model: risk.model, loss: crossEntropy() });
  const rows = takeRows(digitsRows("test"), [0, 20]);
  const [before, after] = [await predict(posterior, rows), await predict(loaded, rows)];
  expect(difference(after.variance, before.variance)).toBeLessThan(1e-12);
  expect(difference(after.probabilities!, before.probabilities!)).toBeLessThan(1e-12);
  expect(
    relative((await logMarginalLikelihood(loaded)).value, (await logMarginalLikelihood(posterior)).value),
  ).toBeLessThan(1e-12);
  const moved = await loaded.withPrior({ priorPrecision: 0.5 });
  const same = await posterior.withPrior({ priorPrecision: 0.5 });
  expect(relative(moved.stationarity.newtonGain, same.stationarity.newtonGain)).toBeLessThan(1e-9);
  const scores = await calibration(moved, rows);
  expect(
    relative(
      scores.after.negativeLogLikelihood.value,
      (await calibration(same, rows)).after.negativeLogLikelihood.value,
    ),
  ).toBeLessThan(1e-9);
  await posterior.dispose();
  await loaded.dispose();
});

test("messages", async () => {
  const path = join(folder, "posterior.safetensors");
  const posterior = await laplace(risk, { weights: "lastLayer" });
  await saveLaplace(path, posterior);
  const { model } = risk;
  const other = await loadModel(applicationFile("softmax_regression.onnx"));
  // The first layer is no part of the posterior, but of what it is of.
  const [first, ...rest] = model.parameters;
  const moved = { ...model, parameters: [{ ...first!, data: first!.data.map((x) => x + 1) }, ...rest] };
  const alone = join(folder, "matrix.safetensors");
  await saveStructured(alone, await kfac(risk));
  const free = await laplace(risk, { structure: "matrixFree" });
  const cases: readonly (readonly [() => Promise<unknown>, string])[] = [
    [() => loadLaplace(path, { model: other, loss: crossEntropy() }), "is of another model: it has a tensor 2.weight"],
    [() => loadLaplace(path, { model: moved, loss: crossEntropy() }), "is of other weights than"],
    [
      () => loadLaplace(path, { model, loss: meanSquaredError() }),
      "digits_mlp.onnx and meanSquaredError: meanSquaredError: outputs of shape [2, 10] need targets",
    ],
    [
      () => loadLaplace(path, { model, loss: crossEntropy({ labelSmoothing: 0.1 }) }),
      "is of another model or loss than",
    ],
    [() => loadLaplace(alone, { model, loss: crossEntropy() }), "got a structured matrix alone"],
    [() => saveLaplace(alone, free), "a curvature that is known by its products needs the rows it is of"],
  ];
  for (const [call, message] of cases) expect(await rejectionOf(call())).toContain(message);
  await posterior.dispose();
});
