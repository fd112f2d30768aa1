import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { laplace, logMarginalLikelihood } from "../../../src/applications/laplace/index.ts";
import type { Risk } from "../../../src/index.ts";
import { applicationFixture, digitsRisk, relative } from "../digits.ts";

const fixture = applicationFixture("digits_laplace");

const APPROXIMATIONS = {
  all_full: { structure: "full" },
  all_kron: { structure: "kfac" },
  all_diag: { structure: "diagonal" },
  last_layer_full: { structure: "full", weights: "lastLayer" },
  last_layer_kron: { structure: "kfac", weights: "lastLayer" },
  last_layer_diag: { structure: "diagonal", weights: "lastLayer" },
  all_full_empirical_fisher: { structure: "full", of: "empiricalFisher" },
  all_diag_empirical_fisher: { structure: "diagonal", of: "empiricalFisher" },
} as const;

let risk: Risk;
beforeAll(async () => {
  risk = await digitsRisk();
});
afterAll(() => risk.dispose());

describe.each(Object.entries(APPROXIMATIONS))("digits_laplace.json: %s", (name, options) => {
  const expected = fixture.approximations[name];
  test("evidence", async () => {
    const begin = performance.now();
    const posterior = await laplace(risk, options);
    console.log(name, performance.now() - begin, posterior.stationarity, posterior.warnings);
    for (const [k, priorPrecision] of fixture.prior_precisions.entries()) {
      const moved = await posterior.withPrior({ priorPrecision });
      expect(relative((await logMarginalLikelihood(moved)).value, expected.log_marginal_likelihood[k])).toBeLessThan(1e-9);
      expect(relative((await moved.precision.effectiveParameters()).value, expected.effective_parameters[k])).toBeLessThan(1e-9);
    }
    console.log(name, performance.now() - begin);
    await posterior.dispose();
  });
});
