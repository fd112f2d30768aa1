import { afterEach, describe, expect, test, vi } from "vitest";
import type * as Dense from "../../src/linalg/dense/index.ts";
import type { Matrix } from "../../src/tensors/index.ts";
import {
  diagonalMatrix,
  identityMatrix,
  product,
  randomMatrix,
  randomSpd,
  randomSymmetric,
  relativeDifference,
  transposed,
} from "./randomMatrices.ts";

const SIZES = [1, 2, 3, 100, 300];
const range = (n: number) => Array.from({ length: n }, (_, i) => i);

afterEach(() => {
  vi.restoreAllMocks();
  vi.resetModules();
});

/** `-1, 2, -1`, whose eigenvalues are `4 sin^2(k pi / (2 n + 2))`. */
function secondDifferences(n: number): Matrix {
  const data = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    data[i * n + i] = 2;
    if (i > 0) data[i * n + i - 1] = data[(i - 1) * n + i] = -1;
  }
  return { rows: n, columns: n, data };
}
const secondDifferenceValues = (n: number) =>
  Array.from({ length: n }, (_, k) => 4 * Math.sin(((k + 1) * Math.PI) / (2 * n + 2)) ** 2);

/** The door with these kernels behind it, or nothing where this system has no LAPACK. */
async function doorTo(kernels: "eigen" | "lapack"): Promise<typeof Dense | undefined> {
  vi.resetModules();
  vi.stubEnv("ONNX_CURVATURE_DENSE", kernels);
  try {
    const { denseKernels } = await import("#dense");
    expect((await denseKernels()).name).toBe(kernels);
    return await import("../../src/linalg/dense/index.ts");
  } catch (error) {
    if (kernels === "eigen" || process.env.ONNX_CURVATURE_REQUIRE_ALL) throw error;
    return undefined;
  } finally {
    vi.unstubAllEnvs();
  }
}

const wasm = (await doorTo("eigen"))!;
const lapack = await doorTo("lapack");
const doors: readonly [name: string, door: typeof Dense][] = [
  ["WebAssembly", wasm],
  ...(lapack ? [["LAPACK", lapack] as [string, typeof Dense]] : []),
];

describe.each(doors)("%s", (_, door) => {
  const { cholesky, choleskySolve, eig, eigh, qr, realSchur, svd, tridiagonalEigh } = door;

  describe("eigh", () => {
    test.each(SIZES)("satisfies A V = V diag(w), V'V = I and ascends for n = %i", async (n) => {
      const A = randomSymmetric(n, 1);
      const before = A.data.slice();
      const { values, vectors } = await eigh(A);
      expect(A.data).toEqual(before);
      expect(relativeDifference(product(A, vectors).data, product(vectors, diagonalMatrix(values)).data)).toBeLessThan(
        1e-12,
      );
      expect(relativeDifference(product(transposed(vectors), vectors).data, identityMatrix(n).data)).toBeLessThan(
        1e-12,
      );
      expect(values.toSorted()).toEqual(values);
    });

    test("gives the closed-form eigenvalues of second differences", async () => {
      const { values } = await eigh(secondDifferences(100));
      expect(relativeDifference(values, secondDifferenceValues(100))).toBeLessThan(1e-13);
    });

    test.each([1e-300, 1e300])("keeps relative accuracy for entries of size %f", async (size) => {
      const A = secondDifferences(10);
      const { values } = await eigh({ ...A, data: A.data.map((value) => value * size) });
      expect(
        relativeDifference(
          values,
          secondDifferenceValues(10).map((value) => value * size),
        ),
      ).toBeLessThan(1e-13);
    });

    test("takes float32 entries and computes in float64", async () => {
      const A = randomSymmetric(20, 2);
      const rounded = { ...A, data: Float32Array.from(A.data) };
      const exact = await eigh({ ...A, data: Float64Array.from(rounded.data) });
      expect((await eigh(rounded)).values).toEqual(exact.values);
    });

    test("replaces a matrix that is symmetric up to rounding by its symmetric part", async () => {
      const A = randomSymmetric(10, 3);
      const noisy = A.data.map((value, at) => value + (at % 10 < Math.floor(at / 10) ? 1e-5 : 0));
      const noisier = A.data.map(
        (value, at) => value + (at % 10 < Math.floor(at / 10) ? 5e-6 : at % 11 === 0 ? 0 : 5e-6),
      );
      const [a, b] = [await eigh({ ...A, data: noisy }), await eigh({ ...A, data: noisier })];
      expect(relativeDifference(a.values, b.values)).toBeLessThan(1e-13);
    });

    test("has the identity's eigenvalues for zero and one matrices", async () => {
      expect((await eigh({ rows: 3, columns: 3, data: new Float64Array(9) })).values).toEqual(new Float64Array(3));
      expect((await eigh(identityMatrix(3))).values).toEqual(Float64Array.of(1, 1, 1));
    });
  });

  describe("tridiagonalEigh", () => {
    test.each(SIZES)("agrees with closed-form values and reconstructs for n = %i", async (n) => {
      const { values, vectors } = await tridiagonalEigh(new Float64Array(n).fill(2), new Float64Array(n - 1).fill(-1));
      expect(relativeDifference(values, secondDifferenceValues(n))).toBeLessThan(1e-13);
      const rebuilt = product(product(vectors, diagonalMatrix(values)), transposed(vectors));
      expect(relativeDifference(rebuilt.data, secondDifferences(n).data)).toBeLessThan(1e-12);
    });

    test("agrees with eigh of the dense matrix", async () => {
      const n = 50;
      const A = randomMatrix(n, 2, 4);
      const [d, e] = [A.data.slice(0, n), A.data.slice(n, 2 * n - 1)];
      const T = diagonalMatrix(d);
      for (let i = 0; i < n - 1; i++) T.data[i * n + i + 1] = T.data[(i + 1) * n + i] = e[i]!;
      expect(relativeDifference((await tridiagonalEigh(d, e)).values, (await eigh(T)).values)).toBeLessThan(1e-13);
    });

    test.each([1e-300, 1e300])("keeps relative accuracy for entries of size %f", async (size) => {
      const [d, e] = [new Float64Array(10).fill(2 * size), new Float64Array(9).fill(-size)];
      const { values } = await tridiagonalEigh(d, e);
      expect(
        relativeDifference(
          values,
          secondDifferenceValues(10).map((value) => value * size),
        ),
      ).toBeLessThan(1e-13);
    });

    test("refuses lengths that do not fit and entries that are not finite", async () => {
      await expect(tridiagonalEigh(new Float64Array(0), new Float64Array(0))).rejects.toThrow(
        /diagonal of n >= 1 entries.* got 0 and 0/,
      );
      await expect(tridiagonalEigh(new Float64Array(3), new Float64Array(3))).rejects.toThrow(/n - 1, got 3 and 3/);
      await expect(tridiagonalEigh(Float64Array.of(1, 2), Float64Array.of(Number.NaN))).rejects.toThrow(
        /finite entries, got NaN at entry 0/,
      );
    });
  });

  describe("cholesky", () => {
    test.each(SIZES)("satisfies L L' = A with L lower triangular for n = %i", async (n) => {
      const A = randomSpd(n, 5);
      const L = await cholesky(A);
      expect(relativeDifference(product(L, transposed(L)).data, A.data)).toBeLessThan(1e-13);
      for (let j = 0; j < n; j++) for (let i = 0; i < j; i++) expect(L.data[j * n + i]).toBe(0);
      for (let i = 0; i < n; i++) expect(L.data[i * n + i]).toBeGreaterThan(0);
    });

    test.each([1, 7, 130, 299])("names the first pivot that is not positive, row %i of 300", async (row) => {
      // L D L' with unit lower triangular L has the pivots D.
      const n = 300;
      const L = randomMatrix(n, n, 6);
      for (let j = 0; j < n; j++) for (let i = 0; i < n; i++) L.data[j * n + i]! *= i > j ? 0.1 : 0;
      for (let i = 0; i < n; i++) L.data[i * n + i] = 1;
      const pivots = Array.from({ length: n }, (_, i) => (i >= row ? -2.5 : 1));
      const A = product(product(L, diagonalMatrix(pivots)), transposed(L));
      await expect(cholesky(A)).rejects.toMatchObject({
        code: "numeric",
        message: `cholesky expects a positive definite matrix, got pivot -2.50 in row ${row} of 300; add damping`,
      });
    });

    test("refuses a semidefinite matrix", async () => {
      await expect(cholesky(diagonalMatrix([1, 0]))).rejects.toThrow(/pivot 0.00 in row 1 of 2/);
    });
  });

  describe("choleskySolve", () => {
    test.each(SIZES)("solves A X = B for n = %i", async (n) => {
      const [A, B] = [randomSpd(n, 7), randomMatrix(n, 3, 8)];
      const X = await choleskySolve(await cholesky(A), B);
      expect(relativeDifference(product(A, X).data, B.data)).toBeLessThan(1e-11);
    });

    test("does not read the upper triangle", async () => {
      const [L, B] = [{ rows: 2, columns: 2, data: Float64Array.of(2, 1, 99, 1) }, randomMatrix(2, 1, 9)];
      const A = { rows: 2, columns: 2, data: Float64Array.of(4, 2, 2, 2) };
      expect(relativeDifference(product(A, await choleskySolve(L, B)).data, B.data)).toBeLessThan(1e-14);
    });

    test("refuses other rows and zero pivots", async () => {
      await expect(choleskySolve(identityMatrix(2), randomMatrix(3, 1, 0))).rejects.toThrow(
        /B with 2 rows as L has, got 3 x 1/,
      );
      await expect(choleskySolve(diagonalMatrix([1, 0]), randomMatrix(2, 1, 0))).rejects.toThrow(
        /zeros on its diagonal, got 0 at 1/,
      );
    });
  });

  describe("qr", () => {
    test.each([
      [1, 1],
      [2, 1],
      [1, 2],
      [100, 100],
      [300, 40],
      [40, 300],
    ])("satisfies A = Q R, Q'Q = I for %i x %i", async (m, n) => {
      const A = randomMatrix(m, n, 10);
      const p = Math.min(m, n);
      const { Q, R } = await qr(A);
      expect([Q.rows, Q.columns, R.rows, R.columns]).toEqual([m, p, p, n]);
      expect(relativeDifference(product(Q, R).data, A.data)).toBeLessThan(1e-13);
      expect(relativeDifference(product(transposed(Q), Q).data, identityMatrix(p).data)).toBeLessThan(1e-13);
      for (let j = 0; j < n; j++) for (let i = j + 1; i < p; i++) expect(R.data[j * p + i]).toBe(0);
    });

    test("keeps Q orthonormal where columns depend on each other", async () => {
      const a = randomMatrix(30, 1, 11).data;
      const { Q, R } = await qr({ rows: 30, columns: 2, data: Float64Array.of(...a, ...a) });
      expect(relativeDifference(product(transposed(Q), Q).data, identityMatrix(2).data)).toBeLessThan(1e-13);
      expect(Math.abs(R.data[3]!)).toBeLessThan(1e-13);
    });
  });

  describe("the door", () => {
    const bad: [string, Matrix, RegExp][] = [
      ["empty", { rows: 0, columns: 0, data: new Float64Array(0) }, /at least 1 x 1, got 0 x 0/],
      ["short data", { rows: 2, columns: 2, data: new Float64Array(3) }, /2 x 2 = 4 entries in data, got 3/],
      ["NaN", { rows: 1, columns: 2, data: Float64Array.of(0, Number.NaN) }, /finite entries, got NaN at entry 1/],
    ];
    test.each(bad)("refuses %s", async (_, A, message) => {
      await expect(eigh(A)).rejects.toThrow(message);
      await expect(cholesky(A)).rejects.toThrow(message);
      await expect(qr(A)).rejects.toThrow(message);
      await expect(choleskySolve(A, A)).rejects.toThrow(message);
    });

    test("refuses what is not square or not symmetric", async () => {
      await expect(eigh(randomMatrix(2, 3, 0))).rejects.toMatchObject({
        code: "shape",
        message: expect.stringMatching(/square matrix, got 2 x 3/),
      });
      await expect(cholesky({ rows: 2, columns: 2, data: Float64Array.of(1, 2, 3, 4) })).rejects.toThrow(
        "cholesky expects a symmetric matrix, got 3 at (0, 1) and 2 at (1, 0)",
      );
    });
  });

  describe("svd", () => {
    test.each([
      [1, 1],
      [2, 1],
      [1, 2],
      [60, 60],
      [200, 30],
      [30, 200],
    ])("satisfies A = U diag(s) V' with orthonormal factors for %i x %i", async (m, n) => {
      const A = randomMatrix(m, n, 20);
      const p = Math.min(m, n);
      const { U, values, V } = await svd(A);
      expect([U.rows, U.columns, V.rows, V.columns]).toEqual([m, p, n, p]);
      const rebuilt = product(product(U, diagonalMatrix(values)), transposed(V));
      expect(relativeDifference(rebuilt.data, A.data)).toBeLessThan(1e-12);
      for (const Q of [U, V]) {
        expect(relativeDifference(product(transposed(Q), Q).data, identityMatrix(p).data)).toBeLessThan(1e-12);
      }
      expect(values.toSorted().toReversed()).toEqual(values);
      expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    });

    test("squares to the eigenvalues of A'A, and keeps relative accuracy at every size", async () => {
      const A = randomMatrix(40, 12, 21);
      const { values } = await eigh(product(transposed(A), A));
      for (const size of [1, 1e-300, 1e300]) {
        const s = (await svd({ ...A, data: A.data.map((value) => value * size) })).values;
        expect(relativeDifference(s.map((value) => (value / size) ** 2).toReversed(), values)).toBeLessThan(1e-12);
      }
    });

    test("of zero and of rank one", async () => {
      expect((await svd({ rows: 3, columns: 2, data: new Float64Array(6) })).values).toEqual(new Float64Array(2));
      const { values } = await svd({ rows: 2, columns: 2, data: Float64Array.of(3, 4, 3, 4) });
      expect(values[0]).toBeCloseTo(Math.sqrt(50), 13);
      expect(values[1]).toBeLessThan(1e-14);
    });
  });

  describe("realSchur and eig", () => {
    test.each([1, 2, 3, 40, 120])("satisfy A = Q T Q' and A v = value v for n = %i", async (n) => {
      const A = randomMatrix(n, n, 22);
      const { T, Q } = await realSchur(A);
      expect(relativeDifference(product(product(Q, T), transposed(Q)).data, A.data)).toBeLessThan(1e-11);
      expect(relativeDifference(product(transposed(Q), Q).data, identityMatrix(n).data)).toBeLessThan(1e-12);
      for (let j = 0; j < n; j++) {
        for (let i = j + 2; i < n; i++) expect(Math.abs(T.data[j * n + i]!)).toBe(0);
        // No two blocks touch: a block on the diagonal is at most 2 x 2.
        if (j + 2 < n) expect(Math.abs(T.data[j * n + j + 1]! * T.data[(j + 1) * n + j + 2]!)).toBe(0);
      }
      const { real, imaginary, vectors } = await eig(A);
      const D = diagonalMatrix(real);
      for (let i = 0; i < n; i++) {
        if (!(imaginary[i]! > 0)) continue;
        expect([real[i + 1], imaginary[i + 1]]).toEqual([real[i], -imaginary[i]!]);
        // A (x + i y) = (a + i b)(x + i y): the columns x, y go to a x - b y, b x + a y.
        D.data[i * n + i + 1] = -imaginary[i]!;
        D.data[(i + 1) * n + i] = imaginary[i]!;
      }
      expect(relativeDifference(product(A, vectors).data, product(vectors, D).data)).toBeLessThan(1e-9);
      const trace = real.reduce((so, value) => so + value, 0);
      expect(trace).toBeCloseTo(
        range(n).reduce((so, i) => so + A.data[i * n + i]!, 0),
        9,
      );
    });

    test("have the roots of unity of a cyclic shift", async () => {
      const n = 12;
      const shift = { rows: n, columns: n, data: new Float64Array(n * n) };
      for (let j = 0; j < n; j++) shift.data[j * n + ((j + 1) % n)] = 1;
      const { real, imaginary } = await eig(shift);
      const angles = Array.from(real, (re, i) => Math.atan2(imaginary[i]!, re)).sort((a, b) => a - b);
      real.forEach((re, i) => {
        expect(Math.hypot(re, imaginary[i]!)).toBeCloseTo(1, 12);
      });
      angles.slice(0, -1).forEach((angle, i) => {
        expect(angles[i + 1]! - angle).toBeCloseTo((2 * Math.PI) / n, 10);
      });
    });

    test("refuse what is not square or not finite", async () => {
      await expect(realSchur(randomMatrix(2, 3, 0))).rejects.toThrow("realSchur expects a square matrix, got 2 x 3");
      await expect(eig({ rows: 1, columns: 1, data: Float64Array.of(Number.NaN) })).rejects.toThrow(/finite entries/);
      await expect(svd({ rows: 0, columns: 0, data: new Float64Array(0) })).rejects.toThrow(/at least 1 x 1/);
    });
  });
});

describe("the choice of kernels", () => {
  const refused = {
    load: () => {
      throw new Error("no such library");
    },
  };
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.doUnmock("koffi");
  });
  test("is WebAssembly where there is no LAPACK, and an error where LAPACK is asked for", async () => {
    vi.doMock("koffi", () => ({ default: refused }));
    const first = await import("#dense");
    expect((await first.denseKernels()).name).toBe("eigen");
    vi.resetModules();
    vi.stubEnv("ONNX_CURVATURE_DENSE", "lapack");
    const second = await import("#dense");
    await expect(second.denseKernels()).rejects.toThrow(
      /^ONNX_CURVATURE_DENSE=lapack expects the package koffi and one of libopenblas.so.0, .* found none; install them/,
    );
  });
  test.runIf(lapack)("gives the same numbers to rounding", async () => {
    const A = randomSpd(80, 30);
    for (const name of ["eigh", "svd"] as const) {
      expect(relativeDifference((await lapack![name](A)).values, (await wasm[name](A)).values)).toBeLessThan(1e-12);
    }
    const [L, M] = [await lapack!.cholesky(A), await wasm.cholesky(A)];
    expect(relativeDifference(L.data, M.data)).toBeLessThan(1e-12);
  });
});
