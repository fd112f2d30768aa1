import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { calibration, type LaplacePosterior, laplace, predict } from "../../../src/applications/laplace/index.ts";
import type { Data, Risk } from "../../../src/index.ts";
import { sampled } from "../../sampled.ts";
import { digitsRisk, digitsRows, relative } from "../digits.ts";
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

const structures = [
  ["all_kron", "kfac"],
  ["all_full", "full"],
  ["all_diag", "diagonal"],
] as const;

test.each(sampled(structures, 1))("sampled networks: %s", async (name, structure) => {
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
