import { describe, expect, test } from "vitest";
import {
  densityFromQuadrature,
  lanczosQuadrature,
  massFromQuadrature,
  spectralDensity,
  spectralMass,
} from "../../src/linalg/index.ts";
import { counted, distance, failing, geometric, range, rotated } from "./knownOperators.ts";

const spacing = (grid: Float64Array) => (grid[grid.length - 1]! - grid[0]!) / (grid.length - 1);
const integral = (grid: Float64Array, density: Float64Array) => density.reduce((so, x) => so + x, 0) * spacing(grid);

/** Smoothed density of known eigenvalues at x. */
const gaussian = (x: number, { values, width }: { values: ArrayLike<number>; width: number }) =>
  Array.from(values).reduce((so, value) => so + Math.exp(-0.5 * ((x - value) / width) ** 2), 0) /
  (values.length * width * Math.sqrt(2 * Math.PI));

describe("lanczosQuadrature", () => {
  test("reproduces v' A^p v of every probe up to degree 2 steps - 1, on average the trace", async () => {
    const values = range(200, (i) => Math.sin(i) * (i % 7));
    const { quadrature, status, order } = await lanczosQuadrature(rotated(values), { steps: 8, probes: 40, seed: 0 });
    expect([status, order, quadrature.length]).toEqual(["converged", 200, 40]);
    for (const power of [0, 1, 2, 3]) {
      const samples = quadrature.map(({ nodes, weights }) =>
        nodes.reduce((so, x, j) => so + 200 * weights[j]! * x ** power, 0),
      );
      const mean = samples.reduce((so, x) => so + x, 0) / 40;
      const error = Math.sqrt(samples.reduce((so, x) => so + (x - mean) ** 2, 0) / 39 / 40);
      const truth = values.reduce((so, x) => so + x ** power, 0);
      expect(Math.abs(mean - truth)).toBeLessThanOrEqual(4 * error + 1e-9);
    }
  });

  test("is exact for one probe against the products themselves", async () => {
    const values = range(60, (i) => i / 10);
    const A = rotated(values);
    const starts: Float64Array[] = [];
    const watched = {
      ...A,
      matvec: (x: Float64Array | Float32Array) => {
        starts.push(Float64Array.from(x));
        return A.matvec(x);
      },
    };
    const {
      quadrature: [rule],
    } = await lanczosQuadrature(watched, { steps: 3, probes: 1, seed: 4 });
    let power = starts[0]!;
    const v = power;
    for (let p = 1; p <= 5; p++) {
      power = (await A.matvec(power)) as Float64Array;
      const truth = power.reduce((so, x, i) => so + x * v[i]!, 0);
      const byNodes = rule!.nodes.reduce((so, x, j) => so + rule!.weights[j]! * x ** p, 0);
      expect(Math.abs(byNodes / truth - 1)).toBeLessThan(1e-12);
    }
  });

  test("makes steps * probes products, fewer where a smaller budget or an exhausted space allows", async () => {
    const count = async (
      options: { steps: number; probes: number; matvecs?: number },
      values = geometric(100, 0.9),
    ) => {
      const A = counted(rotated(values));
      const { matvecs, quadrature } = await lanczosQuadrature(A, { ...options, seed: 0 });
      expect(A.count()).toBe(matvecs);
      return [matvecs, quadrature.length, quadrature[0]!.nodes.length];
    };
    expect(await count({ steps: 10, probes: 4 })).toEqual([40, 4, 10]);
    expect(await count({ steps: 10, probes: 4, matvecs: 27 })).toEqual([24, 4, 6]);
    expect(await count({ steps: 10, probes: 4, matvecs: 3 })).toEqual([3, 3, 1]);
    expect(await count({ steps: 10, probes: 4, matvecs: 1000 })).toEqual([40, 4, 10]);
    expect(
      await count(
        { steps: 10, probes: 4 },
        range(100, (i) => i % 3),
      ),
    ).toEqual([12, 4, 3]);
  });

  test("gives all eigenvalues, repeated ones too, where n is at most steps", async () => {
    for (const values of [range(30, (i) => [3, -1, 0][i % 3]!), Float64Array.of(2), Float64Array.of(1, -1)]) {
      const { quadrature, exact, matvecs } = await lanczosQuadrature(rotated(values), {
        steps: 64,
        probes: 8,
        seed: 0,
      });
      expect([quadrature.length, exact, matvecs]).toEqual([1, true, values.length]);
      expect(distance(quadrature[0]!.nodes, Float64Array.from(values).sort())).toBeLessThan(1e-12);
      for (const weight of quadrature[0]!.weights) expect(weight).toBe(1 / values.length);
    }
  });

  test("after NaN in product 7 it gives the probes that were done, or what one probe has so far", async () => {
    const broken = () => failing(rotated(geometric(100, 0.9)), 7, (y) => y.fill(Number.NaN));
    const some = await lanczosQuadrature(broken(), { steps: 3, probes: 4, seed: 0 });
    expect(some).toMatchObject({ status: "nonfinite", matvecs: 7 });
    expect(some.quadrature.map(({ nodes }) => nodes.length)).toEqual([3, 3]);
    const one = await lanczosQuadrature(broken(), { steps: 20, probes: 4, seed: 0 });
    expect(one.quadrature.map(({ nodes }) => nodes.length)).toEqual([6]);
  });
});

describe("spectralDensity on the linear scale", () => {
  test("agrees with the smoothed density of the true eigenvalues within its standard error", async () => {
    const values = range(250, (i) => 2 * Math.cos((Math.PI * (i + 0.5)) / 250));
    const options = { steps: 60, probes: 20, seed: 0, width: 0.15 };
    const { grid, density, standardErrors, width } = await spectralDensity(rotated(values), options);
    expect(width).toBe(0.15);
    let inside = 0;
    for (let i = 0; i < grid.length; i++) {
      if (Math.abs(density[i]! - gaussian(grid[i]!, { values, width })) <= 1.96 * standardErrors[i]! + 1e-6) inside++;
    }
    expect(inside / grid.length).toBeGreaterThan(0.8);
  });

  test("integrates to 1 whatever the width, the points and the spectrum, and returns the width it used", async () => {
    for (const values of [
      geometric(100, 0.8),
      range(100, () => 0),
      range(100, () => -3),
      range(100, (i) => (i === 0 ? 1e6 : 0)),
    ]) {
      const run = await lanczosQuadrature(rotated(values), { steps: 12, probes: 3, seed: 0 });
      for (const points of [32, 100, 512]) {
        for (const asked of [undefined, 1e-12, 0.3]) {
          const { grid, density, width } = densityFromQuadrature(
            run,
            asked === undefined ? { points } : { points, width: asked },
          );
          expect(Math.abs(integral(grid, density) - 1)).toBeLessThan(1e-6);
          expect(grid.length).toBe(points);
          expect(width).toBeGreaterThanOrEqual(spacing(grid) * (1 - 1e-6));
        }
      }
    }
  });

  test("fractions of negative and of zero eigenvalues, with standard error", async () => {
    const values = range(200, (i) => (i < 50 ? -1 - (i % 5) / 10 : i < 90 ? 0 : 1 + (i % 7) / 10));
    let inside = 0;
    for (let seed = 0; seed < 40; seed++) {
      const { negativeMass, zeroMass } = await spectralDensity(rotated(values), { steps: 14, probes: 10, seed });
      if (Math.abs(negativeMass.value - 0.25) <= 2.26 * negativeMass.standardError) inside++;
      expect(Math.abs(zeroMass - 0.2)).toBeLessThan(0.1);
    }
    expect(inside).toBeGreaterThanOrEqual(33);
    const exact = await spectralDensity(rotated(values.subarray(0, 100)), { steps: 100, probes: 1, seed: 0 });
    expect(exact.negativeMass.value).toBeCloseTo(0.5, 12);
    expect(exact.negativeMass.standardError).toBe(0);
    expect(Math.max(...exact.standardErrors)).toBe(0);
  });

  test("one probe that is not exact leaves the error unknown", async () => {
    const { standardErrors } = await spectralDensity(rotated(geometric(100, 0.9)), { steps: 10, probes: 1, seed: 0 });
    expect(new Set(standardErrors)).toEqual(new Set([Number.POSITIVE_INFINITY]));
  });
});

describe("spectralDensity on the logarithmic scale", () => {
  test("negative, positive and zero parts add up to 1 and stand where log10 |eigenvalue| is", async () => {
    const values = range(120, (i) => (i < 60 ? 10 ** -(i % 3) : i < 90 ? -(10 ** -4) : 0));
    const { negative, positive, zeroMass, negativeMass } = await spectralDensity(rotated(values), {
      steps: 120,
      probes: 1,
      seed: 0,
      scale: "log",
    });
    expect(integral(positive.grid, positive.density)).toBeCloseTo(0.5, 6);
    expect(integral(negative.grid, negative.density)).toBeCloseTo(0.25, 6);
    expect(zeroMass).toBeCloseTo(0.25, 12);
    expect(negativeMass.value).toBeCloseTo(0.25, 12);
    const peak = negative.grid[negative.density.indexOf(Math.max(...negative.density))]!;
    expect(Math.abs(peak + 4)).toBeLessThan(0.02);
    const logarithms = [0, -1, -2];
    positive.grid.forEach((x, i) => {
      expect(positive.density[i]).toBeCloseTo(0.5 * gaussian(x, { values: logarithms, width: positive.width }), 6);
    });
  });

  test("both scales come from one run without further products", async () => {
    const A = rotated(geometric(80, 0.8));
    const options = { steps: 20, probes: 4, seed: 0 };
    const run = await lanczosQuadrature(A, options);
    const { status: _s, message: _m, matvecs: _k, quadrature: _q, ...linear } = await spectralDensity(A, options);
    expect(densityFromQuadrature(run)).toEqual(linear);
    const {
      status: _1,
      message: _2,
      matvecs: _3,
      quadrature: _4,
      ...log
    } = await spectralDensity(A, { ...options, scale: "log" });
    expect(densityFromQuadrature(run, { scale: "log" })).toEqual(log);
  });

  test("the zero operator is all zero mass", async () => {
    const { zeroMass, positive, negative } = await spectralDensity(rotated(new Float64Array(20)), {
      steps: 5,
      probes: 2,
      seed: 0,
      scale: "log",
    });
    expect(zeroMass).toBe(1);
    expect(integral(positive.grid, positive.density) + integral(negative.grid, negative.density)).toBe(0);
    expect(positive.grid.every(Number.isFinite)).toBe(true);
  });

  test("epsilon is the caller's, or fits the operator's precision", async () => {
    const values = range(40, (i) => (i < 20 ? 1 : 1e-6));
    const options = { steps: 40, probes: 1, seed: 0, scale: "log" } as const;
    expect((await spectralDensity(rotated(values), options)).zeroMass).toBe(0);
    expect((await spectralDensity(rotated(values), { ...options, epsilon: 1e-5 })).zeroMass).toBeCloseTo(0.5, 12);
    expect((await spectralDensity(rotated(values, { dtype: "float32" }), options)).zeroMass).toBeCloseTo(0.5, 12);
  });
});

describe("the mass of a part of the spectrum", () => {
  const values = range(100, (i) => (i < 40 ? -1 - (i % 4) / 4 : 0.5 + (i % 6) / 6));
  const A = rotated(values);

  test("is the integral of the density of the same width, with the interval of the negative mass", async () => {
    const options = { steps: 30, probes: 12, seed: 0 };
    const { grid, density, width, negativeMass, quadrature } = await spectralDensity(A, {
      ...options,
      width: 0.2,
      points: 2000,
    });
    for (const [from, to] of [
      [-2.2, -0.9],
      [-0.3, 0.7],
    ] as const) {
      const { value } = massFromQuadrature({ quadrature, exact: false }, { from, to, width });
      const inside = density.reduce((so, x, i) => (grid[i]! > from && grid[i]! <= to ? so + x : so), 0);
      expect(Math.abs(value - inside * spacing(grid))).toBeLessThan(2 * spacing(grid));
    }
    const { bounds: _, ...mass } = massFromQuadrature({ quadrature, exact: false });
    expect(mass).toEqual(negativeMass);
    const { status, message, matvecs, bounds: __, ...same } = await spectralMass(A, options);
    expect(same).toEqual(mass);
    expect([status, matvecs]).toEqual(["converged", quadrature.reduce((so, { nodes }) => so + nodes.length, 0)]);
    expect(message).toBe("averaged 12 probes, few for an interval; each took at most 30 steps");
  });

  test("is exact where all eigenvalues are known, both ends and the width as they are said to be", async () => {
    const run = await lanczosQuadrature(A, { steps: 100, probes: 1, seed: 0 });
    const at = Array.from(run.quadrature[0]!.nodes);
    for (const [from, to] of [
      [-1.25, 0.75],
      [at[3]!, at[60]!],
    ] as const) {
      const { value, standardError, interval, bounds } = massFromQuadrature(run, { from, to });
      expect(value).toBeCloseTo(at.filter((x) => from < x && x <= to).length / 100, 12);
      expect([standardError, interval.lower, interval.upper, bounds]).toEqual([
        0,
        value,
        value,
        { lower: value, upper: value },
      ]);
    }
    // An end in the middle of one Gaussian takes half of it: the four levels below zero have 10 eigenvalues each.
    expect(massFromQuadrature(run, { to: -1.5, width: 0.01 }).value).toBeCloseTo(0.15, 10);
  });

  test("of few steps its bounds hold what more steps give for the same probes, and stay in 0 and 1", async () => {
    const smooth = rotated(range(100, (i) => Math.sin(i) + 0.2));
    for (const width of [0, 0.1]) {
      for (const part of [{}, { from: -0.4, to: 0.9 }, { from: 0.1, to: Number.POSITIVE_INFINITY }]) {
        const deep = massFromQuadrature(await lanczosQuadrature(smooth, { steps: 99, probes: 6, seed: 1 }), {
          ...part,
          width,
        });
        for (const steps of [3, 6, 12]) {
          const run = await lanczosQuadrature(smooth, { steps, probes: 6, seed: 1 });
          const { bounds, interval, value } = massFromQuadrature(run, { ...part, width });
          expect(bounds.lower).toBeLessThanOrEqual(deep.value + 0.011);
          expect(bounds.upper).toBeGreaterThanOrEqual(deep.value - 0.011);
          expect(bounds.lower).toBeLessThanOrEqual(value);
          expect(bounds.upper).toBeGreaterThanOrEqual(value);
          expect([interval.lower >= 0, interval.upper <= 1]).toEqual([true, true]);
        }
      }
    }
  });

  test("takes nothing of the line, and no spectrum at all, as mistakes", async () => {
    const run = await lanczosQuadrature(A, { steps: 5, probes: 2, seed: 0 });
    expect(() => massFromQuadrature(run, { from: 1 })).toThrow(
      "massFromQuadrature expects from to be below to, got 1 and 0; swap them",
    );
    expect(() => massFromQuadrature({ ...run, quadrature: [] })).toThrow(
      "massFromQuadrature expects at least one quadrature rule, got none: the run ended before its first step",
    );
    expect(() => massFromQuadrature(run, { confidence: 2 })).toThrow(
      "massFromQuadrature expects confidence to be between 0 and 1, got 2",
    );
    const options = { steps: 5, probes: 2, seed: 0 };
    await expect(spectralMass(A, { ...options, from: 2, to: 1 })).rejects.toThrow(
      "spectralMass expects from to be below to, got 2 and 1; swap them",
    );
    await expect(spectralMass(A, { ...options, width: -1 })).rejects.toThrow(
      "spectralMass expects width to be zero or a positive finite number, got -1",
    );
    expect(() => densityFromQuadrature(run, { confidence: 0 })).toThrow(
      "densityFromQuadrature expects confidence to be between 0 and 1, got 0",
    );
  });
});

test("densities refuse what they cannot draw", async () => {
  const A = rotated(geometric(20, 0.9));
  const run = await lanczosQuadrature(A, { steps: 5, probes: 2, seed: 0 });
  expect(() => densityFromQuadrature(run, { points: 31 })).toThrow(
    "densityFromQuadrature expects points to be at least 32, got 31",
  );
  expect(() => densityFromQuadrature(run, { scale: "sqrt" as "log" })).toThrow(
    'densityFromQuadrature expects scale to be "linear" or "log", got "sqrt"',
  );
  expect(() => densityFromQuadrature(run, { width: Number.NaN })).toThrow(
    "densityFromQuadrature expects width to be zero or a positive finite number, got NaN",
  );
  expect(() => densityFromQuadrature({ ...run, quadrature: [] })).toThrow(
    "densityFromQuadrature expects at least one quadrature rule, got none: the run ended before its first step",
  );
  await expect(spectralDensity(A, { steps: 0, probes: 2, seed: 0 })).rejects.toThrow(
    "spectralDensity expects steps to be a positive integer, got 0",
  );
});
