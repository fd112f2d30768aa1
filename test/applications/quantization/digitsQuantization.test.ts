import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  bitPlan,
  measurePlan,
  type QuantizationSensitivity,
  quantizationSensitivity,
  quantizedWeights,
  uniformPlan,
} from "../../../src/applications/quantization/index.ts";
import { empiricalFisher, ggn, hessian, type LinearOperator, type Risk } from "../../../src/index.ts";
import { diagonal } from "../../../src/structured/index.ts";
import { applicationFixture, digitsRisk, relative } from "../digits.ts";
import { expectPlans, expectSensitivity, type StoredSection } from "./storedSection.ts";

const { bits, digits_mlp: stored } = applicationFixture("quantization") as {
  readonly bits: readonly number[];
  readonly digits_mlp: StoredSection;
};
let risk: Risk;
beforeAll(async () => {
  risk = await digitsRisk();
});
afterAll(() => risk.dispose());

/** The axes of "output" are those of the fixture: axis 0 of both matrices. */
const CHANNELS = { per_tensor: "tensor", per_channel: "output" } as const;

describe.each(["per_tensor", "per_channel"] as const)("the digits network, %s", (grouping) => {
  const channels = CHANNELS[grouping];

  test.each(["hessian", "ggn", "empirical_fisher"] as const)("%s: all numbers of the fixture", async (kind) => {
    const matrices: { readonly [kind: string]: () => LinearOperator } = {
      hessian: () => hessian(risk),
      ggn: () => ggn(risk),
      empirical_fisher: () => empiricalFisher(risk),
    };
    const matrix = matrices[kind]!();
    // The Hessian's trace from all unit vectors, the others from exact diagonals.
    const known =
      kind === "hessian"
        ? { matvecs: risk.size }
        : { diagonal: await (await diagonal(risk, { of: kind === "ggn" ? "ggn" : "empiricalFisher" })).diagonal() };
    const found = await quantizationSensitivity(risk, { matrix, ...known, tensors: "*", bits, channels, seed: 0 });
    expect(found.tensors.every(({ largestEigenvalue }) => largestEigenvalue !== undefined)).toBe(true);
    expectSensitivity(found, stored, { kind, grouping });
    expectPlans(found, stored, { kind, grouping });
    for (const plan of stored[grouping].plans[kind]!) {
      const made = bitPlan(found, { budget: { averageBits: plan.average_bits }, resamples: 0 });
      const { loss } = await measurePlan(risk, { weights: await quantizedWeights(risk, made), matrix });
      expect(relative(loss, plan.loss)).toBeLessThan(1e-9);
    }
  });

  test("all tensors at the same bits", async () => {
    const found = await sampled(channels);
    for (const [each, loss] of Object.entries(stored[grouping].all_tensors_at)) {
      const weights = await quantizedWeights(risk, uniformPlan(found, Number(each)));
      expect(relative((await measurePlan(risk, { weights })).loss, loss)).toBeLessThan(1e-9);
    }
  });
});

function sampled(channels: "tensor" | "output"): Promise<QuantizationSensitivity> {
  return quantizationSensitivity(risk, { tensors: "*", bits, channels, seed: 3, matvecs: 60, eigenvalues: false });
}

test("estimated traces lie within three standard errors, and say so", async () => {
  const found = await sampled("tensor");
  found.tensors.forEach(({ trace, choices, size }, i) => {
    expect(trace.standardError).toBeGreaterThan(0);
    expect(Math.abs(trace.value - stored.trace.ggn![i]!)).toBeLessThan(3 * trace.standardError);
    for (const { omega, squaredError } of choices) {
      expect(omega.standardError).toBeCloseTo((trace.standardError * squaredError) / size, 12);
    }
  });
  expect(found.matvecs).toBe(60 + 4 * 3);
  expect(found.losses).toBe(13);
});
