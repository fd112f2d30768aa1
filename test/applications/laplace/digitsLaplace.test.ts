import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LaplacePosterior, laplace, logMarginalLikelihood, predict } from "../../../src/applications/laplace/index.ts";
import { arrays, type Data, type Risk } from "../../../src/index.ts";
import { difference } from "../../operators/closeness.ts";
import { applicationFixture, digitsRisk, digitsRows, relative } from "../digits.ts";

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
let chosen: Data;
beforeAll(async () => {
  risk = await digitsRisk();
  chosen = await chosenRows();
});
afterAll(() => risk.dispose());

/** The eight test rows of the fixture, without labels. */
async function chosenRows(): Promise<Data> {
  const positions: readonly number[] = fixture.test.position_in_test;
  const x = new Float64Array(positions.length * 64);
  for await (const { inputs } of digitsRows("test").batches()) {
    const { data } = Object.values(inputs)[0]!;
    positions.forEach((row, k) => {
      x.set((data as Float64Array).subarray(row * 64, (row + 1) * 64), k * 64);
    });
  }
  return arrays({ inputs: { data: x, dims: [positions.length, 64] } });
}

describe.each(Object.entries(APPROXIMATIONS))("digits_laplace.json: %s", (name, options) => {
  const expected = fixture.approximations[name];
  let posterior: LaplacePosterior;
  beforeAll(async () => {
    posterior = await laplace(risk, options);
  });
  afterAll(() => posterior?.dispose());

  test("evidence, determinant and effective parameters", async () => {
    for (const [k, priorPrecision] of fixture.prior_precisions.entries()) {
      const moved = await posterior.withPrior({ priorPrecision });
      const { value, standardError } = await logMarginalLikelihood(moved);
      expect(relative(value, expected.log_marginal_likelihood[k])).toBeLessThan(1e-9);
      expect(standardError).toBe(0);
      expect(relative((await moved.precision.logdet()).value, expected.logdet_posterior_precision[k])).toBeLessThan(1e-9);
      const { value: gamma } = await moved.precision.effectiveParameters();
      expect(relative(gamma, expected.effective_parameters[k])).toBeLessThan(1e-9);
    }
  });

  test.each([0, 1])("predictive %i", async (which) => {
    const own = expected.predictive[which];
    const at = await posterior.withPrior({ priorPrecision: own.prior_precision });
    const probit = await predict(at, chosen, { covariance: true });
    expect(difference(probit.f, fixture.test.logits.flat())).toBeLessThan(1e-9);
    expect(difference(probit.pointProbabilities!, fixture.test.map_probabilities.flat())).toBeLessThan(1e-9);
    expect(difference(probit.variance, own.logit_variance.flat())).toBeLessThan(1e-9);
    if (own.logit_covariance) expect(difference(probit.covariance!, own.logit_covariance.flat(2))).toBeLessThan(1e-9);
    expect(difference(probit.probabilities!, own.probit.flat())).toBeLessThan(1e-9);
    const bridge = await predict(at, chosen, { link: "bridge" });
    expect(difference(bridge.probabilities!, own.bridge.flat())).toBeLessThan(1e-9);
    const normalized = await predict(at, chosen, { link: "bridgeNormalized" });
    expect(difference(normalized.probabilities!, own.bridge_norm.flat())).toBeLessThan(1e-9);
  });
});
