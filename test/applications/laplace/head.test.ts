import { afterAll, beforeAll, expect, test } from "vitest";
import { headForms } from "../../../src/applications/laplace/headForms.ts";
import { jointCovariance, laplace, logMarginalLikelihood, predict } from "../../../src/applications/laplace/index.ts";
import { crossEntropy, empiricalRisk, type Risk, takeRows } from "../../../src/index.ts";
import { headDiagonal, headKfac, isLargeHead } from "../../../src/structured/headCurvature.ts";
import { diagonal, ekfac, type KroneckerOptions, kfac } from "../../../src/structured/index.ts";
import { difference } from "../../operators/closeness.ts";
import { digitsRisk, digitsRows, relative } from "../digits.ts";
import { smallRisk } from "../smallRisk.ts";

let risk: Risk;
beforeAll(async () => {
  const whole = await digitsRisk({ data: takeRows(digitsRows("train", { batchSize: 100 }), [0, 250]) });
  const { model, data } = whole;
  risk = await empiricalRisk({ model, loss: crossEntropy(), data, dtype: "float64", parameters: "2.*" });
  await whole.dispose();
});
afterAll(() => risk.dispose());

test("sums over outputs give the matrices of reverse passes", async () => {
  expect(await isLargeHead(risk, "ggn")).toBe(false);
  expect(await isLargeHead(risk, "ggn", { least: 10 })).toBe(true);
  expect(await isLargeHead(risk, "empiricalFisher", { least: 10 })).toBe(false);
  // The curvature of smoothed labels with class weights is not that of the likelihood.
  const { model, data } = risk;
  const classWeights = Array.from({ length: 10 }, (_, c) => 1 + c);
  const loss = crossEntropy({ labelSmoothing: 0.2, classWeights });
  const smoothed = await empiricalRisk({ model, loss, data, dtype: "float64", parameters: "2.*" });
  expect(await isLargeHead(smoothed, "ggn", { least: 10 })).toBe(false);
  await smoothed.dispose();
  const x = Float64Array.from({ length: risk.size }, (_, i) => Math.sin(i));
  const [a, b] = [await headKfac(risk), await kfac(risk)];
  expect(difference(await a.matvec(x), await b.matvec(x))).toBeLessThan(1e-10);
  const [c, d] = [await headDiagonal(risk), await diagonal(risk)];
  expect(difference(await c.matvec(x), await d.matvec(x))).toBeLessThan(1e-10);
});

test.each([
  ["kfac", (own: Risk) => kfac(own)],
  ["kfac with the bias joined", (own: Risk) => kfac(own, { bias: "joint" } as KroneckerOptions)],
  ["ekfac", (own: Risk) => ekfac(own)],
  ["kfac by sums", (own: Risk) => headKfac(own)],
  ["diagonal", (own: Risk) => diagonal(own)],
] as const)("covariances without a Jacobian are those of Jacobians: %s", async (_, structure) => {
  const posterior = await laplace(risk, { structure, priorPrecision: 2 });
  expect(await headForms(posterior)).toBeDefined();
  const rows = takeRows(digitsRows("test"), [0, 4]);
  const { covariance, variance } = await predict(posterior, rows, { covariance: true });
  const joint = await jointCovariance(posterior, rows);
  const blocks = Float64Array.from({ length: 400 }, (_, k) => {
    const [row, a, b] = [Math.floor(k / 100), Math.floor(k / 10) % 10, k % 10];
    return joint.data[(row * 10 + a) * 40 + row * 10 + b]!;
  });
  expect(difference(covariance!, blocks)).toBeLessThan(1e-10);
  expect(difference((await predict(posterior, rows)).variance, variance)).toBeLessThan(1e-12);
  await posterior.dispose();
});

test("other weights, and a prior that varies in a block, go by Jacobians", async () => {
  const other = await smallRisk();
  expect(await headForms(await laplace(other))).toBeUndefined();
  const single = await laplace(other, { weights: "lastLayer" });
  expect(single.groups.map(({ name }) => name)).toEqual(["w2", "b2"]);
  expect(await headForms(single)).toBeDefined();
  const varied = await laplace(other, { weights: "lastLayer", structure: "full" });
  expect(await headForms(varied)).toBeUndefined();
  const { value } = await logMarginalLikelihood(single);
  expect(
    relative(value, (await logMarginalLikelihood(await single.withPrior({ priorPrecision: { w2: 1, b2: 1 } }))).value),
  ).toBeLessThan(1e-12);
});
