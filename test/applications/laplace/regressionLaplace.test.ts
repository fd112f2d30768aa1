import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  jointCovariance,
  type LaplacePosterior,
  laplace,
  logMarginalLikelihood,
  optimizePrior,
  predict,
} from "../../../src/applications/laplace/index.ts";
import { arrays, type Data, empiricalRisk, loadModel, meanSquaredError, type Risk } from "../../../src/index.ts";
import { difference } from "../../operators/closeness.ts";
import { applicationFile, applicationFixture, relative } from "../digits.ts";

const fixture = applicationFixture("regression_laplace");

const APPROXIMATIONS = {
  all_full: { structure: "full" },
  all_kron: { structure: "kfac" },
  all_diag: { structure: "diagonal" },
  last_layer_full: { structure: "full", weights: "lastLayer" },
  last_layer_kron: { structure: "kfac", weights: "lastLayer" },
  last_layer_diag: { structure: "diagonal", weights: "lastLayer" },
  subnetwork_full: { structure: "full", weights: { indices: fixture.subnetwork_indices } },
} as const;

function table(name: string): readonly (readonly number[])[] {
  const [, ...lines] = readFileSync(applicationFile(name), "utf8").trim().split("\n");
  return lines.map((line) => line.split(",").map(Number));
}

function rowsOf(name: string, { targets = true } = {}): Data {
  const rows = table(name);
  const part = (from: number) => Float64Array.from(rows.flatMap((row) => row.slice(from, from + 2)));
  const dims = [rows.length, 2];
  return arrays({ inputs: { data: part(0), dims }, ...(targets && { targets: { data: part(2), dims } }) });
}

let risk: Risk;
let inputs: Data;
beforeAll(async () => {
  const model = await loadModel(applicationFile("regression_mlp.onnx"));
  const data = rowsOf("regression_train.csv");
  risk = await empiricalRisk({ model, loss: meanSquaredError(), data, dtype: "float64", threads: 1 });
  inputs = rowsOf("regression_test.csv", { targets: false });
});
afterAll(() => risk.dispose());

describe.each(Object.entries(APPROXIMATIONS))("regression_laplace.json: %s", (name, options) => {
  const expected = fixture.approximations[name];
  let posterior: LaplacePosterior;
  beforeAll(async () => {
    posterior = await laplace(risk, options);
  });
  afterAll(() => posterior?.dispose());

  test("evidence", async () => {
    for (const [k, [priorPrecision, sigmaNoise]] of fixture.delta_sigma_pairs.entries()) {
      const at = await posterior.withPrior({ priorPrecision, sigmaNoise });
      const { value } = await logMarginalLikelihood(at);
      expect(relative(value, expected.log_marginal_likelihood[k])).toBeLessThan(1e-9);
      expect(relative((await at.precision.logdet()).value, expected.logdet_posterior_precision[k])).toBeLessThan(1e-9);
    }
  });

  test("optimum of prior and noise", async () => {
    const found = await optimizePrior(posterior);
    const { optimum } = expected;
    expect(relative(found.priorPrecision as number, optimum.prior_precision)).toBeLessThan(1e-9);
    expect(relative(found.sigmaNoise, optimum.sigma_noise)).toBeLessThan(1e-9);
    expect(relative(found.evidence.value, optimum.log_marginal_likelihood)).toBeLessThan(1e-9);
    expect(relative(found.effectiveParameters, optimum.effective_parameters)).toBeLessThan(1e-9);
    expect(found.slope).toBeLessThan(1e-8);
  });

  test.each([0, 1])("predictive %i, with and without noise", async (which) => {
    const own = expected.predictive[which];
    const at = await posterior.withPrior({ priorPrecision: own.prior_precision, sigmaNoise: own.sigma_noise });
    const { covariance, values } = await predict(at, inputs, { covariance: true });
    expect(difference(covariance!, own.function_covariance.flat(2))).toBeLessThan(1e-9);
    expect(difference(values!.mean, fixture.test_mean.flat())).toBeLessThan(1e-9);
    const diagonal: number[] = own.function_covariance.flatMap((rows: number[][]) => rows.map((row, c) => row[c]!));
    expect(difference(values!.functionVariance, diagonal)).toBeLessThan(1e-9);
    expect(
      difference(
        values!.variance,
        diagonal.map((x) => x + own.sigma_noise ** 2),
      ),
    ).toBeLessThan(1e-9);
  });
});

test("joint covariance, and function space as the same posterior by another route", async () => {
  const { values, prior_precision: priorPrecision, sigma_noise: sigmaNoise } = fixture.joint_function_covariance_full;
  const full = await laplace(risk, { structure: "full", priorPrecision, sigmaNoise });
  const kernel = await laplace(risk, { structure: "functionSpace", priorPrecision, sigmaNoise });
  for (const posterior of [full, kernel]) {
    expect(difference((await jointCovariance(posterior, inputs)).data, values.flat())).toBeLessThan(1e-9);
    const { value } = await logMarginalLikelihood(posterior);
    expect(relative(value, fixture.approximations.all_full.log_marginal_likelihood[2])).toBeLessThan(1e-9);
    const { optimum } = fixture.approximations.all_full;
    const best = await optimizePrior(posterior);
    expect(relative(best.priorPrecision as number, optimum.prior_precision)).toBeLessThan(1e-9);
    await posterior.dispose();
  }
});
