import { afterAll, beforeAll, expect, test } from "vitest";
import {
  bitPlan,
  measurePlan,
  quantizationSensitivity,
  quantizedWeights,
  uniformPlan,
} from "../../../src/applications/quantization/index.ts";
import { empiricalFisher, ggn, type Risk } from "../../../src/index.ts";
import { diagonal } from "../../../src/structured/index.ts";
import { readFixture } from "../../operators/fixture.ts";
import { sampled } from "../../sampled.ts";
import { applicationFixture, relative } from "../digits.ts";
import { expectPlans, expectSensitivity, type StoredSection } from "./storedSection.ts";

const stored: StoredSection = applicationFixture("quantization").mnist_cnn_bn;
let risk: Risk;
beforeAll(async () => {
  const fixture = await readFixture("mnist_cnn_bn_op13");
  // The tensors of the fixture alone, so that eigenvalues take a third of the time.
  risk = await fixture.open({ caseName: "test64", loss: "cross_entropy", parameters: stored.tensors });
});
afterAll(() => risk.dispose());

const sections = [
  ["ggn", "per_tensor"],
  ["ggn", "per_channel"],
  ["empirical_fisher", "per_channel"],
] as const;

test.each(sampled(sections, 1))(
  "the convolutional network, %s %s: all numbers of the fixture",
  async (kind, grouping) => {
    const matrix = kind === "ggn" ? ggn(risk) : empiricalFisher(risk);
    const exact = await diagonal(risk, { of: kind === "ggn" ? "ggn" : "empiricalFisher" });
    const channels = grouping === "per_tensor" ? "tensor" : "output";
    // Eigenvalues do not depend on the quantizer: once a matrix.
    const eigenvalues = grouping === "per_channel";
    const known = { matrix, diagonal: await exact.diagonal(), eigenvalues };
    const found = await quantizationSensitivity(risk, { ...known, channels, seed: 0 });
    expect(found.tensors.every(({ hawq }) => (hawq !== undefined) === eigenvalues)).toBe(true);
    if (grouping === "per_channel") {
      expect(found.tensors.map(({ axis, reason }) => [axis, reason])).toEqual(
        stored.tensors.map(() => [0, "axis 0: outputs of its layer"]),
      );
    }
    expectSensitivity(found, stored, { kind, grouping });
    expectPlans(found, stored, { kind, grouping });
    if (kind !== "ggn") return;
    for (const plan of stored[grouping].plans[kind]!) {
      const made = bitPlan(found, { budget: { averageBits: plan.average_bits } });
      const { loss } = await measurePlan(risk, { weights: await quantizedWeights(risk, made), matrix });
      expect(relative(loss, plan.loss)).toBeLessThan(1e-9);
    }
    for (const [bits, loss] of Object.entries(stored[grouping].all_tensors_at)) {
      const weights = await quantizedWeights(risk, uniformPlan(found, Number(bits)));
      expect(relative((await measurePlan(risk, { weights, matrix })).loss, loss)).toBeLessThan(1e-9);
    }
  },
);
