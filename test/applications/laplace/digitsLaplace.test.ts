import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type LaplacePosterior,
  laplace,
  logMarginalLikelihood,
  optimizePrior,
  predict,
} from "../../../src/applications/laplace/index.ts";
import type { Data, Risk } from "../../../src/index.ts";
import { difference } from "../../operators/closeness.ts";
import { sampled } from "../../sampled.ts";
import { digitsRisk, relative } from "../digits.ts";
import { APPROXIMATIONS, chosenRows, fixture } from "./digitsPosteriors.ts";

let risk: Risk;
let chosen: Data;
beforeAll(async () => {
  risk = await digitsRisk();
  chosen = await chosenRows();
});
afterAll(() => risk.dispose());

describe.each(sampled(Object.entries(APPROXIMATIONS), 3))("digits_laplace.json: %s", (name, options) => {
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
      expect(relative((await moved.precision.logdet()).value, expected.logdet_posterior_precision[k])).toBeLessThan(
        1e-9,
      );
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

  test("optimal prior precision, one and one for each tensor", async () => {
    const scalar = await optimizePrior(posterior);
    expect(relative(scalar.priorPrecision as number, expected.optimal_prior_precision)).toBeLessThan(1e-9);
    expect(relative(scalar.evidence.value, expected.log_marginal_likelihood_at_optimum)).toBeLessThan(1e-9);
    expect(relative(scalar.effectiveParameters, expected.effective_parameters_at_optimum)).toBeLessThan(1e-9);
    expect(scalar.slope).toBeLessThan(1e-8);
    if (expected.optimal_prior_precision_per_tensor === undefined) return;
    const tensors = await optimizePrior(posterior, { by: "tensor" });
    const found = Object.values(tensors.priorPrecision as { readonly [name: string]: number });
    found.forEach((precision, index) => {
      expect(relative(precision, expected.optimal_prior_precision_per_tensor[index])).toBeLessThan(1e-8);
    });
    expect(relative(tensors.evidence.value, expected.log_marginal_likelihood_per_tensor)).toBeLessThan(1e-9);
    expect(tensors.slope).toBeLessThan(1e-7);
  });
});

test("temperature divides the likelihood alone", async () => {
  const { temperature, log_marginal_likelihood, logit_variance_at_prior_precision_1 } = fixture.temperature;
  const posterior = await laplace(risk, { structure: "full", temperature });
  for (const [k, priorPrecision] of fixture.prior_precisions.entries()) {
    const { value } = await logMarginalLikelihood(await posterior.withPrior({ priorPrecision }));
    expect(relative(value, log_marginal_likelihood[k])).toBeLessThan(1e-9);
  }
  const { variance } = await predict(posterior, chosen);
  expect(difference(variance, logit_variance_at_prior_precision_1.flat())).toBeLessThan(1e-9);
  await posterior.dispose();
});
