import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  calibration,
  type LaplacePosterior,
  laplace,
  logMarginalLikelihood,
  optimizePrior,
  predict,
} from "../../../src/applications/laplace/index.ts";
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

  test("scores on all test rows, before and after", async () => {
    const test = digitsRows("test");
    for (const [at, own] of Object.entries(expected.all_test_rows_probit)) {
      const priorPrecision = at === "prior_precision_1" ? 1 : expected.optimal_prior_precision;
      const { before, after } = await calibration(await posterior.withPrior({ priorPrecision }), test);
      for (const [found, known] of [
        [before, fixture.test.all_rows_map],
        [after, own],
      ] as const) {
        expect(relative(found.negativeLogLikelihood.value, known.negative_log_likelihood)).toBeLessThan(1e-9);
        expect(relative(found.classes!.accuracy, known.accuracy)).toBeLessThan(1e-9);
        const error = found.classes!.expectedCalibrationError;
        expect(relative(error, known.expected_calibration_error_15_bins)).toBeLessThan(1e-9);
      }
    }
  });

  test("Monte Carlo over outputs agrees with the stored means", async () => {
    const own = expected.predictive[0];
    for (const [link, known] of [
      ["monteCarlo", own.monte_carlo],
      ["monteCarloDiagonal", own.monte_carlo_diagonal],
    ] as const) {
      const { probabilities, standardErrors } = await predict(posterior, chosen, { link, samples: 4000, seed: 1 });
      const [means, errors] = [known.mean.flat(), known.standard_error.flat()];
      probabilities!.forEach((p, k) => {
        expect(Math.abs(p - means[k])).toBeLessThan(5 * Math.hypot(standardErrors![k]!, errors[k]) + 1e-12);
      });
      // The errors are those of so many samples: sqrt(200000 / 4000) times the stored ones.
      const ratio = standardErrors!.reduce((a, b) => a + b) / errors.reduce((a: number, b: number) => a + b);
      expect(ratio).toBeGreaterThan(0.9 * Math.sqrt(50));
      expect(ratio).toBeLessThan(1.1 * Math.sqrt(50));
    }
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

test.each([
  ["all_full", "full"],
  ["all_kron", "kfac"],
  ["all_diag", "diagonal"],
] as const)("sampled networks: %s", async (name, structure) => {
  const { prior_precision: priorPrecision, mean, standard_error } = fixture.sampled_network_predictive[name];
  const posterior = await laplace(risk, { structure, priorPrecision });
  const { probabilities, standardErrors } = await predict(posterior, chosen, {
    link: "network",
    samples: 300,
    seed: 2,
  });
  const [means, errors] = [mean.flat(), standard_error.flat()];
  probabilities!.forEach((p, k) => {
    // The error of 300 samples by that of the stored 20,000: own errors of rare classes rest on the few samples that have them.
    expect(Math.abs(p - means[k])).toBeLessThan(5 * errors[k] * Math.sqrt(1 + 20000 / 300) + 1e-12);
  });
  const [own, stored] = [standardErrors!, errors].map((all) => all.reduce((a: number, b: number) => a + b));
  expect(own / stored).toBeGreaterThan(0.8 * Math.sqrt(20000 / 300));
  expect(own / stored).toBeLessThan(1.2 * Math.sqrt(20000 / 300));
  await posterior.dispose();
});
