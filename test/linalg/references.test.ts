import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  effectiveDimension,
  hutchinsonMoments,
  logDeterminant,
  matrixFunction,
  randomizedSvd,
  schattenNorm,
  spectralMass,
  spectralNorm,
  studentQuantile,
  xdiag,
  xnysdiag,
  xnystrace,
  xtrace,
} from "../../src/linalg/index.ts";
import { testVectors } from "../../src/linalg/sketching/index.ts";
import { probe } from "../../src/linalg/vectors/index.ts";
import { stream } from "../../src/random/index.ts";
import { distance, operatorOf, range } from "./knownOperators.ts";
import { transposed } from "./randomMatrices.ts";

// Numbers of SciPy and matfree; how they were computed is said in the script beside the file.
const reference = JSON.parse(readFileSync(new URL("../fixtures/linalg/estimators.json", import.meta.url), "utf8"));

const n = 40;
const seed = 11;
const A = operatorOf(
  range(n * n, (at) => {
    const [i, j] = [at % n, Math.floor(at / n)];
    return Math.exp(-Math.abs(i - j) / 6) / ((1 + i / 10) * (1 + j / 10));
  }),
);
const rectangular = {
  rows: n,
  columns: 25,
  data: range(n * 25, (at) => Math.cos(0.7 * ((at % n) + 1) * (Math.floor(at / n) + 2)) / (1 + Math.floor(at / n))),
};
const B = {
  ...operatorOf(rectangular.data, { rows: n, symmetric: false }),
  adjoint: () => operatorOf(transposed(rectangular).data, { rows: 25, symmetric: false }),
};
const b = range(n, Math.cos);
const close = (x: number, y: number, tolerance = 1e-10) => expect(Math.abs(x / y - 1)).toBeLessThan(tolerance);

describe("matfree, from the same test vectors", () => {
  test("the test vectors are those of the file", () => {
    for (const distribution of ["signs", "sphere"] as const) {
      const { data } = testVectors({ columns: n, seed, distribution }, { count: 8, dtype: "float64" });
      expect(distance(data, reference.testVectors[distribution].flat())).toBeLessThan(1e-14);
    }
    reference.testVectors.probes.forEach((expected: number[], i: number) => {
      const random = stream(seed, "probe", i);
      expect(distance(probe(n, { distribution: "signs", stream: random, dtype: "float64" }), expected)).toBe(0);
    });
  });

  test("hutchinsonMoments, with standard errors", async () => {
    const { hutchinson } = reference;
    const { trace, squaredFrobenius, diagonal } = await hutchinsonMoments(A, { matvecs: 12, seed });
    for (const [name, found] of Object.entries({ trace, squaredFrobenius })) {
      close(found.value, hutchinson[name].value);
      close(found.standardError, hutchinson[name].standardError);
    }
    expect(distance(diagonal.values, hutchinson.diagonal.value)).toBeLessThan(1e-14);
    expect(distance(diagonal.standardErrors, hutchinson.diagonal.standardError)).toBeLessThan(1e-14);
  });

  test("stochastic Lanczos quadrature of few steps: log-determinant and fraction of eigenvalues, with standard errors", async () => {
    const { steps, damping, threshold, logdet, fractionBelow } = reference.quadrature;
    const options = { steps, probes: 12, seed };
    const found = await logDeterminant(A, { ...options, damping });
    close(found.logdet, logdet.value);
    close(found.standardError, logdet.standardError, 1e-8);
    const mass = await spectralMass(A, { ...options, to: threshold });
    close(mass.value, fractionBelow.value);
    close(mass.standardError, fractionBelow.standardError, 1e-8);
  });

  test.each(["signs", "sphere"] as const)("xtrace and xnystrace with %s", async (distribution) => {
    close((await xtrace(A, { matvecs: 16, seed, distribution })).trace, reference.xtrace[distribution]);
    close((await xnystrace(A, { matvecs: 8, seed, distribution })).trace, reference.xnystrace[distribution]);
  });

  test("xdiag and xnysdiag", async () => {
    expect(distance((await xdiag(A, { matvecs: 16, seed })).values, reference.xdiag)).toBeLessThan(1e-12);
    expect(distance((await xnysdiag(A, { matvecs: 8, seed })).values, reference.xnysdiag)).toBeLessThan(1e-10);
  });

  test("exp(-A) b after eight Lanczos steps", async () => {
    const { x } = await matrixFunction(A, b, { f: (value) => Math.exp(-value), matvecs: 8, tolerance: 0 });
    expect(distance(x, reference.lanczosExponential)).toBeLessThan(1e-13);
  });
});

describe("SciPy and NumPy", () => {
  test("exp(-A) b", async () => {
    const { x, errorEstimate, status } = await matrixFunction(A, b, {
      f: (value) => Math.exp(-value),
      tolerance: 1e-11,
    });
    expect(status).toBe("converged");
    expect(distance(x, reference.exponential)).toBeLessThan(Math.max(errorEstimate, 1e-13));
  });

  test("log-determinant and effective dimension, exact where the steps reach n", async () => {
    for (const damping of [0.01, 1]) {
      const options = { damping, steps: n, probes: 1, seed: 0 };
      const { logdet, interval } = await logDeterminant(A, options);
      close(logdet, reference.logdet[damping === 1 ? "1.0" : "0.01"]);
      expect([interval.lower, interval.upper]).toEqual([logdet, logdet]);
      close(
        (await effectiveDimension(A, options)).dimension,
        reference.effectiveDimension[damping === 1 ? "1.0" : "0.01"],
      );
    }
  });

  test("Schatten and spectral norms of a matrix that is not square", async () => {
    for (const p of [1, 3, 4]) {
      const { norm, matvecs } = await schattenNorm(B, { p, steps: 25, probes: 1, seed: 0 });
      expect(matvecs).toBe(50);
      close(norm, reference.schatten[p], p === 1 ? 1e-6 : 1e-10);
    }
    const { norm, upperBound } = await spectralNorm(B, { seed: 0, matvecs: 40, tolerance: 0 });
    close(norm, reference.spectralNorm, 1e-12);
    expect(upperBound).toBeGreaterThanOrEqual(norm);
  });

  test("singular values", async () => {
    const { values } = await randomizedSvd(B, { rank: 4, seed: 0, iterations: 3 });
    for (let k = 0; k < 4; k++) close(values[k]!, reference.singularValues[k], 1e-6);
  });

  test("Student's quantiles", () => {
    for (const [probability, degrees, value] of reference.studentQuantiles) {
      close(studentQuantile(probability, degrees), value, 1e-9);
    }
    expect(studentQuantile(0.975, 0)).toBe(Number.POSITIVE_INFINITY);
    expect(Math.abs(studentQuantile(0.5, 3))).toBeLessThan(1e-12);
  });
});
