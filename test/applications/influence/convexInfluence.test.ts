import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  groupInfluence,
  influence,
  leaveOneOut,
  linearDatamodelingScore,
  selfInfluence,
} from "../../../src/applications/influence/index.ts";
import { newtonCg } from "../../../src/applications/training/index.ts";
import { arrays, hessian, type Risk, rowGradients } from "../../../src/index.ts";
import { cholesky, choleskySolve, identity, toDense } from "../../../src/linalg/index.ts";
import { difference } from "../../operators/closeness.ts";
import { applicationFixture, relative } from "../digits.ts";
import { convexRisk, convexRows } from "./convex.ts";

const fixture = applicationFixture("convex_influence");
const weightDecay: number = fixture.strength;

let stored: Risk;
let queries: Risk;
let minimum: Risk;
beforeAll(async () => {
  stored = await convexRisk();
  queries = await stored.on(convexRows("test", { only: fixture.test_positions }));
  minimum = stored.at(Float64Array.from(fixture.optimum_float64));
});
afterAll(() => stored.dispose());

const exact = { damping: 0, weightDecay, solver: { method: "cg", tolerance: 1e-13 } } as const;

describe("convex_influence.json", () => {
  test("pairwise and self-influence with the Hessian and the penalty", async () => {
    const found = await influence(stored, queries, { ...exact, matrix: hessian(stored) });
    found.queries.forEach(({ scores, removalEffects }, t) => {
      expect(difference(scores!, fixture.influence.pairwise[t])).toBeLessThan(1e-9);
      expect(difference(removalEffects!, fixture.leave_one_out.first_order_estimate[t])).toBeLessThan(1e-9);
    });
    expect(found.status).toBe("converged");
    expect(found.warnings).toEqual([]);
    expect(relative(found.gradientNorm, fixture.gradient_norm_at_stored)).toBeLessThan(1e-6);
    const own = await selfInfluence(stored, { damping: 0, weightDecay, matrix: hessian(stored) });
    expect(difference(own.scores, fixture.influence.self)).toBeLessThan(1e-9);
    expect(difference(own.losses, fixture.influence.training_loss)).toBeLessThan(1e-9);
    expect(own.ranking.slice(0, 10)).toEqual(fixture.influence.ten_largest_self_influence);
    expect(own.solver).toEqual({ method: "dense", why: "150 systems of only 51 weights" });
  });

  test("leave-one-out by retraining, for the rows whose weights are stored", async () => {
    const {
      chosen_rows: rows,
      change_of_parameters_chosen: shifts,
      change_of_test_loss: truth,
    } = fixture.leave_one_out;
    const found = await leaveOneOut(minimum, rows, { queries, weightDecay });
    found.removals.forEach(({ changes, shift, gradientNorm }, i) => {
      expect(difference(shift, shifts[i])).toBeLessThan(1e-9);
      const expected = truth.map((row: readonly number[]) => row[rows[i]]);
      expect(difference(changes, expected)).toBeLessThan(1e-9);
      expect(gradientNorm).toBeLessThan(1e-12);
    });
  });

  test("leave-one-out of all rows by a Newton step and to first order", async () => {
    const all = Array.from({ length: 150 }, (_, row) => row);
    const newton = await leaveOneOut(stored, all, { queries, weightDecay, method: "newton", tolerance: 1e-12 });
    const { newton_step_estimate: steps, change_of_test_loss: truth } = fixture.leave_one_out;
    for (const [t, row] of steps.entries()) {
      const own = Float64Array.from(newton.removals, ({ changes }) => changes[t]!);
      expect(difference(own, row)).toBeLessThan(1e-9);
    }
    const flat = (removals: typeof newton.removals) =>
      truth.flatMap((_: unknown, t: number) => removals.map(({ changes }) => changes[t]!)) as number[];
    const error = (estimate: readonly number[]) => {
      const expected: readonly number[] = truth.flat();
      return Math.hypot(...estimate.map((x, i) => x - expected[i]!)) / Math.hypot(...expected);
    };
    expect(relative(error(flat(newton.removals)), fixture.leave_one_out.relative_error_newton)).toBeLessThan(1e-6);
    const first = await influence(stored, queries, { ...exact, matrix: hessian(stored) });
    const estimate = first.queries.flatMap(({ removalEffects }) => [...removalEffects!]);
    expect(relative(error(estimate), fixture.leave_one_out.relative_error_first_order)).toBeLessThan(1e-6);
    // The step without the row's own curvature leaves out more than its linearization in the query.
    const linear = await leaveOneOut(stored, [3], { queries, weightDecay, method: "firstOrder", tolerance: 1e-12 });
    const solved = await inverseTimes(
      stored,
      (await rowGradients(stored).adjoint!().matvec(unit(150, 3))) as Float64Array,
    );
    expect(
      difference(
        linear.removals[0]!.shift,
        solved.map((entry) => entry / 150),
      ),
    ).toBeLessThan(1e-9);
  });

  test("linear datamodeling score on the stored subsets, with the Hessian and with the identity", async () => {
    const { subsets, test_losses: outcomes, score, mean } = fixture.linear_datamodeling_score;
    const { queries: own } = await influence(minimum, queries, { ...exact, matrix: hessian(minimum) });
    const options = { subsets, weightDecay } as const;
    const found = await linearDatamodelingScore(minimum, queries, {
      ...options,
      scores: own.map(({ scores }) => scores!),
    });
    for (const [s, row] of found.outcomes.entries()) expect(difference(row, outcomes[s])).toBeLessThan(1e-9);
    expect(difference(Float64Array.from(found.scores as number[]), score)).toBeLessThan(1e-9);
    expect(relative(found.mean, mean)).toBeLessThan(1e-9);
    expect(found.interval.low).toBeLessThan(found.mean);
    expect(found.interval.high).toBeGreaterThan(found.mean);
    expect(found.interval.high).toBeLessThan(1);
    const plain = await influence(minimum, queries, { damping: 0, matrix: identity(51) });
    const worse = await linearDatamodelingScore(minimum, queries, {
      ...options,
      outcomes: found.outcomes,
      scores: plain.queries.map(({ scores }) => scores!),
    });
    expect(
      relative(worse.mean, fixture.linear_datamodeling_score.mean_with_identity_in_place_of_the_hessian),
    ).toBeLessThan(1e-9);
    expect(worse.gradientNorm).toBeUndefined();
    expect(found.gradientNorm).toBeLessThan(1e-9);
  });

  test("groups: sums to first order, and a Newton step nearer to retraining", async () => {
    const group = [2, 5, 8, 11, 14, 20, 31, 40];
    const result = await influence(minimum, queries, { ...exact, matrix: hessian(minimum) });
    const [first] = groupInfluence(result, [group, [7]]);
    const sum = group.reduce((total, row) => total + result.queries[0]!.scores![row]!, 0);
    expect(first!.scores[0]).toBeCloseTo(sum, 12);
    expect(first!.removalEffects[1]).toBe(result.queries[0]!.scores![7]! / 150);
    const truth = await leaveOneOut(minimum, [group], { queries, weightDecay });
    const newton = await leaveOneOut(minimum, [group], { queries, weightDecay, method: "newton" });
    const error = (estimate: ArrayLike<number>) => difference(Float64Array.from(estimate), truth.removals[0]!.changes);
    const sums = groupInfluence(result, [group]).map(({ removalEffects }) => removalEffects[0]!);
    expect(error(newton.removals[0]!.changes)).toBeLessThan(0.3 * error(sums));
  });
});

test("second routes: finite differences of a row's weight in the re-optimised model, and a dense solution", async () => {
  const { queries: found } = await influence(minimum, queries, { ...exact, matrix: hessian(minimum) });
  const row = 7;
  const table = convexRows("train");
  const at = async (weight: number) => {
    let inputs: unknown;
    let targets: unknown;
    for await (const batch of convexRows("train", { batchSize: 150 }).batches()) {
      inputs = batch.inputs[""];
      targets = batch.targets;
    }
    const weights = new Float64Array(table.rows).fill(1);
    weights[row] = weight;
    const data = arrays({ inputs: inputs as never, targets: targets as never, weights });
    const weighted = await minimum.on(data, { shard: minimum.shard });
    const { theta } = await newtonCg(weighted, { weightDecay, tolerance: 1e-6, steps: 50 });
    const values = await leaveOneOut(minimum.at(theta), [], { queries, weightDecay });
    await weighted.dispose();
    return values.values;
  };
  const step = 1e-2;
  const [up, down] = [await at(1 + step), await at(1 - step)];
  // Upweighting is minus removing: d value / d w = -score / N.
  found.forEach(({ removalEffects }, t) => {
    const slope = (up[t]! - down[t]!) / (2 * step);
    expect(Math.abs(slope + removalEffects![row]!)).toBeLessThan(1e-4 * Math.abs(slope) + 1e-8);
  });
  const G = await toDense(rowGradients(minimum));
  const gt = await toDense(rowGradients(queries.at(minimum.theta())));
  const t = 2;
  const b = Float64Array.from({ length: 51 }, (_, k) => gt.data[t + 5 * k]!);
  const x = await inverseTimes(minimum, b);
  const expected = Float64Array.from({ length: 150 }, (_, n) =>
    x.reduce((sum, xk, k) => sum + xk * G.data[n + 150 * k]!, 0),
  );
  expect(difference(found[t]!.scores!, expected)).toBeLessThan(1e-9);
});

function unit(length: number, at: number): Float64Array {
  const vector = new Float64Array(length);
  vector[at] = 1;
  return vector;
}

/** `(H + w I)^-1 b` by Cholesky. */
async function inverseTimes(risk: Risk, b: Float64Array): Promise<Float64Array> {
  const H = await toDense(hessian(risk));
  const data = Float64Array.from(H.data, (entry, i) => entry + (i % (H.rows + 1) === 0 ? weightDecay : 0));
  const L = await cholesky({ ...H, data });
  return (await choleskySolve(L, { rows: b.length, columns: 1, data: b })).data as Float64Array;
}
