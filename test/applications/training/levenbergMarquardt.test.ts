import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { levenbergMarquardt } from "../../../src/applications/training/index.ts";
import { arrays, empiricalRisk, loadModel, meanSquaredError } from "../../../src/index.ts";
import { difference } from "../../operators/closeness.ts";
import { applicationFile, applicationFixture, relative } from "../digits.ts";

const fixture = applicationFixture("digits_information").levenberg_marquardt;

interface FixtureStep {
  readonly objective: number;
  readonly gradient_norm: number;
  readonly damping: number;
  readonly predicted_change: number;
  readonly actual_change: number;
  readonly ratio: number;
  readonly step_norm: number;
  readonly accepted: boolean;
}

/** The regression network at the start of the run of digits_information.json. */
async function regressionRisk() {
  const table = readFileSync(applicationFile("regression_train.csv"), "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.split(",").map(Number));
  const part = (from: number, to: number) => ({
    data: Float64Array.from(table.flatMap((row) => row.slice(from, to))),
    dims: [table.length, to - from],
  });
  const model = await loadModel(applicationFile("regression_mlp.onnx"));
  const data = arrays({ inputs: part(0, 2), targets: part(2, 4) });
  const risk = await empiricalRisk({ model, loss: meanSquaredError(), data, dtype: "float64", threads: 1 });
  return risk.at(Float64Array.from(fixture.start));
}

test("the run of digits_information.json, rejections included", async () => {
  const risk = await regressionRisk();
  const result = await levenbergMarquardt(risk, {
    steps: 20,
    weightDecay: 1e-3,
    damping: 1e-4,
    increase: 4,
    solveTolerance: 1e-13,
    solveMatvecs: 2000,
  });
  const rows: readonly FixtureStep[] = fixture.steps;
  expect(result.steps.map(({ accepted }) => accepted)).toEqual(rows.map(({ accepted }) => accepted));
  expect(rows.some(({ accepted }) => !accepted)).toBe(true);
  result.steps.forEach((step, i) => {
    const row = rows[i]!;
    expect(relative(step.objective, row.objective)).toBeLessThan(1e-9);
    // Near the minimum the gradient is a small sum of parts as large as at the start.
    expect(Math.abs(step.gradientNorm - row.gradient_norm)).toBeLessThan(1e-9 * rows[0]!.gradient_norm);
    expect(relative(step.damping!, row.damping)).toBeLessThan(1e-12);
    // Changes are differences of objectives, so they are as accurate as these.
    const accuracy = 1e-9 * row.objective;
    expect(Math.abs(step.predictedChange! - row.predicted_change)).toBeLessThan(accuracy);
    expect(Math.abs(step.actualChange! - row.actual_change)).toBeLessThan(accuracy);
    expect(Math.abs(step.ratio! - row.ratio)).toBeLessThan((2 * accuracy) / Math.abs(row.predicted_change));
    expect(relative(step.stepNorm, row.step_norm)).toBeLessThan(1e-8);
  });
  expect(relative(result.objective, fixture.final_objective)).toBeLessThan(1e-9);
  expect(difference(result.theta, fixture.final_weights)).toBeLessThan(1e-8);
  expect(result).toMatchObject({ stopped: "steps", status: "budget" });
});
