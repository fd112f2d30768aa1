import { describe, expect, test } from "vitest";
import {
  cumulativeDensity,
  effectiveDimension,
  gaussRadau,
  kernelPolynomial,
  lanczosQuadrature,
  logDeterminant,
  matrixFunction,
  spectralDensity,
  spectralSum,
} from "../../src/linalg/index.ts";
import { haarMatrix } from "./haar.ts";
import {
  counted,
  distance,
  geometric,
  length,
  operatorOf,
  orthogonal,
  randomVector,
  range,
  rotated,
  spectral,
} from "./knownOperators.ts";

const total = (values: ArrayLike<number>, f: (x: number) => number = (x) => x) =>
  Array.from(values).reduce((so, x) => so + f(x), 0);
const mean = (values: readonly number[]) => total(values) / values.length;
/** Eigenvectors of `rotated(values)` at these places. */
const eigenvectors = (n: number, places: readonly number[]) => ({
  rows: n,
  columns: places.length,
  data: Float64Array.from(places.flatMap((k) => Array.from(orthogonal(n, 1).subarray(k * n, (k + 1) * n)))),
});

describe("sums over eigenvalues", () => {
  test("converge to the truth within their intervals, for functions of any kind", async () => {
    const values = range(150, (i) => Math.cos(i) + 0.2);
    const A = operatorOf(haarMatrix(values));
    for (const f of [Math.exp, Math.sin, (x: number) => x ** 5, (x: number) => 1 / (x * x + 1)]) {
      const { value, interval, matvecs } = await spectralSum(A, f, { steps: 20, probes: 30, seed: 0 });
      expect(matvecs).toBe(600);
      expect(Math.abs(value - total(values, f))).toBeLessThan(2 * (interval.upper - interval.lower));
    }
  });

  test("the bounds of log-determinant and effective dimension hold what more steps give, and close", async () => {
    const values = geometric(120, 0.93, 3);
    const A = rotated(values);
    for (const sum of [
      async (steps: number) => {
        const { logdet, bounds } = await logDeterminant(A, { steps, probes: 4, seed: 0, damping: 1e-3 });
        return { value: logdet, bounds };
      },
      async (steps: number) => {
        const { dimension, bounds } = await effectiveDimension(A, { steps, probes: 4, seed: 0, damping: 1e-2 });
        return { value: dimension, bounds };
      },
    ]) {
      const { value: converged } = await sum(100);
      let gap = Number.POSITIVE_INFINITY;
      for (const steps of [3, 6, 12, 24]) {
        const { bounds } = await sum(steps);
        expect(bounds.lower).toBeLessThanOrEqual(converged + 1e-9);
        expect(bounds.upper).toBeGreaterThanOrEqual(converged - 1e-9);
        expect(bounds.upper - bounds.lower).toBeLessThan(gap);
        gap = bounds.upper - bounds.lower;
      }
      expect(gap).toBeLessThan(0.05 * Math.abs(converged));
    }
  });

  test("the interval has room for the error of a quadrature that is too shallow", async () => {
    const values = geometric(100, 0.9);
    const A = operatorOf(haarMatrix(values));
    const truth = total(values, (x) => Math.log(x + 1e-3));
    let inside = 0;
    for (let seed = 0; seed < 40; seed++) {
      const { interval } = await logDeterminant(A, { steps: 5, probes: 40, seed, damping: 1e-3 });
      if (interval.lower <= truth && truth <= interval.upper) inside++;
    }
    expect(inside).toBeGreaterThanOrEqual(36);
  });

  test("without a positive bound from below the lower one is -Infinity; with one it is not", async () => {
    const A = rotated(geometric(60, 0.95));
    const options = { steps: 6, probes: 3, seed: 0 };
    expect((await logDeterminant(A, options)).bounds.lower).toBe(Number.NEGATIVE_INFINITY);
    const { bounds } = await logDeterminant(A, { ...options, smallest: 0.95 ** 59 });
    expect(Number.isFinite(bounds.lower)).toBe(true);
  });

  test("an indefinite matrix has no log-determinant, and the message says where it shows", async () => {
    const result = await logDeterminant(rotated([-1, 2, 3, 4]), { steps: 4, probes: 1, seed: 0 });
    expect(result.status).toBe("indefinite");
    expect(result.logdet).toBeNaN();
    expect(result.message).toMatch(/^f is not finite at the Ritz value -1\.00; add damping/);
  });

  test("options that make no sense are refused", async () => {
    const A = rotated([1, 2]);
    const options = { steps: 2, probes: 1, seed: 0 };
    await expect(effectiveDimension(A, { ...options, damping: 0 })).rejects.toThrow(
      "effectiveDimension expects damping to be positive, got 0; without damping it is the rank",
    );
    await expect(logDeterminant(A, { ...options, damping: -1 })).rejects.toThrow(
      "logDeterminant expects damping to be zero or a positive finite number, got -1",
    );
    await expect(spectralSum(A, Math.exp, { ...options, confidence: 1 })).rejects.toThrow(
      "spectralSum expects confidence to be between 0 and 1, got 1",
    );
  });
});

test("the Gauss-Radau rule has the node, and integrates polynomials up to degree 2 m exactly", async () => {
  const A = rotated(range(40, (i) => 0.1 + i / 10));
  const options = { probes: 1, seed: 0 };
  const { quadrature } = await lanczosQuadrature(A, { ...options, steps: 4 });
  const { quadrature: deep } = await lanczosQuadrature(A, { ...options, steps: 12 });
  for (const end of [0, 4.2]) {
    const radau = (await gaussRadau(quadrature[0]!.gauss!, end))!;
    expect(radau.nodes.length).toBe(5);
    expect(radau.nodes.includes(end)).toBe(true);
    for (let power = 0; power <= 8; power++) {
      const of = ({ nodes, weights }: { nodes: Float64Array; weights: Float64Array }) =>
        weights.reduce((so, w, j) => so + w * nodes[j]! ** power, 0);
      expect(Math.abs(of(radau) / of(deep[0]!) - 1)).toBeLessThan(1e-10);
    }
  }
  expect(await gaussRadau(quadrature[0]!.gauss!, 2)).toBeUndefined();
});

describe("deflation of known eigenpairs", () => {
  const n = 90;
  const values = range(n, (i) => (i < 3 ? 100 * (i + 1) : i < 6 ? -20 * i : Math.sin(i)));
  const A = rotated(values);
  const places = [0, 1, 2, 3, 4, 5];
  const deflation = { values: values.slice(0, 6), vectors: eigenvectors(n, places) };

  test("takes what the outliers add to the error away", async () => {
    const options = { steps: 20, probes: 10, seed: 0 };
    const square = (x: number) => x * x;
    const plain = await spectralSum(A, square, options);
    const deflated = await spectralSum(A, square, { ...options, deflation });
    expect(deflated.standardError).toBeLessThan(plain.standardError / 100);
    expect(Math.abs(deflated.value - total(values, square))).toBeLessThan(4 * deflated.standardError);
  });

  test("leaves weights of sum 1, the outliers with 1 / n each, and negative mass that covers", async () => {
    let inside = 0;
    const truth = values.filter((x) => x < -1e-6).length / n;
    for (let seed = 0; seed < 40; seed++) {
      const { quadrature, negativeMass } = await spectralDensity(A, { steps: 25, probes: 12, seed, deflation });
      for (const { nodes, weights } of quadrature) {
        expect(Math.abs(total(weights) - 1)).toBeLessThan(1e-12);
        for (const value of deflation.values) expect(weights[nodes.indexOf(value)]).toBe(1 / n);
      }
      if (Math.abs(negativeMass.value - truth) <= 2.2 * negativeMass.standardError + 0.01) inside++;
    }
    expect(inside).toBeGreaterThanOrEqual(34);
  });

  test("is refused where it is not orthonormal, does not fit, or the probes are signs", async () => {
    const options = { steps: 5, probes: 2, seed: 0 };
    const twice = { ...deflation, vectors: { ...deflation.vectors, data: deflation.vectors.data.map((x) => 2 * x) } };
    await expect(lanczosQuadrature(A, { ...options, deflation: twice })).rejects.toThrow(
      "lanczosQuadrature expects deflation to have orthonormal columns, got Q'Q off by 3.0; take Q of its qr",
    );
    await expect(lanczosQuadrature(A, { ...options, deflation, distribution: "signs" })).rejects.toThrow(
      'lanczosQuadrature expects distribution "sphere" or "gaussian" with deflation, got "signs"; what projection leaves of signs is biased',
    );
    const short = { ...deflation, values: deflation.values.slice(1) };
    await expect(lanczosQuadrature(A, { ...options, deflation: short })).rejects.toThrow(
      "lanczosQuadrature expects as many values as vectors in deflation, got 5 and 6",
    );
    const other = { ...deflation, vectors: eigenvectors(30, [0, 1, 2, 3, 4, 5]) };
    await expect(lanczosQuadrature(A, { ...options, deflation: other })).rejects.toThrow(
      "lanczosQuadrature expects deflation to be a basis of 90 rows and fewer columns, got 30 x 6 with 180 entries",
    );
  });
});

describe("cumulativeDensity", () => {
  const values = range(100, (i) => (i < 30 ? 0 : Math.sqrt(i)));
  const A = operatorOf(haarMatrix(values));
  const fraction = (x: number) => values.filter((value) => value <= x).length / 100;

  test("lies in its band at nearly all points, whatever the number of steps; bounds close with more of them", async () => {
    let width = Number.POSITIVE_INFINITY;
    for (const steps of [3, 8, 20]) {
      const run = await lanczosQuadrature(A, { steps, probes: 20, seed: 0 });
      const { grid, lower, upper, cumulative } = cumulativeDensity(run, { at: range(80, (i) => 0.05 + i / 7) });
      let inside = 0;
      grid.forEach((x, i) => {
        expect(lower[i]!).toBeLessThanOrEqual(cumulative[i]! + 1e-12);
        expect(upper[i]!).toBeGreaterThanOrEqual(cumulative[i]! - 1e-12);
        if (lower[i]! <= fraction(x) + 1e-12 && fraction(x) - 1e-12 <= upper[i]!) inside++;
      });
      expect(inside).toBeGreaterThanOrEqual(76);
      const mid = mean(Array.from(upper, (x, i) => x - lower[i]!));
      expect(mid).toBeLessThan(width);
      width = mid;
    }
  });

  test("of one probe the bounds hold for its own measure without any error bar", async () => {
    const one = { probes: 1, seed: 3 };
    const exactly = await lanczosQuadrature(A, { ...one, steps: 71 });
    const rule = exactly.quadrature[0]!;
    const { quadrature } = await lanczosQuadrature(A, { ...one, steps: 6 });
    for (const x of [0.5, 5.6, 6.5, 7.7, 8.9, 9.4]) {
      // Twice the same probe: the standard error is zero.
      const { lower, upper } = cumulativeDensity(
        { quadrature: [quadrature[0]!, quadrature[0]!], exact: false },
        { at: Float64Array.of(x) },
      );
      const truth = rule.weights.reduce((so, w, j) => (rule.nodes[j]! <= x ? so + w : so), 0);
      expect(lower[0]!).toBeLessThanOrEqual(truth + 1e-9);
      expect(upper[0]!).toBeGreaterThanOrEqual(truth - 1e-9);
    }
  });

  test("is exact where all eigenvalues are known", async () => {
    const run = await lanczosQuadrature(A, { steps: 100, probes: 1, seed: 0 });
    const at = range(40, (i) => 0.05 + i / 4);
    const { cumulative, lower, upper, standardErrors } = cumulativeDensity(run, { at });
    for (const band of [cumulative, lower, upper]) expect(distance(band, at.map(fraction))).toBeLessThan(1e-12);
    expect(Math.max(...standardErrors)).toBe(0);
  });

  test("refuses what it cannot draw", async () => {
    const run = await lanczosQuadrature(A, { steps: 3, probes: 2, seed: 0 });
    expect(() => cumulativeDensity({ ...run, quadrature: [] })).toThrow(
      "cumulativeDensity expects at least one quadrature rule, got none: the run ended before its first step",
    );
    expect(() => cumulativeDensity(run, { at: 0 })).toThrow(
      "cumulativeDensity expects at to be a positive integer, got 0",
    );
    const { grid } = cumulativeDensity(run, { at: 1 });
    expect(grid.length).toBe(1);
  });
});

describe("kernelPolynomial", () => {
  const values = range(120, (i) => (i % 2 === 0 ? -1 : 1) * (1 + (i % 10) / 10));
  const A = operatorOf(haarMatrix(values));
  /** Chebyshev polynomial inside [-1, 1]. */
  const chebyshev = (k: number, t: number) => Math.cos(k * Math.acos(Math.min(1, Math.max(-1, t))));

  test("moments are traces of Chebyshev polynomials, two a product", async () => {
    const B = counted(A);
    const range_ = [-2.5, 2.5] as const;
    const { moments, matvecs } = await kernelPolynomial(B, { steps: 6, probes: 60, seed: 0, range: range_ });
    expect([moments.length, matvecs, B.count()]).toEqual([12, 360, 360]);
    moments.forEach((moment, k) => {
      const truth = total(values, (x) => chebyshev(k, x / 2.5)) / 120;
      expect(Math.abs(moment - truth)).toBeLessThan(0.06);
    });
    const identityLike = await kernelPolynomial(operatorOf(haarMatrix(range(50, () => 0.3))), {
      ...{ steps: 5, probes: 2, seed: 0, range: [-1, 1] as const },
      distribution: "gaussian",
    });
    identityLike.moments.forEach((moment, k) => {
      expect(Math.abs(moment - chebyshev(k, 0.3))).toBeLessThan(1e-12);
    });
  });

  test("the density is positive, integrates to 1, and equals the damped series of the eigenvalues within its band", async () => {
    const {
      grid,
      density,
      standardErrors,
      certainty,
      range: found,
    } = await kernelPolynomial(A, { steps: 20, probes: 30, seed: 0 });
    expect(Math.min(...density)).toBeGreaterThan(0);
    const integral = Array.from(grid.subarray(1)).reduce(
      (so, x, i) => so + ((x - grid[i]!) * (density[i]! + density[i + 1]!)) / 2,
      0,
    );
    expect(Math.abs(integral - 1)).toBeLessThan(0.01);
    expect(found[0]).toBeLessThan(-1.9);
    expect(found[1]).toBeGreaterThan(1.9);
    const peaks = grid.filter(
      (_, i) => i > 0 && i < grid.length - 1 && density[i]! > density[i - 1]! && density[i]! > density[i + 1]!,
    );
    expect(peaks.some((x) => x < -1)).toBe(true);
    expect(peaks.some((x) => x > 1)).toBe(true);
    // The same series from the eigenvalues themselves: a matrix that is diagonal has exact moments with sign probes.
    const exact = await kernelPolynomial(diagonalOperator(values), { steps: 20, probes: 1, seed: 0, range: found });
    const inside = Array.from(grid).filter(
      (_, i) => Math.abs(density[i]! - exact.density[i]!) <= certainty.quantile * standardErrors[i]!,
    );
    expect(inside.length / grid.length).toBeGreaterThan(0.85);
  });

  test("a range that does not hold the spectrum is noticed", async () => {
    const result = await kernelPolynomial(A, { steps: 30, probes: 2, seed: 0, range: [-1, 1] });
    expect(result.status).toBe("breakdown");
    expect(result.message).toBe("moments exceed 1, so eigenvalues lie outside of [-1.000, 1.000]; pass a wider range");
    await expect(kernelPolynomial(A, { steps: 3, probes: 2, seed: 0, range: [1, 1] })).rejects.toThrow(
      "kernelPolynomial expects range to be [low, high] with low < high, got [1, 1]",
    );
  });
});

/** Diagonal matrix as an operator. */
function diagonalOperator(values: Float64Array) {
  const data = new Float64Array(values.length ** 2);
  values.forEach((value, i) => {
    data[i * (values.length + 1)] = value;
  });
  return operatorOf(data);
}

describe("matrixFunction", () => {
  const n = 140;
  const b = randomVector(n, 2);
  const functions = {
    exponential: { values: range(n, (i) => -i / 4), f: Math.exp },
    root: { values: range(n, (i) => 0.5 + i / 5), f: Math.sqrt },
    inverse: { values: range(n, (i) => 1 + i), f: (x: number) => 1 / x },
    sign: { values: range(n, (i) => (i % 2 === 0 ? 1 : -1) * (1 + i / 50)), f: Math.sign },
  };

  test.each(Object.entries(functions))(
    "%s: the error is below its estimate and the tolerance, whatever the basis",
    async (_, { values, f }) => {
      const truth = spectral(values, b, f);
      for (const basisSize of [100, 17, 6]) {
        const A = counted(rotated(values));
        const options = { f, basisSize, tolerance: 1e-8, matvecs: 2000 };
        const { x, errorEstimate, status, matvecs } = await matrixFunction(A, b, options);
        expect(status).toBe("converged");
        expect(A.count()).toBe(matvecs);
        const error = length(x.map((value, i) => value - truth[i]!));
        expect(error).toBeLessThanOrEqual(errorEstimate + 1e-11 * length(truth));
        expect(error).toBeLessThan(1e-8 * length(truth));
      }
    },
  );

  test("beyond the basis each step costs two products, save one; the budget is kept for the second pass", async () => {
    const { values, f } = functions.inverse;
    for (const matvecs of [10, 11, 12, 30, 41]) {
      const A = counted(rotated(values));
      const result = await matrixFunction(A, b, { f, basisSize: 10, matvecs, tolerance: 0 });
      expect(result.status).toBe("budget");
      expect(A.count()).toBe(result.matvecs);
      expect(result.matvecs).toBeLessThanOrEqual(matvecs);
      expect(result.matvecs).toBeGreaterThanOrEqual(matvecs - 1);
    }
    const short = await matrixFunction(rotated(values), b, { f, basisSize: 30, matvecs: 30, tolerance: 0 });
    const twice = await matrixFunction(rotated(values), b, { f, basisSize: 10, matvecs: 49, tolerance: 0 });
    expect(length(short.x.map((value, i) => value - twice.x[i]!))).toBeLessThan(1e-9 * length(short.x));
  });

  test("an exhausted space gives the result exactly; a zero vector and a function that is not defined say so", async () => {
    const values = range(40, (i) => i % 3);
    const { x, errorEstimate, matvecs } = await matrixFunction(rotated(values), randomVector(40, 1), { f: Math.exp });
    expect([errorEstimate, matvecs]).toEqual([0, 3]);
    expect(distance(x, spectral(values, randomVector(40, 1), Math.exp))).toBeLessThan(1e-12);
    expect((await matrixFunction(rotated(values), new Float64Array(40), { f: Math.exp })).message).toBe(
      "b is zero, and so is the result",
    );
    const negative = await matrixFunction(rotated(range(40, (i) => i - 20)), randomVector(40, 1), { f: Math.log });
    expect(negative.status).toBe("indefinite");
    expect(negative.message).toMatch(/^f is not finite at the Ritz value -/);
  });
});
