import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  effectiveParameters,
  ewcPenalty,
  localEffectiveDimension,
  mergeModels,
  tic,
} from "../../../src/applications/information/index.ts";
import { accuracy, empiricalFisher, ggn, type LinearOperator, type Risk, type Vector } from "../../../src/index.ts";
import { hutchinsonDiagonal } from "../../../src/linalg/index.ts";
import { kfac } from "../../../src/structured/index.ts";
import { difference } from "../../operators/closeness.ts";
import { applicationFixture, digitsRisk, digitsRows, relative } from "../digits.ts";

const fixture = applicationFixture("digits_information");
let risk: Risk;
beforeAll(async () => {
  risk = await digitsRisk();
});
afterAll(() => risk.dispose());

interface TakeuchiRow {
  readonly damping: number;
  readonly penalty_empirical_fisher: number;
}

describe("TIC", () => {
  test("sampled, by conjugate gradients alone", async () => {
    const row = fixture.takeuchi.values[1] as TakeuchiRow;
    const found = await tic(risk, {
      seed: 1,
      damping: row.damping,
      matrix: ggn(risk),
      probes: 10,
      solveTolerance: 1e-7,
    });
    expect(Math.abs(found.penalty.value - row.penalty_empirical_fisher)).toBeLessThan(3 * found.penalty.standardError);
    expect(found.solveResidual).toBeLessThan(1e-6);
    expect(found.matvecs).toBeGreaterThan(20);
  });
});

describe("effective numbers", () => {
  test("effective parameters, exact and sampled", async () => {
    for (const { alpha, effective_parameters: expected } of fixture.effective_parameters.values) {
      const sampled = await effectiveParameters(risk, { alpha, seed: 2, probes: 5, steps: 60 });
      expect(Math.abs(sampled.value - expected)).toBeLessThan(
        3 * sampled.standardError + sampled.upper - sampled.lower,
      );
      expect(sampled.standardError).toBeLessThan(0.1 * expected);
    }
  });

  test("local effective dimension", async () => {
    const { kappa, value } = fixture.local_effective_dimension;
    const found = await localEffectiveDimension(risk, { seed: 3, probes: 8, steps: 60 });
    expect(relative(found.kappa, kappa)).toBeLessThan(1e-9);
    expect(Math.abs(found.value - value)).toBeLessThan(3 * found.standardError);
    expect(found.standardError).toBeLessThan(0.1 * value);
  });
});

/** v of the fixtures: cos(0.37 i + 0.1); w: sin(0.73 i + 0.2). */
const v = Float64Array.from({ length: 1210 }, (_, i) => Math.cos(0.37 * i + 0.1));

interface Summary {
  readonly norm: number;
  readonly dot_v: number;
  readonly first20: readonly number[];
  readonly last20: readonly number[];
}

function expectSummary(x: Vector, { norm, dot_v: dotV, first20, last20 }: Summary): void {
  expect(relative(Math.hypot(...x), norm)).toBeLessThan(1e-9);
  expect(
    relative(
      Array.from(x).reduce((sum, entry, i) => sum + entry * v[i]!, 0),
      dotV,
    ),
  ).toBeLessThan(1e-9);
  const largest = Math.max(...Array.from(x, Math.abs));
  for (const [i, entry] of first20.entries()) expect(Math.abs(x[i]! - entry)).toBeLessThan(1e-9 * largest);
  for (const [i, entry] of last20.entries())
    expect(Math.abs(x[x.length - 20 + i]! - entry)).toBeLessThan(1e-9 * largest);
}

test("EWC penalties and gradients: full, KFAC, diagonal", async () => {
  const { penalties, gradients } = fixture.ewc;
  const theta = risk.theta().map((weight, i) => weight + 0.01 * v[i]!);
  const diagonalOf = async (A: LinearOperator) => (await hutchinsonDiagonal(A, { matvecs: risk.size, seed: 0 })).values;
  const cases = [
    { penalty: ewcPenalty(risk), value: penalties.fisher_full, gradient: gradients.fisher_full },
    {
      penalty: ewcPenalty(risk, { matrix: await diagonalOf(ggn(risk)) }),
      value: penalties.fisher_diagonal,
      gradient: gradients.fisher_diagonal,
    },
    {
      penalty: ewcPenalty(risk, { matrix: await kfac(risk) }),
      value: penalties.fisher_kfac,
      gradient: gradients.fisher_kfac,
    },
    { penalty: ewcPenalty(risk, { matrix: empiricalFisher(risk) }), value: penalties.empirical_fisher_full },
    {
      penalty: ewcPenalty(risk, { matrix: await diagonalOf(empiricalFisher(risk)) }),
      value: penalties.empirical_fisher_diagonal,
    },
  ];
  for (const { penalty, value, gradient } of cases) {
    expect(relative(await penalty.value(theta), value)).toBeLessThan(1e-9);
    if (gradient !== undefined) expectSummary(await penalty.gradient(theta), gradient);
    expect(await penalty.value(risk.theta())).toBe(0);
  }
  const moved = risk.at(theta);
  const g = await risk.gradient();
  expect(Math.abs((await moved.loss()) - (await risk.loss()) - fixture.ewc.actual_change_of_loss)).toBeLessThan(1e-12);
  const first = Array.from(g).reduce((sum, entry, i) => sum + 0.01 * v[i]! * entry, 0);
  expect(relative(first, fixture.ewc.first_order_term)).toBeLessThan(1e-9);
});

test("merging two copies: average, diagonal, KFAC, full", async () => {
  const { merging } = fixture;
  const rows = [true, false].map((low) =>
    digitsRows((labels) => labels.flatMap((label, row) => (label < 5 === low ? [row] : [])).slice(0, 300)),
  );
  const parts = await Promise.all(rows.map((data) => risk.on(data)));
  const copies = parts.map((part, t) => part.at(Float64Array.from(merging.weights[t])));
  const diagonals = await Promise.all(
    copies.map(async (copy) => (await hutchinsonDiagonal(ggn(copy), { matvecs: risk.size, seed: 0 })).values),
  );
  const tasks = copies.map((copy) => ({ risk: copy }));
  const found = {
    average: await mergeModels(tasks, { method: "average" }),
    diagonal: await mergeModels(
      tasks.map((task, i) => ({ ...task, matrix: diagonals[i]! })),
      { method: "diagonal", floor: merging.floor },
    ),
    kfac: await mergeModels(
      await Promise.all(tasks.map(async (task) => ({ ...task, matrix: await kfac(task.risk) }))),
      { damping: merging.damping, tolerance: 1e-13, matvecs: 5000 },
    ),
    full: await mergeModels(tasks, { damping: merging.damping, tolerance: 1e-13, matvecs: 5000 }),
  };
  const test360 = await risk.on(digitsRows("test"));
  for (const [name, result] of Object.entries(found)) {
    const expected = merging.merged[name];
    if (expected.values !== undefined) expect(difference(result.theta, expected.values)).toBeLessThan(1e-9);
    expectSummary(result.theta, expected.weights);
    result.tasks.forEach(({ merged, own }, t) => {
      expect(relative(merged, expected.task_losses[t])).toBeLessThan(1e-9);
      expect(relative(own, merging.of_the_copies[t].task_losses[t])).toBeLessThan(1e-9);
    });
    const at = test360.at(result.theta);
    expect(relative(await at.loss(), expected.test_loss)).toBeLessThan(1e-9);
    expect(await accuracy(at)).toBeCloseTo(expected.test_accuracy, 12);
  }
});
