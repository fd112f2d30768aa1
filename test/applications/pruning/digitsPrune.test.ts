import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type DenseBlockOperator,
  denseCurvature,
  type PruneOptions,
  prune,
  woodFisher,
} from "../../../src/applications/pruning/index.ts";
import { empiricalFisher, ggn, hessian, type Risk } from "../../../src/index.ts";
import { applicationFixture, digitsRisk, digitsRows, relative } from "../digits.ts";

const fixture = applicationFixture("digits_pruning");
const { one_shot: oneShot, damping, sequential_obs_hessian: sequential } = fixture;

let risk: Risk;
let validation: Risk;
const matrices = new Map<string, DenseBlockOperator>();
beforeAll(async () => {
  risk = await digitsRisk();
  validation = await risk.on(digitsRows("test"));
  const made = { hessian: hessian(risk), ggn: ggn(risk), empirical_fisher: empiricalFisher(risk) };
  for (const [kind, A] of Object.entries(made)) matrices.set(kind, await denseCurvature(A));
  matrices.set("woodfisher", await woodFisher(risk, { blockSize: 50, blocks: "across" }));
});
afterAll(() => risk.dispose());

interface Row {
  readonly removed?: number;
  readonly predicted_increase?: number;
  readonly loss: number;
  readonly test_loss: number;
  readonly accuracy: number;
  readonly test_accuracy: number;
}

async function expectRows(options: PruneOptions, rows: readonly Row[]): Promise<void> {
  for (const [k, sparsity] of (oneShot.fractions as readonly number[]).entries()) {
    const row = rows[k]!;
    const found = await prune(risk, { ...options, sparsity, validation });
    const [step] = found.steps;
    if (row.removed !== undefined) expect(step!.removed).toBe(row.removed);
    expect(relative(found.loss, row.loss)).toBeLessThan(1e-9);
    expect(relative(step!.validationLoss!, row.test_loss)).toBeLessThan(1e-9);
    expect(step!.accuracy).toBeCloseTo(row.accuracy, 12);
    expect(step!.validationAccuracy).toBeCloseTo(row.test_accuracy, 12);
    if (row.predicted_increase !== undefined)
      expect(relative(step!.modelIncrease!, row.predicted_increase)).toBeLessThan(1e-9);
  }
}

const methods = Object.keys(oneShot).filter(
  (name) => typeof oneShot[name] === "object" && !Array.isArray(oneShot[name]),
);

describe("one shot", () => {
  test.each(methods)("%s", async (name) => {
    const { without_compensation: plain, compensated } = oneShot[name];
    const kind = /^(?:obd|obs)_(.*)$/.exec(name)?.[1];
    const method = name === "magnitude" ? "magnitude" : name.startsWith("obd") ? "obd" : "obs";
    const matrix = matrices.get(kind ?? "woodfisher")!;
    const options = { method, matrix, damping: damping[kind ?? "empirical_fisher"] } as const;
    await expectRows({ ...options, compensation: false }, plain);
    if (compensated !== undefined) await expectRows(options, compensated);
  });

  test("covers every method of the fixture", () => {
    expect(methods).toHaveLength(8);
  });
});

test("sequential elimination", async () => {
  const options = {
    matrix: matrices.get("hessian")!,
    damping: damping.hessian,
    tensors: "2.weight",
    sparsity: 40 / 160,
  };
  const found = await prune(risk, { ...options, elimination: "sequential", validation });
  expect([...found.removed]).toEqual(sequential.picked);
  found.costs!.forEach((cost, k) => {
    expect(relative(cost, sequential.cumulative_cost[k])).toBeLessThan(1e-9);
  });
  const [step] = found.steps;
  expect(relative(found.loss, sequential.after_40.loss)).toBeLessThan(1e-9);
  expect(relative(step!.validationLoss!, sequential.after_40.test_loss)).toBeLessThan(1e-9);
  expect(step!.accuracy).toBeCloseTo(sequential.after_40.accuracy, 12);
  expect(step!.validationAccuracy).toBeCloseTo(sequential.after_40.test_accuracy, 12);
});

test("says where prediction and truth part", async () => {
  const found = await prune(risk, { sparsity: 0.9, method: "magnitude", matrix: matrices.get("ggn")! });
  expect(found.steps[0]!.beyondQuadratic).toBe(true);
  expect(found.message).toMatch(
    /^beyond the quadratic region in 1 of 1 steps: in step 1 the loss changed by 1\.90 where the model predicts 0\.\d+; prune in several steps, or less$/,
  );
});
