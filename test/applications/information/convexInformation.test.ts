import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ewcPenalty, hypergradient, mergeModels, tic } from "../../../src/applications/information/index.ts";
import { newtonCg } from "../../../src/applications/training/index.ts";
import {
  arrays,
  crossEntropy,
  type Data,
  empiricalRisk,
  hessian,
  loadModel,
  type Risk,
  rowGradients,
  takeRows,
} from "../../../src/index.ts";
import { add, identity, scale, toDense } from "../../../src/linalg/index.ts";
import { rejectionOf } from "../../onnx/messageOf.ts";
import { difference } from "../../operators/closeness.ts";
import { applicationFile, applicationFixture, relative } from "../digits.ts";
import { plainLoss, smallRisk } from "../smallRisk.ts";

const convex = applicationFixture("convex_influence");
const information = applicationFixture("digits_information").convex;

function rowsOf(name: string): Data {
  const table = readFileSync(applicationFile(`softmax_regression_${name}.csv`), "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.split(",").map(Number));
  return arrays({
    inputs: { data: Float64Array.from(table.flatMap((row) => row.slice(0, 16))), dims: [table.length, 16] },
    targets: { data: Int32Array.from(table, (row) => row[16]!), dims: [table.length] },
    batchSize: 64,
  });
}

let risk: Risk;
let validation: Risk;
beforeAll(async () => {
  const model = await loadModel(applicationFile("softmax_regression.onnx"));
  const stored = await empiricalRisk({
    model,
    loss: crossEntropy(),
    data: rowsOf("train"),
    dtype: "float64",
    threads: 1,
  });
  risk = stored.at(Float64Array.from(convex.optimum_float64));
  validation = await stored.on(rowsOf("test"));
});
afterAll(() => risk.dispose());

describe("hypergradients of convex_influence.json", () => {
  test("strength and weights of rows", async () => {
    const { hypergradient: expected, strength } = convex;
    const found = await hypergradient(risk, { validation, weightDecay: strength, solveTolerance: 1e-12 });
    expect(relative(found.validationLoss, expected.validation_loss)).toBeLessThan(1e-9);
    expect(relative(found.strength, expected.d_validation_d_strength)).toBeLessThan(1e-9);
    expect(relative(found.logStrength, expected.d_validation_d_log_strength)).toBeLessThan(1e-9);
    expect(relative(found.strength, expected.by_differences_of_retraining)).toBeLessThan(1e-7);
    expect(difference(found.rowWeights!, expected.d_validation_d_row_weight)).toBeLessThan(1e-9);
    expect(found.gradientNorm).toBeLessThan(1e-10);
    expect(Math.abs(found.strength - expected.d_validation_d_strength)).toBeLessThanOrEqual(
      found.strengthError + 1e-12,
    );
  });

  test("by another matrix with its own inverse, and without row weights", async () => {
    const plain = await hypergradient(risk, { validation, weightDecay: 0.01, rowWeights: false });
    expect(plain.rowWeights).toBeUndefined();
    const damped = await hypergradient(risk, { validation, weightDecay: 0.01, damping: 0.01, rowWeights: false });
    // Twice the strength in the matrix: the same as the damping.
    const twice = await hypergradient(risk, {
      validation,
      weightDecay: 0.01,
      matrix: add(hessian(risk), scale(identity(risk.size), 0.01)),
      rowWeights: false,
    });
    expect(relative(damped.strength, twice.strength)).toBeLessThan(1e-7);
    const lone = await hypergradient(risk, {
      validation,
      weightDecay: new Float64Array(risk.size).fill(0.01),
      rowWeights: false,
    });
    expect(relative(lone.strength, plain.strength)).toBeLessThan(1e-7);
    const inverse = ({ damping }: { readonly damping: number }) => scale(identity(risk.size), 1 / (3 + damping));
    const identityLike = { ...scale(identity(risk.size), 3), inverse };
    const closed = await hypergradient(risk, { validation, weightDecay: 0.5, matrix: identityLike, rowWeights: false });
    const v = await validation.at(risk.theta()).gradient();
    const expected = -Array.from(v).reduce((sum, entry, i) => sum + entry * risk.theta()[i]!, 0) / 3.5;
    expect(relative(closed.strength, expected)).toBeLessThan(1e-12);
    expect(closed.matvecs).toBe(0);
  });
});

test("TIC of the convex model, whose trace with the penalty in the matrix needs no damping", async () => {
  const matrix = add(hessian(risk), scale(identity(risk.size), convex.strength));
  const found = await tic(risk, { seed: 0, matrix, probes: risk.size, solveTolerance: 1e-12 });
  expect(relative(found.negativeLogLikelihood, information.negative_log_likelihood_sum)).toBeLessThan(1e-9);
  expect(relative(found.penalty.value, information.takeuchi_penalty)).toBeLessThan(1e-9);
  expect(relative(found.tic.value, information.tic)).toBeLessThan(1e-9);
});

test("row gradients: those of single rows, and their transpose", async () => {
  const G = await toDense(rowGradients(risk));
  for (const row of [0, 77, 149]) {
    const alone = await (await risk.on(takeRows(risk.data, [row, row + 1]))).gradient();
    const own = Float64Array.from(alone, (_, k) => G.data[row + 150 * k]!);
    expect(difference(own, alone)).toBeLessThan(1e-9);
  }
  const u = Float64Array.from({ length: 150 }, (_, n) => Math.sin(n));
  const product = await rowGradients(risk).adjoint!().matvec(u);
  const expected = Float64Array.from(product, (_, k) =>
    u.reduce((sum, entry, n) => sum + entry * G.data[n + 150 * k]!, 0),
  );
  expect(difference(product, expected)).toBeLessThan(1e-9);
  const mean = await rowGradients(risk).adjoint!().matvec(new Float64Array(150).fill(1 / 150));
  expect(difference(mean, await risk.gradient())).toBeLessThan(1e-9);
});

test("EWC as a penalty in training: the minimum balances both", async () => {
  const earlier = risk.at(risk.theta().map((weight) => weight * 1.1));
  const penalty = ewcPenalty(earlier, { strength: 2 });
  const result = await newtonCg(risk, { penalties: [penalty], tolerance: 1e-9 });
  const [g, pull] = [await risk.at(result.theta).gradient(), await penalty.gradient(result.theta)];
  expect(Math.hypot(...g.map((entry, i) => entry + pull[i]!))).toBeLessThan(1e-7);
  expect(penalty.rows).toBe(150);
});

test("merging is the joint optimum of quadratic tasks, and one model merges to itself", async () => {
  const one = await mergeModels([{ risk }], { damping: 1e-6 });
  expect(difference(one.theta, risk.theta())).toBeLessThan(1e-6);
  const A = Float64Array.from({ length: risk.size }, (_, i) => 1 + (i % 3));
  const other = risk.at(risk.theta().map((weight) => weight + 1));
  const tasks = [
    { risk, matrix: A, weight: 3 },
    { risk: other, matrix: A.map((entry) => 5 - entry) },
  ];
  const merged = await mergeModels(tasks, { damping: 0, tolerance: 1e-12 });
  const expected = risk.theta().map((weight, i) => weight + (5 - A[i]!) / (3 * A[i]! + 5 - A[i]!));
  expect(difference(merged.theta, expected)).toBeLessThan(1e-9);
  const diagonal = await mergeModels(tasks, { method: "diagonal" });
  expect(difference(diagonal.theta, expected)).toBeLessThan(1e-9);
});

test("messages", async () => {
  const small = await smallRisk();
  const plain = await smallRisk({ loss: plainLoss() });
  const cases: readonly (readonly [() => Promise<unknown>, string])[] = [
    [() => tic(plain, { seed: 0 }), "tic expects a loss that is the mean over rows of a negative log-likelihood"],
    [
      () => tic(small, { seed: 0, moment: "third" as never }),
      'tic expects moment to be "second moment" or "covariance", got third',
    ],
    [() => tic(small, { seed: 0, probes: 2 }), "tic cannot solve with its matrix at damping 0"],
    [() => hypergradient(risk, { validation: small }), "hypergradient expects validation to be the same model"],
    [
      () => hypergradient(risk, { validation, weightDecay: new Float64Array(2) }),
      "hypergradient expects weightDecay as a number or as 51 numbers, got 2",
    ],
    [() => mergeModels([]), "mergeModels expects a list of tasks { risk }, got none"],
    [
      () => mergeModels([{ risk }, { risk: small }]),
      "mergeModels expects models of one architecture with the same parameters",
    ],
    [() => mergeModels([{ risk, weight: 0 }]), "mergeModels expects weights to be positive and finite, got 0"],
    [() => mergeModels([{ risk }], { method: "diagonal" }), "mergeModels expects a diagonal for each task with method"],
    [
      () => mergeModels([{ risk }], { method: "sum" as never }),
      'mergeModels expects method "matrix", "diagonal" or "average", got sum',
    ],
    [() => mergeModels([{ risk, matrix: new Float64Array(2) }]), "mergeModels expects matrices of 51 weights, got 2"],
    [
      async () => ewcPenalty(risk, { matrix: new Float64Array(2) }),
      "ewcPenalty expects a diagonal of 51 entries, got 2",
    ],
    [
      async () => ewcPenalty(risk, { matrix: identity(2) }),
      "ewcPenalty expects a matrix of 51 weights, got one of 2 rows",
    ],
    [
      async () => ewcPenalty(risk, { matrix: new Float64Array(51).fill(-1) }),
      "ewcPenalty expects a diagonal of finite numbers, not negative",
    ],
  ];
  for (const [run, message] of cases) expect(await rejectionOf(run())).toContain(message);
});
