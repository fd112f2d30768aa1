import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  checkpointDirection,
  eigenvectorDirections,
  filterNormalized,
  gradientDirection,
  type LandscapeState,
  landscape,
  landscapeSteps,
  randomDirections,
} from "../../../src/applications/sharpness/index.ts";
import { accuracy, type Risk } from "../../../src/index.ts";
import { rejectionOf } from "../../onnx/messageOf.ts";
import { difference } from "../../operators/closeness.ts";
import { applicationFixture, digitsRisk, relative } from "../digits.ts";
import { smallRisk } from "../smallRisk.ts";

const fixture = applicationFixture("digits_sharpness").landscape;

describe("on digits", () => {
  let risk: Risk;
  beforeAll(async () => {
    risk = await digitsRisk();
  });
  afterAll(() => risk.dispose());

  test("the planes of the fixture, along eigenvectors and filter-normalized", async () => {
    const directions = await eigenvectorDirections(risk, { seed: 0 });
    directions.forEach(({ eigenvalue, vector, gap }, i) => {
      expect(relative(eigenvalue!, fixture.eigenvalues[i])).toBeLessThan(1e-9);
      expect(difference(vector, fixture.eigenvectors[i])).toBeLessThan(1e-6);
      expect(gap!).toBeGreaterThan(0.01);
    });
    // The directions of the fixture to its digits, so that the plane is the same to the last ones.
    const exact = directions.map((each, i) => ({ ...each, vector: Float64Array.from(fixture.eigenvectors[i]) }));
    const plane = await landscape(risk, { directions: exact, grid: fixture.grid });
    plane.values.forEach((row, a) => {
      expect(difference(row, fixture.eigenvectors_values[a])).toBeLessThan(1e-9);
    });
    expect(plane.axes.map(({ curvature }) => curvature)).toEqual(
      fixture.eigenvalues.map((value: number) => expect.closeTo(value, 8)),
    );
    expect(Math.abs(plane.mixedCurvature!)).toBeLessThan(1e-9);
    expect(Math.abs(plane.cosine!)).toBeLessThan(1e-12);
    expect(plane.message).toBe("");
    // The centre is the loss, in truth and in the model.
    expect(plane.values[3]![3]).toBe(plane.loss);
    expect(plane.quadratic[3]![3]).toBe(plane.loss);
    const normalized = await Promise.all(exact.map((each) => filterNormalized(risk, each)));
    const filtered = await landscape(risk, { directions: normalized, grid: fixture.grid });
    filtered.values.forEach((row, a) => {
      expect(difference(row, fixture.filter_normalised[a])).toBeLessThan(1e-9);
    });
    expect(filtered.message).toContain("the directions are not orthogonal");
  });

  test("second differences along eigenvectors are eigenvalues; the model is the loss near the centre", async () => {
    const [first] = await eigenvectorDirections(risk, { seed: 0, k: 1 });
    const line = await landscape(risk, { directions: [first!], grid: [-1e-3, 0, 1e-3] });
    const [below, centre, above] = line.values.map(([value]) => value!);
    expect(relative((below! - 2 * centre! + above!) / 1e-6, first!.eigenvalue!)).toBeLessThan(1e-4);
    line.quadratic.forEach(([model], i) => {
      expect(Math.abs(model! - line.values[i]![0]!)).toBeLessThan(1e-8);
    });
    expect(line.axes[0]!.norm).toBeCloseTo(1, 12);
    expect(line).toMatchObject({ losses: 4, gradients: 1, matvecs: 1 });
    expect(line.cosine).toBeUndefined();
  });

  test("accuracy, the way to another checkpoint, the gradient", async () => {
    const other = risk.theta().map((weight) => weight / 2);
    const direction = checkpointDirection(risk, other);
    const line = await landscape(risk, { directions: [direction], grid: [0, 0.5, 1], accuracy: true });
    const end = risk.at(other);
    expect(line.accuracies!.map(([share]) => share)[2]).toBe(await accuracy(end));
    expect(line.values[2]![0]).toBe(await end.loss());
    const gradient = await gradientDirection(risk);
    const slope = await landscape(risk, { directions: [gradient], grid: [-1e-4, 1e-4] });
    const difference = (slope.values[1]![0]! - slope.values[0]![0]!) / 2e-4;
    expect(relative(slope.axes[0]!.slope, difference)).toBeLessThan(1e-5);
  });
});

test("random directions are filter-normalized by default, and depend on the seed alone", async () => {
  const risk = await smallRisk();
  const [one, two] = await randomDirections(risk, { seed: 1 });
  const theta = risk.theta();
  // w1 is [in, out] = [3, 3] at the front: output 0 has entries 0, 3, 6.
  const length = (of: ArrayLike<number>) => Math.hypot(of[0]!, of[3]!, of[6]!);
  expect(relative(length(one!.vector), length(theta))).toBeLessThan(1e-8);
  expect([...one!.vector.subarray(9, 12)]).toEqual([0, 0, 0]);
  expect([...two!.vector]).not.toEqual([...one!.vector]);
  expect((await randomDirections(risk, { seed: 1, k: 1 }))[0]).toEqual(one);
  const [plain] = await randomDirections(risk, { seed: 1, k: 1, normalize: "none" });
  const left = await filterNormalized(risk, plain!, { vectors: "leave" });
  expect([...left.vector.subarray(9, 12)]).toEqual([...plain!.vector.subarray(9, 12)]);
});

test("a run that is stopped goes on from its state, bit for bit", async () => {
  const risk = await smallRisk();
  const options = { directions: await randomDirections(risk, { seed: 1 }), grid: [-1, 0, 1] };
  const whole = await landscape(risk, options);
  let state: LandscapeState | undefined;
  for await (const next of landscapeSteps(risk, options)) {
    state = next;
    if (next.losses.length === 4) break;
  }
  expect(await landscape(risk, { ...options, state: state! })).toEqual(whole);
  const stop = new AbortController();
  const stopped = landscape(risk, {
    ...options,
    signal: stop.signal,
    onProgress: ({ done }) => done === 5 && stop.abort(),
  });
  const error = await stopped.then(
    () => undefined,
    (cause: { readonly code: string; readonly state: LandscapeState }) => cause,
  );
  expect(error!.code).toBe("aborted");
  expect(error!.state.losses).toHaveLength(5);
  expect(await landscape(risk, { ...options, state: error!.state })).toEqual(whole);
});

test("messages", async () => {
  const risk = await smallRisk();
  const [direction] = await randomDirections(risk, { seed: 1 });
  const cases: readonly (readonly [Promise<unknown>, string])[] = [
    [landscape(risk, { directions: [] }), "landscape expects one direction for a line or two for a plane, got 0"],
    [
      landscape(risk, { directions: [{ name: "short", vector: new Float64Array(2) }] }),
      'landscape expects "short" as a vector of 24 entries, got 2 entries',
    ],
    [
      landscape(risk, { directions: [{ name: "nan", vector: new Float64Array(24).fill(Number.NaN) }] }),
      'landscape expects "nan" to have finite entries',
    ],
    [
      landscape(risk, { directions: [direction!], grid: [1, 0] }),
      "landscape expects grid as ascending finite numbers, one list or one for each of 1 directions",
    ],
    [
      landscape(risk, {
        directions: [direction!],
        grid: [0],
        state: {
          method: "landscape",
          columns: 0,
          matvecs: 0,
          losses: new Float64Array(3),
          accuracies: new Float64Array(3),
        },
      }),
      "landscape expects the state of a run with 1 points, got one of landscape with 3",
    ],
    [
      randomDirections(risk, { seed: 0, normalize: "layer" as never }),
      'randomDirections expects normalize to be "filter" or "none", got layer',
    ],
    [
      (async () => checkpointDirection(risk, risk.theta()))(),
      "checkpointDirection: both checkpoints have the same weights; choose another direction",
    ],
    [eigenvectorDirections(risk, { seed: 0, k: 0 }), "eigenvectorDirections expects k to be a positive integer, got 0"],
  ];
  for (const [promise, message] of cases) expect(await rejectionOf(promise)).toContain(message);
});
