import { describe, expect, test } from "vitest";
import { CurvatureError } from "../../src/errors/index.ts";
import { cgInverse, neumannInverse } from "../../src/linalg/index.ts";
import {
  counted,
  distance,
  failing,
  geometric,
  length,
  operatorOf,
  randomVector,
  range,
  rotated,
  spectral,
  trueResidual,
} from "./knownOperators.ts";

describe("cgInverse", () => {
  test("is the inverse", async () => {
    const values = geometric(30, 0.9);
    const b = randomVector(30, 1);
    const inverse = cgInverse(rotated(values), { tolerance: 1e-12 });
    expect(
      distance(
        await inverse.matvec(b),
        spectral(values, b, (value) => 1 / value),
      ),
    ).toBeLessThan(1e-9);
    expect(inverse).toMatchObject({ shape: [30, 30], dtype: "float64", symmetric: true, psd: true });
  });
  test("throws instead of returning a bad vector", async () => {
    const b = randomVector(30, 1);
    await expect(cgInverse(rotated(geometric(30, 0.5)), { matvecs: 3 }).matvec(b)).rejects.toThrow(
      /^cgInverse has no solution \(budget\): residual norm/,
    );
    await expect(cgInverse(rotated(range(30, (i) => i - 3))).matvec(b)).rejects.toMatchObject({ code: "numeric" });
    const signal = AbortSignal.abort();
    await expect(cgInverse(rotated(geometric(30, 0.5))).matvec(b, { signal })).rejects.toMatchObject({
      code: "aborted",
    });
  });
});

describe("neumannInverse", () => {
  const values = range(40, (i) => 1 + i / 10);
  const b = randomVector(40, 1);

  test("is the truncated series, with the scale it finds, and counts as documented", async () => {
    const A = counted(rotated(values));
    const inverse = neumannInverse(A, { terms: 6, scale: 0.3, damping: 0.5 });
    const series = spectral(values, b, (value) =>
      [0, 1, 2, 3, 4, 5].reduce((so, i) => so + 0.3 * (1 - 0.3 * (value + 0.5)) ** i, 0),
    );
    expect(distance(await inverse.matvec(b), series)).toBeLessThan(1e-12);
    expect(A.count()).toBe(5);
  });

  test("scales itself once, and converges to the inverse", async () => {
    const A = counted(rotated(values));
    const inverse = neumannInverse(A, { terms: 200, seed: 0, damping: 0.5 });
    const truth = spectral(values, b, (value) => 1 / (value + 0.5));
    expect(distance(await inverse.matvec(b), truth)).toBeLessThan(1e-9);
    const first = A.count();
    expect(first).toBeLessThanOrEqual(30 + 199);
    await inverse.matvec(b);
    expect(A.count()).toBe(first + 199);
  });

  test("ends by a tolerance, whose residual is true, and throws where the terms do not reach it", async () => {
    const A = counted(rotated(values));
    const x = await neumannInverse(A, { terms: 500, scale: 0.3, tolerance: 1e-6 }).matvec(b);
    const spent = A.count();
    expect(spent).toBeLessThan(100);
    expect(await trueResidual(A, x, b)).toBeLessThanOrEqual(1e-6 * length(b));
    await expect(neumannInverse(A, { terms: 5, scale: 0.3, tolerance: 1e-6 }).matvec(b)).rejects.toThrow(
      /^neumannInverse reached a relative residual of 0\.\d+ with 5 terms, 0\.000001 asked for; raise terms or damping$/,
    );
  });

  test("refuses to diverge: a scale too large, a negative eigenvalue, a dominant negative one, zero", async () => {
    const large = neumannInverse(rotated(values), { terms: 100, scale: 0.5 });
    await expect(large.matvec(b)).rejects.toThrow(
      /^neumannInverse diverges: term \d+ grew by the factor 1\.\d+ at scale 0\.500, so an eigenvalue/,
    );
    const indefinite = rotated(range(40, (i) => (i === 0 ? -0.5 : 1 + i / 10)));
    await expect(neumannInverse(indefinite, { terms: 200, seed: 0 }).matvec(b)).rejects.toMatchObject({
      code: "numeric",
    });
    await expect(
      neumannInverse(indefinite, { terms: 400, seed: 0, damping: 0.6, tolerance: 1e-3 }).matvec(b),
    ).resolves.toBeInstanceOf(Float64Array);
    const negative = rotated(range(40, () => -2));
    await expect(neumannInverse(negative, { terms: 5, seed: 0, damping: 0.1 }).matvec(b)).rejects.toThrow(
      "neumannInverse expects a positive definite operator, got dominant eigenvalue -2.00 and damping 0.1; raise damping",
    );
    await expect(neumannInverse(rotated(range(40, () => 0)), { terms: 5, seed: 0 }).matvec(b)).rejects.toThrow(
      "got dominant eigenvalue 0.00 and damping 0",
    );
  });

  test("passes on what stops it, and tries again after that", async () => {
    const A = failing(rotated(values), 1, (y) => y.fill(Number.NaN));
    const inverse = neumannInverse(A, { terms: 100, seed: 0 });
    await expect(inverse.matvec(b)).rejects.toThrow(
      /^neumannInverse could not find its scale: product 1 of powerIteration has entries/,
    );
    await expect(inverse.matvec(b, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
    expect(
      distance(
        await inverse.matvec(b),
        spectral(values, b, (value) => 1 / value),
      ),
    ).toBeLessThan(1e-3);
    const late = neumannInverse(
      failing(rotated(values), 3, (y) => y.fill(Number.NaN)),
      { terms: 9, scale: 0.3 },
    );
    await expect(late.matvec(b)).rejects.toThrow("product 3 of neumannInverse has entries that are infinite or NaN");
  });

  test("refuses options it cannot take", () => {
    const A = rotated(values);
    expect(() => neumannInverse(A, { terms: 0, seed: 0 })).toThrow(CurvatureError);
    expect(() => neumannInverse(A, { terms: 3 })).toThrow(
      "neumannInverse draws random vectors and expects seed to be a finite number, got undefined; pass for example seed: 0",
    );
    expect(() => neumannInverse(A, { terms: 3, scale: -1 })).toThrow(
      "neumannInverse expects scale to be a positive finite number, got -1",
    );
    expect(() => neumannInverse(operatorOf(new Float64Array(9), { symmetric: false }), { terms: 3, seed: 0 })).toThrow(
      "expects a symmetric operator",
    );
  });
});
