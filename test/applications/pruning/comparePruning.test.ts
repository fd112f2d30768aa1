import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type ComparePruningOptions,
  type ComparisonState,
  comparePruning,
  comparePruningSteps,
  prune,
} from "../../../src/applications/pruning/index.ts";
import { CurvatureError, ggn, type Risk } from "../../../src/index.ts";
import { kfac } from "../../../src/structured/index.ts";
import { smallRisk } from "../smallRisk.ts";

let risk: Risk;
beforeAll(async () => {
  risk = await smallRisk();
});
afterAll(() => risk.dispose());

test("all methods give what prune gives", async () => {
  const methods = ["magnitude", "firstOrder", "obd", "obs", "sequential", "kfac", "ekfac", "woodFisher"] as const;
  const found = await comparePruning(risk, { methods, sparsities: [0.3, 0.6], damping: 0.01, validation: risk });
  expect(found).toMatchObject({ size: 24, candidates: 18, steps: 1, scope: "global", damping: 0.01 });
  expect(found.curves.map(({ method }) => method)).toEqual(methods);
  expect(found.loss).toBe(await risk.loss());
  for (const { points } of found.curves) {
    expect(points.map(({ asked, removed }) => [asked, removed])).toEqual([
      [0.3, 5],
      [0.6, 11],
    ]);
    for (const { loss, validationLoss, theta } of points) {
      expect(validationLoss).toBe(loss);
      const moved = risk.at(theta);
      expect(await moved.loss()).toBe(loss);
      await moved.dispose();
    }
  }
  const pointOf = (method: string) => found.curves.find((curve) => curve.method === method)!.points[1]!;
  const obs = await prune(risk, { sparsity: 0.6, damping: 0.01 });
  expect(pointOf("obs").loss).toBeCloseTo(obs.loss, 12);
  expect(pointOf("obs").predictedIncrease).toBeCloseTo(obs.steps[0]!.predictedIncrease, 12);
  const K = await kfac(risk);
  const structured = await prune(risk, { sparsity: 0.6, damping: 0.01, matrix: K, compensationMatrix: ggn(risk) });
  expect(pointOf("kfac").loss).toBeCloseTo(structured.loss, 12);
  await K.dispose();
});

test("resumes from any state bit for bit", async () => {
  const options: ComparePruningOptions = { methods: ["magnitude", "obs"], sparsities: [0.4, 0.7], steps: 2 };
  const whole = await comparePruning(risk, options);
  const states: ComparisonState[] = [];
  for await (const state of comparePruningSteps(risk, options)) states.push(state);
  // Two steps and the end of each of four runs.
  expect(states).toHaveLength(12);
  for (const k of [0, 4, 8, 11]) {
    expect(await comparePruning(risk, { ...options, state: states[k]! })).toEqual(whole);
  }
});

test("later steps keep the gradient's part only where the loss is lower", async () => {
  const settings = { sparsity: 0.6, steps: 3, matrix: (at: Risk) => ggn(at), damping: 1e-4 } as const;
  const open = await prune(risk, settings);
  expect(open.steps[0]!.usedGradient).toBe(false);
  const without = await prune(risk, { ...settings, steps: 1, sparsity: 0.2 });
  expect(without.steps[0]!.usedGradient).toBe(false);
  // The second step once more from the same state, with and without: the lower is the one that was kept.
  const [first, second] = open.steps;
  expect(first!.loss).toBe(second!.lossBefore);
  const plain = await prune(risk, { ...settings, gradient: false });
  expect(second!.loss).toBeLessThanOrEqual(plain.steps[1]!.loss);
  expect(plain.steps.every(({ usedGradient }) => !usedGradient)).toBe(true);
  const forced = await prune(risk, { ...settings, gradient: true });
  expect(forced.steps.every(({ usedGradient }) => usedGradient)).toBe(true);
});

test("bad input gets an error that says what to do", async () => {
  const cases: readonly (readonly [ComparePruningOptions, RegExp])[] = [
    [{ sparsities: [0.5, 1.5] }, /sparsities, the shares of weights to remove, as numbers from 0 to 1, got 1\.5/],
    [{ sparsities: [] }, /as numbers from 0 to 1, got none/],
    [{ sparsities: [0.5], pattern: "2:4" }, /expects sparsities or a pattern, got both; leave one out/],
    [{ methods: ["best" as never] }, /methods to be "magnitude", .* or "woodFisher", got "best"/],
    [
      { state: { method: "comparePruning", columns: 3, matvecs: 0, done: [], current: undefined } },
      /the state of a run with 24 weights and 12 results, got one of comparePruning with 3 weights and 0 results/,
    ],
  ];
  for (const [options, message] of cases) {
    const error = await comparePruning(risk, options).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(CurvatureError);
    expect((error as CurvatureError).message).toMatch(message);
  }
});
