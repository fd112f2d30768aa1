import { describe, expect, test } from "vitest";
import {
  eigsh,
  hostArithmetic,
  type LinearOperator,
  lanczos,
  lanczosSteps,
  powerIteration,
  type Which,
} from "../../src/linalg/index.ts";
import { column, type Matrix } from "../../src/tensors/index.ts";
import {
  counted,
  distance,
  failing,
  geometric,
  operatorOf,
  randomVector,
  range,
  rotated,
  rotatedMatrix,
} from "./knownOperators.ts";

/** Spectra that make trouble, each with its true eigenvalues. */
const spectra: Readonly<Record<string, Float64Array>> = {
  geometric: geometric(60, 0.9),
  "like a Hessian: outliers, a bulk near zero, negative tail": range(150, (i) =>
    i < 5 ? 1 / (1 + i) : i < 140 ? 1e-4 * (150 - i) : -1e-3 * (i - 139),
  ),
  "repeated largest and smallest": range(100, (i) => (i < 4 ? 7 : i > 96 ? -3 : i / 50)),
  "few distinct values": range(90, (i) => [5, 5, 2, -1, 0][i % 5]!),
  clustered: range(80, (i) => 1 + (i < 3 ? 1 + 1e-4 * i : i / 100)),
  "all negative": range(60, (i) => -1 - i),
  "rank deficient": range(100, (i) => (i < 12 ? 12 - i : 0)),
  zero: range(50, () => 0),
  identity: range(50, () => 1),
  "smaller than the basisSize": range(20, (i) => (i < 10 ? 3 : -i)),
  "size 1": Float64Array.of(-2.5),
  "size 2": Float64Array.of(4, -1),
};

const wanted: Readonly<Record<Which, (values: readonly number[], k: number) => readonly number[]>> = {
  largest: (values, k) => [...values].sort((a, b) => b - a).slice(0, k),
  smallest: (values, k) => [...values].sort((a, b) => a - b).slice(0, k),
  magnitude: (values, k) => [...values].sort((a, b) => Math.abs(b) - Math.abs(a)).slice(0, k),
  both(values, k) {
    const descending = [...values].sort((a, b) => b - a);
    const low = Math.floor(k / 2);
    return [...descending.slice(0, k - low), ...descending.slice(descending.length - low)];
  },
};

/** Largest entry of `V' V - I`. */
function lossOfOrthogonality(V: Matrix): number {
  let worst = 0;
  for (let i = 0; i < V.columns; i++) {
    for (let j = 0; j <= i; j++) {
      const [x, y] = [column(V, i), column(V, j)];
      const product = Array.from(x).reduce((so, value, r) => so + value * y[r]!, 0);
      worst = Math.max(worst, Math.abs(product - (i === j ? 1 : 0)));
    }
  }
  return worst;
}

/** Norms of `A v - value v`, computed here. */
async function residuals(
  A: LinearOperator,
  { values, vectors }: { values: Float64Array; vectors: Matrix },
): Promise<number[]> {
  const norms: number[] = [];
  for (let k = 0; k < values.length; k++) {
    const v = column(vectors, k);
    const Av = await A.matvec(v);
    norms.push(Math.hypot(...Array.from(Av, (y, i) => y - values[k]! * v[i]!)));
  }
  return norms;
}

describe("eigsh finds the ends of every spectrum, copies included", () => {
  for (const [name, values] of Object.entries(spectra)) {
    test(name, async () => {
      const scale = Math.max(...values.map(Math.abs));
      const A = rotated(values, { seed: 3 });
      for (const which of ["largest", "smallest", "both"] as const) {
        const k = Math.min(6, values.length);
        const B = counted(A);
        const result = await eigsh(B, { k, which, seed: 0, tolerance: 1e-9, matvecs: 3000 });
        expect(result.status, result.message).toBe("converged");
        expect(distance(result.values, wanted[which](Array.from(values), k))).toBeLessThanOrEqual(1e-9 * scale);
        expect(lossOfOrthogonality(result.vectors)).toBeLessThan(1e-12);
        expect(distance(result.residualNorms, await residuals(A, result))).toBeLessThanOrEqual(1e-14 * scale);
        expect(Math.max(...result.residualNorms)).toBeLessThanOrEqual(1e-9 * scale);
        expect(B.count()).toBe(result.matvecs);
      }
    });
  }

  test("by magnitude, largest absolute value first", async () => {
    const values = range(100, (i) => (i % 2 === 0 ? 1 : -1) * (100 - i));
    const result = await eigsh(rotated(values), { k: 5, which: "magnitude", seed: 0 });
    expect(distance(result.values, [100, -99, 98, -97, 96])).toBeLessThan(1e-8 * 100);
    expect(result.status).toBe("converged");
  });

  test("all eigenvalues of a matrix that fits into the basis, with n + k products", async () => {
    const values = range(30, (i) => Math.cos(i));
    const result = await eigsh(rotated(values), { k: 30, seed: 0 });
    expect(distance(result.values, Float64Array.from(values).sort().reverse())).toBeLessThan(1e-13);
    expect(result).toMatchObject({ status: "converged", matvecs: 60 });
  });

  test("float32 operators of every spectrum, with a tolerance that fits them", async () => {
    for (const [name, values] of Object.entries(spectra)) {
      const scale = Math.max(...values.map(Math.abs));
      for (const which of ["largest", "both"] as const) {
        const k = Math.min(4, values.length);
        const result = await eigsh(rotated(values, { dtype: "float32" }), { k, which, seed: 0 });
        expect(result.status, `${name}: ${result.message}`).toBe("converged");
        expect(distance(result.values, wanted[which](Array.from(values), k))).toBeLessThanOrEqual(1e-4 * scale);
        expect(lossOfOrthogonality(result.vectors)).toBeLessThan(1e-5);
        expect(result.vectors.data).toBeInstanceOf(Float32Array);
      }
    }
  });

  test("a tolerance below the rounding of float32 products ends as stagnated", async () => {
    const result = await eigsh(rotated(geometric(100, 0.5), { dtype: "float32" }), { k: 2, seed: 0, tolerance: 1e-12 });
    expect(result.status).toBe("stagnated");
    expect(result.message).toMatch(
      /though the recurrence says all have: products are rounded; loosen tolerance, or use a float64 operator; checkSymmetric tells .*$/,
    );
  });
});

describe("eigsh and its budget", () => {
  const values = range(300, (i) => 1 + i / 300);
  test("is never exceeded, and what it gave is returned with true residuals", async () => {
    for (const matvecs of [8, 9, 20, 35, 50, 77]) {
      const A = counted(rotated(values));
      const result = await eigsh(A, { k: 4, seed: 0, matvecs, basisSize: 16 });
      expect(A.count()).toBe(result.matvecs);
      expect(result.matvecs).toBeLessThanOrEqual(matvecs);
      expect(result.matvecs).toBeGreaterThan(matvecs - 2);
      expect(result.status).toBe("budget");
      expect(result.message).toMatch(
        /of 4 eigenpairs have residuals below 1e-8 .*; raise matvecs or basisSize, or loosen tolerance$/,
      );
      expect(distance(result.residualNorms, await residuals(rotated(values), result))).toBeLessThan(1e-13);
    }
  });

  test("is spent on steps, looked at every eighth, k true residuals and the search for copies", async () => {
    const spectrum = geometric(300, 0.5);
    const quick = await eigsh(rotated(spectrum), { k: 3, seed: 0, copies: false });
    expect(quick.matvecs).toBeLessThan(64);
    expect((quick.matvecs - 3) % 8).toBe(0);
    expect(quick.message).toContain("further copies of repeated eigenvalues were not looked for");
    const sure = await eigsh(rotated(spectrum), { k: 3, seed: 0 });
    expect(sure.matvecs).toBeLessThanOrEqual(2 * quick.matvecs);
    expect(sure).toMatchObject({ status: "converged", message: expect.stringContaining("and no copy is missing") });
    const tight = await eigsh(rotated(spectrum), { k: 3, seed: 0, matvecs: quick.matvecs });
    expect(tight).toMatchObject({
      status: "budget",
      message: expect.stringContaining("the search for further copies of repeated eigenvalues has not come to its end"),
    });
    expect(distance(tight.values, [1, 0.5, 0.25])).toBeLessThan(1e-8);
  });

  test("without the search for copies a single Krylov sequence misses them", async () => {
    const spectrum = range(100, (i) => (i < 2 ? 10 : i === 2 ? 9 : i / 100));
    const options = { k: 2, seed: 0, basisSize: 8, tolerance: 1e-3 };
    const alone = await eigsh(rotated(spectrum), { ...options, copies: false });
    expect(alone.status).toBe("converged");
    expect(alone.values[1]).toBeCloseTo(9, 3);
    const both = await eigsh(rotated(spectrum), options);
    expect(distance(both.values, [10, 10])).toBeLessThan(1e-5);
  });

  test("after NaN in product 7 it gives what six products told", async () => {
    const A = failing(rotated(geometric(100, 0.3)), 7, (y) => y.fill(Number.NaN));
    const result = await eigsh(A, { k: 2, seed: 0 });
    expect(result).toMatchObject({ status: "nonfinite", matvecs: 7 });
    expect(Math.abs(result.values[0]! - 1)).toBeLessThan(1e-2);
    const true_ = await residuals(rotated(geometric(100, 0.3)), result);
    expect(distance(result.residualNorms, true_)).toBeLessThan(1e-12);
  });
});

test("eigsh refuses what it cannot do", async () => {
  const A = rotated(geometric(10, 0.5));
  const refused = (options: Partial<Parameters<typeof eigsh>[1]>) =>
    expect(eigsh(A, { k: 2, seed: 0, ...options })).rejects;
  await refused({ k: 11 }).toThrow("eigsh expects k of at most 10, the order of the matrix, got 11");
  await refused({ k: 0 }).toThrow("eigsh expects k to be a positive integer, got 0");
  await refused({ which: "inner" as Which }).toThrow(
    'eigsh expects which to be "largest", "smallest", "magnitude" or "both", got "inner"',
  );
  await refused({ basisSize: 3 }).toThrow("eigsh expects basisSize to be at least k + 2 = 4, got 3");
  await refused({ matvecs: 3 }).toThrow(
    "eigsh expects matvecs to be at least 2 k = 4 (k steps and k residuals), got 3",
  );
  await refused({ tolerance: -1 }).toThrow("eigsh expects tolerance to be zero or a positive finite number, got -1");
});

describe("lanczos", () => {
  test("tridiagonalizes: Q' A Q = T and A Q = Q T + beta q e', with Q orthonormal", async () => {
    const dense = rotatedMatrix(range(80, (i) => (i < 2 ? 1e4 : Math.sin(i))));
    const A = operatorOf(dense);
    const { basis, alpha, beta, residualNorm, status, matvecs } = await lanczos(A, { steps: 25, seed: 0 });
    expect([status, matvecs, basis.columns]).toEqual(["converged", 25, 25]);
    expect(lossOfOrthogonality(basis)).toBeLessThan(1e-14 * 80);
    for (let j = 0; j < 25; j++) {
      const left = await A.matvec(column(basis, j));
      const subtract = (c: number, k: number) => {
        for (const [i, q] of column(basis, k).entries()) left[i] = left[i]! - c * q;
      };
      subtract(alpha[j]!, j);
      if (j > 0) subtract(beta[j - 1]!, j - 1);
      if (j < 24) subtract(beta[j]!, j + 1);
      expect(Math.abs(Math.hypot(...left) - (j === 24 ? residualNorm : 0))).toBeLessThan(1e-8);
    }
  });

  test("stops where the Krylov space ends, and says that it is exact there", async () => {
    const A = rotated(range(40, (i) => [1, 2, 5][i % 3]!));
    const result = await lanczos(A, { steps: 10, seed: 0 });
    expect(result).toMatchObject({ status: "breakdown", matvecs: 3, residualNorm: 0 });
    expect(result.message).toMatch(
      /^the Krylov space is exhausted after 3 of 10 steps, so T is exact on it; for the rest/,
    );
    const whole = await lanczos(A, { steps: 50, seed: 0, breakdown: "continue" });
    expect(whole).toMatchObject({ status: "converged", matvecs: 40 });
    expect(whole.message).toBe("the basis spans the whole space after 40 of 50 steps, so T has all eigenvalues");
    const trace = whole.alpha.reduce((so, x) => so + x, 0);
    expect(trace).toBeCloseTo(
      range(40, (i) => [1, 2, 5][i % 3]!).reduce((so, x) => so + x, 0),
      10,
    );
  });

  test("keeps a float32 basis orthogonal to its rounding and coefficients in float64", async () => {
    const A = rotated(
      range(200, (i) => (i === 0 ? 1000 : Math.sin(i))),
      { dtype: "float32" },
    );
    const { basis, alpha } = await lanczos(A, { steps: 60, seed: 0 });
    expect(basis.data).toBeInstanceOf(Float32Array);
    expect(alpha).toBeInstanceOf(Float64Array);
    expect(lossOfOrthogonality(basis)).toBeLessThan(1e-6);
  });

  test("leaves the basis to the operator's arithmetic where it has one, and makes a second pass only when needed", async () => {
    let projections = 0;
    const project = (Q: Matrix, v: Float64Array | Float32Array) => {
      projections++;
      return hostArithmetic.project(Q, v);
    };
    const A = rotated(geometric(100, 0.9));
    const result = await lanczos({ ...A, arithmetic: { ...hostArithmetic, project } }, { steps: 20, seed: 0 });
    expect(projections).toBe(20);
    expect(distance(result.alpha, (await lanczos(A, { steps: 20, seed: 0 })).alpha)).toBe(0);
  });

  test("starts from a given vector and refuses the zero vector", async () => {
    const A = rotated(geometric(30, 0.9));
    const start = randomVector(30, 1);
    const { basis } = await lanczos(A, { steps: 3, start });
    const length = Math.hypot(...start);
    expect(
      distance(
        column(basis, 0),
        start.map((x) => x / length),
      ),
    ).toBeLessThan(1e-15);
    await expect(lanczos(A, { steps: 3, start: new Float64Array(30) })).rejects.toThrow(
      "lanczos expects a start vector other than zero; leave it out for a random one",
    );
    await expect(lanczos(A, { steps: 3, start: new Float64Array(29) })).rejects.toThrow(
      "lanczos expects start to be a Float32Array or Float64Array of 30 entries as the operator has columns, got 29 entries",
    );
    const infinite = start.slice().fill(Number.POSITIVE_INFINITY, 4, 5);
    await expect(lanczos(A, { steps: 3, start: infinite })).rejects.toThrow(
      "lanczos expects start to be finite, got Infinity at entry 4; look for where it was computed",
    );
  });

  test("states stay as they were while the run goes on", async () => {
    const kept: { readonly copy: unknown; readonly state: unknown }[] = [];
    for await (const state of lanczosSteps(rotated(geometric(30, 0.9)), { steps: 10, seed: 0 })) {
      kept.push({ state, copy: structuredClone(state) });
    }
    for (const { state, copy } of kept) expect(state).toEqual(copy);
  });
});

describe("powerIteration", () => {
  test("finds the eigenvalue of largest absolute value and a true residual", async () => {
    const values = range(60, (i) => (i === 7 ? -3 : i / 40));
    const A = counted(rotated(values));
    const result = await powerIteration(A, { seed: 0, tolerance: 1e-8 });
    expect(result.status, result.message).toBe("converged");
    expect(result.value).toBeCloseTo(-3, 12);
    expect(A.count()).toBe(result.matvecs);
    const [residual] = await residuals(A, {
      values: Float64Array.of(result.value),
      vectors: { rows: 60, columns: 1, data: result.vector },
    });
    expect(Math.abs(residual! - result.residualNorm)).toBeLessThan(1e-14);
  });
  test("says what to do where two eigenvalues are of one size", async () => {
    const result = await powerIteration(rotated(range(20, (i) => (i === 0 ? 1 : i === 1 ? -1 : 0.1))), {
      seed: 0,
      matvecs: 50,
    });
    expect(result).toMatchObject({ status: "budget", matvecs: 50 });
    expect(result.message).toMatch(/or use eigsh where two eigenvalues are of nearly the same size$/);
  });
  test("zero, size 1, and one product", async () => {
    expect(await powerIteration(rotated([0, 0, 0]), { seed: 0 })).toMatchObject({
      value: 0,
      residualNorm: 0,
      status: "converged",
      matvecs: 1,
    });
    expect(await powerIteration(rotated([-4]), { seed: 0 })).toMatchObject({
      value: -4,
      residualNorm: 0,
      status: "converged",
    });
    expect(await powerIteration(rotated([3, 1]), { seed: 0, matvecs: 1 })).toMatchObject({
      status: "budget",
      matvecs: 1,
    });
  });
});
