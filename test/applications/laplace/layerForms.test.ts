import { afterAll, beforeAll, expect, test } from "vitest";
import { functionDistributions } from "../../../src/applications/laplace/functionDistribution.ts";
import { laplace } from "../../../src/applications/laplace/index.ts";
import { layerForms } from "../../../src/applications/laplace/layerForms.ts";
import type { Risk } from "../../../src/index.ts";
import { rowJacobians } from "../../../src/structured/rowJacobians.ts";
import { difference } from "../../operators/closeness.ts";
import { digitsRisk, digitsRows } from "../digits.ts";
import { smallRisk } from "../smallRisk.ts";

let risk: Risk;
beforeAll(async () => {
  risk = await digitsRisk();
});
afterAll(() => risk.dispose());

test.each(["kfac", "ekfac"] as const)("%s of all layers gives the covariances of the Jacobians", async (structure) => {
  const posterior = await laplace(risk, {
    structure,
    priorPrecision: { "0.weight": 2, "0.bias": 2, "2.weight": 0.5, "2.bias": 0.5 },
  });
  const moved = await posterior.withPrior({ priorPrecision: 7 });
  const rows = digitsRows("test", { only: [0, 5, 9, 40, 41], batchSize: 3 });
  const group = risk.layout.outputs;
  for (const at of [posterior, moved]) {
    expect(await layerForms(at)).toBeDefined();
    for (const diagonal of [false, true]) {
      const found: number[] = [];
      for await (const batch of functionDistributions(posterior, rows)) {
        found.push(...(await batch.covariances(at, { diagonal })));
      }
      const expected: number[] = [];
      for await (const { J } of rowJacobians(posterior.risk, rows)) {
        expected.push(...(await at.precision.forms(await at.curvature.prepare(J), { group, diagonal })));
      }
      expect(found).toHaveLength(5 * group * (diagonal ? 1 : group));
      expect(difference(Float64Array.from(found), Float64Array.from(expected))).toBeLessThan(1e-9);
    }
  }
  await posterior.dispose();
});

test("other blocks, priors within a block and weights chosen one by one take Jacobians", async () => {
  const small = await smallRisk();
  const whole = await laplace(small, { structure: "full" });
  expect(await layerForms(whole)).toBeUndefined();
  const kfac = await laplace(small, { structure: "kfac" });
  const varied = Float64Array.from({ length: small.size }, (_, i) => 1 + i);
  expect(await layerForms(kfac)).toBeDefined();
  const diagonal = await laplace(small, { structure: "diagonal", priorPrecision: varied });
  expect(await layerForms(diagonal)).toBeUndefined();
  for (const posterior of [whole, kfac, diagonal]) await posterior.dispose();
  await small.dispose();
});
