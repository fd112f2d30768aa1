import { describe, expect, test } from "vitest";
import {
  checkAdjoint,
  checkPsd,
  checkSymmetric,
  dense,
  diagonal,
  functionOperator,
  identity,
  type LinearOperator,
  lowRank,
  scale,
} from "../../src/linalg/index.ts";
import { diagonalMatrix, product, randomMatrix, randomSpd, randomSymmetric, transposed } from "./randomMatrices.ts";

function counting(A: LinearOperator, count: { products: number }): LinearOperator {
  const { shape, dtype, symmetric, psd } = A;
  const matvec: LinearOperator["matvec"] = (x) => {
    count.products++;
    return A.matvec(x);
  };
  return { shape, dtype, symmetric, psd, matvec, ...(A.adjoint && { adjoint: () => counting(A.adjoint!(), count) }) };
}

describe("checkSymmetric", () => {
  test.each([1, 2, 30])("passes symmetric matrices of %i rows and counts its products", async (n) => {
    const count = { products: 0 };
    const result = await checkSymmetric(counting(dense(randomSymmetric(n, 1)), count), { seed: 0 });
    expect(result.passed).toBe(true);
    expect(result.worst).toBeLessThan(1e-14);
    expect([result.matvecs, count.products]).toEqual([8, 8]);
    expect(result.message).toMatch(
      /^u' A v = v' A u holds for 28 pairs of random vectors: the largest relative difference is .*, tolerance 1e-9$/,
    );
  });

  test("finds an asymmetry of 1e-6, whatever the operator declares", async () => {
    const M = randomSymmetric(30, 2);
    M.data[5] = M.data[5]! * (1 + 1e-5);
    const liar = { ...dense(M), symmetric: true };
    const result = await checkSymmetric(liar, { seed: 0 });
    expect(result.passed).toBe(false);
    expect(result.worst).toBeGreaterThan(1e-9);
    expect(result.message).toMatch(/fails/);
    expect((await checkSymmetric(liar, { seed: 0, tolerance: 1e-4 })).passed).toBe(true);
  });

  test("passes the zero operator, fails products that are not finite, repeats with its seed", async () => {
    expect(await checkSymmetric(scale(identity(3), 0), { seed: 0 })).toMatchObject({ passed: true, worst: 0 });
    const broken = functionOperator({ shape: [3, 3], matvec: () => new Float64Array(3).fill(Number.NaN) });
    const result = await checkSymmetric(broken, { seed: 0 });
    expect(result.passed).toBe(false);
    expect(result.message).toContain("a product has entries that are infinite or NaN");
    const A = dense(randomMatrix(5, 5, 3));
    expect(await checkSymmetric(A, { seed: 1 })).toEqual(await checkSymmetric(A, { seed: 1 }));
    expect(await checkSymmetric(A, { seed: 1 })).not.toEqual(await checkSymmetric(A, { seed: 2 }));
  });

  test("takes float32 rounding for what it is", async () => {
    const M = randomSymmetric(200, 4);
    const A = dense({ ...M, data: Float32Array.from(M.data) });
    expect(await checkSymmetric(A, { seed: 0 })).toMatchObject({ passed: true });
    expect(await checkSymmetric(A, { seed: 0, tolerance: 1e-12 })).toMatchObject({ passed: false });
  });
});

describe("checkAdjoint", () => {
  test.each([
    [1, 1],
    [3, 20],
    [20, 3],
  ])("passes the transpose of %i x %i and counts its products", async (m, n) => {
    const count = { products: 0 };
    const result = await checkAdjoint(counting(dense(randomMatrix(m, n, 5)), count), { seed: 0, matvecs: 9 });
    expect(result.passed).toBe(true);
    expect([result.matvecs, count.products]).toEqual([8, 8]);
  });

  test("fails another matrix", async () => {
    const M = randomMatrix(6, 4, 6);
    const N = transposed(M);
    N.data[3] = N.data[3]! + 1e-5;
    const times = (X: typeof M) => (x: ArrayLike<number>) =>
      product(X, { rows: x.length, columns: 1, data: Float64Array.from(x) }).data;
    const A = functionOperator({ shape: [6, 4], matvec: times(M), adjoint: times(N) });
    expect(await checkAdjoint(A, { seed: 0 })).toMatchObject({
      passed: false,
      message: expect.stringContaining("fails"),
    });
  });

  test("judges the symmetry of an operator that claims it", async () => {
    const liar = functionOperator({ shape: [2, 2], matvec: (x) => Float64Array.of(x[1]!, 0), symmetric: true });
    expect((await checkAdjoint(liar, { seed: 0 })).passed).toBe(false);
    expect((await checkAdjoint(identity(2), { seed: 0 })).passed).toBe(true);
  });

  test("refuses an operator without an adjoint, or with one of another shape", async () => {
    const A = dense(randomMatrix(2, 3, 7));
    await expect(checkAdjoint({ ...A, adjoint: () => A }, { seed: 0 })).rejects.toThrow(
      "checkAdjoint expects an adjoint of shape [3, 2], got [2, 3]",
    );
    const oneWay = functionOperator({ shape: [2, 3], matvec: () => new Float64Array(2) });
    await expect(checkAdjoint(oneWay, { seed: 0 })).rejects.toThrow(
      /adjoint expects an operator that is symmetric or has adjoint/,
    );
  });
});

describe("checkPsd", () => {
  test.each([1, 2, 50])("passes positive definite matrices of %i rows and counts its products", async (n) => {
    const count = { products: 0 };
    const result = await checkPsd(counting(dense(randomSpd(n, 8)), count), { seed: 0 });
    expect(result).toMatchObject({ passed: true, worst: 0, matvecs: Math.min(20, n) });
    expect(count.products).toBe(Math.min(20, n));
  });

  test("passes a matrix of rank 2 after 3 products", async () => {
    const result = await checkPsd(lowRank(randomMatrix(40, 2, 9), Float64Array.of(1, 3)), { seed: 0 });
    expect(result).toMatchObject({ passed: true, matvecs: 3 });
  });

  test("finds one small negative eigenvalue among 200, which random vectors do not see", async () => {
    const d = Float64Array.from({ length: 200 }, (_, i) => 1 + i / 200);
    d[77] = -0.05;
    const result = await checkPsd(diagonal(d), { seed: 0, matvecs: 40 });
    expect(result.passed).toBe(false);
    expect(result.worst).toBeGreaterThan(0.02);
    expect(result.worst).toBeLessThan(0.026);
    expect(result.message).toMatch(
      /^x' A x >= 0 fails in the Krylov space of 40 products: the least x' A x \/ x' x is -0.0/,
    );
  });

  test("judges the symmetric part of what is not symmetric", async () => {
    const rotation = dense({ rows: 2, columns: 2, data: Float64Array.of(0.1, 1, -1, 0.1) });
    expect((await checkPsd(rotation, { seed: 0 })).passed).toBe(true);
    expect((await checkPsd(dense(diagonalMatrix([-1])), { seed: 0 })).worst).toBe(1);
  });

  test("passes the zero operator and fails products that are not finite", async () => {
    expect(await checkPsd(scale(identity(3), 0), { seed: 0 })).toMatchObject({ passed: true, worst: 0 });
    const broken = functionOperator({ shape: [3, 3], matvec: () => new Float64Array(3).fill(Number.NaN) });
    const result = await checkPsd(broken, { seed: 0 });
    expect(result).toMatchObject({ passed: false, worst: Number.NaN });
    expect(result.message).toBe("x' A x >= 0 fails: a product has entries that are infinite or NaN");
  });

  test("stops when the signal says so", async () => {
    const controller = new AbortController();
    const stop = checkPsd(dense(randomSpd(9, 10)), {
      seed: 0,
      signal: controller.signal,
      onProgress: ({ done }) => done === 2 && controller.abort(),
    });
    await expect(stop).rejects.toThrow("checkPsd was aborted after 2 of 9 products");
  });
});

test("options are checked", async () => {
  const A = identity(3);
  for (const check of [checkSymmetric, checkAdjoint, checkPsd]) {
    await expect(check(A, {} as { seed: number })).rejects.toThrow(/expects seed to be a finite number/);
    await expect(check(A, { seed: 0, matvecs: 0 })).rejects.toThrow(/expects matvecs to be a positive integer, got 0/);
    await expect(check(A, { seed: 0, tolerance: -1 })).rejects.toThrow(
      /expects tolerance to be zero or a positive finite number, got -1/,
    );
  }
  await expect(checkSymmetric(A, { seed: 0, matvecs: 1 })).rejects.toThrow(/matvecs of at least 2, got 1/);
  await expect(checkAdjoint(A, { seed: 0, matvecs: 1 })).rejects.toThrow(/matvecs of at least 2, got 1/);
  const rectangular = dense(randomMatrix(2, 3, 0));
  await expect(checkSymmetric(rectangular, { seed: 0 })).rejects.toThrow(/expects a square operator/);
  await expect(checkPsd(rectangular, { seed: 0 })).rejects.toThrow(/expects a square operator/);
});
