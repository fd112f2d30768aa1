import { describe, expect, test } from "vitest";
import { adjoint } from "../../src/linalg/adjoint.ts";
import { type BlockLanczosOptions, blockLanczos } from "../../src/linalg/blockLanczos.ts";
import { cholesky, choleskySolve, eig, svd } from "../../src/linalg/dense/index.ts";
import { dense } from "../../src/linalg/dense.ts";
import { eigs, type WhichComplex } from "../../src/linalg/eigs.ts";
import { eigsh } from "../../src/linalg/eigsh.ts";
import { eigshGeneralized } from "../../src/linalg/eigshGeneralized.ts";
import { eigshNear, eigshNearSteps } from "../../src/linalg/eigshNear.ts";
import { type LobpcgOptions, lobpcg } from "../../src/linalg/lobpcg.ts";
import type { LinearOperator } from "../../src/linalg/operator.ts";
import { preconditioner } from "../../src/linalg/preconditioner.ts";
import { svds } from "../../src/linalg/svds.ts";
import { column, type Matrix, type Vector } from "../../src/tensors/index.ts";
import {
  counted,
  distance,
  failing,
  geometric,
  length,
  operatorOf,
  range,
  rotated,
  rotatedMatrix,
} from "./knownOperators.ts";
import { product, randomMatrix, relativeDifference, transposed } from "./randomMatrices.ts";

/** Spectra that make trouble. */
const spectra: Readonly<Record<string, Float64Array>> = {
  geometric: geometric(60, 0.9),
  "outliers, a bulk near zero, a negative tail": range(100, (i) =>
    i < 5 ? 1 / (1 + i) : i < 90 ? 1e-4 * (100 - i) : -1e-2 * (i - 89),
  ),
  "repeated ends": range(80, (i) => (i < 4 ? 7 : i > 76 ? -3 : i / 50)),
  "few distinct values": range(60, (i) => [5, 5, 2, -1, 0][i % 5]!),
  clustered: range(60, (i) => 1 + (i < 3 ? 1 + 1e-4 * i : i / 100)),
  "rank deficient": range(60, (i) => (i < 6 ? 12 - i : 0)),
  zero: new Float64Array(30),
  "size 1": Float64Array.of(-2.5),
  "size 2": Float64Array.of(4, -1),
};

const identityOf = (n: number) => range(n * n, (at) => (at % (n + 1) === 0 ? 1 : 0));
const orthonormal = (V: Matrix) => relativeDifference(product(transposed(V), V).data, identityOf(V.columns));

/** `||A v - value v||`, computed here. */
async function residualOf(A: LinearOperator, v: Vector, value: number): Promise<number> {
  return length(Array.from(await A.matvec(v), (y, i) => y - value * v[i]!));
}

describe.each(Object.entries(spectra))("%s", (_, values) => {
  const scale = Math.max(...values.map(Math.abs));
  const k = Math.min(5, values.length);
  const ascending = Array.from(values).sort((a, b) => a - b);

  test.each([
    ["blockLanczos", (A: LinearOperator, o: BlockLanczosOptions) => blockLanczos(A, { ...o, blockSize: k })],
    ["lobpcg", (A: LinearOperator, o: LobpcgOptions & BlockLanczosOptions) => lobpcg(A, o as LobpcgOptions)],
  ] as const)("%s finds both ends, copies included", async (__, method) => {
    for (const which of ["largest", "smallest"] as const) {
      const A = counted(rotated(values, { seed: 3 }), { matmat: true });
      const result = await method(A, { k, which: which as "largest", seed: 0, tolerance: 1e-8, matvecs: 4000 });
      expect(result.status, result.message).toBe("converged");
      const wanted = (which === "largest" ? ascending.toReversed() : ascending).slice(0, k);
      expect(distance(result.values, wanted)).toBeLessThanOrEqual(1e-8 * scale);
      expect(orthonormal(result.vectors)).toBeLessThan(1e-11);
      expect(A.count()).toBe(result.matvecs);
      for (let i = 0; i < k; i++) {
        const residual = await residualOf(A, column(result.vectors, i), result.values[i]!);
        expect(Math.abs(residual - result.residualNorms[i]!)).toBeLessThan(1e-13 * (scale || 1));
      }
    }
  });
});

describe("blockLanczos", () => {
  test("sees as many copies as the block has vectors, where a single vector sees one", async () => {
    const values = range(100, (i) => (i < 2 ? 10 : i === 2 ? 9 : i / 100));
    const blocks = await blockLanczos(rotated(values), { k: 2, seed: 0, blockSize: 2, tolerance: 1e-3, dimension: 30 });
    expect(distance(blocks.values, [10, 10])).toBeLessThan(1e-5);
    const single = await eigsh(rotated(values), { k: 2, seed: 0, copies: false, tolerance: 1e-3, dimension: 8 });
    expect(single.values[1]).toBeCloseTo(9, 3);
  });
  test("restarts, makes its products together, and takes both ends", async () => {
    const values = range(200, (i) => Math.cos(i));
    const A = counted(rotated(values), { matmat: true });
    const result = await blockLanczos(A, { k: 6, which: "both", seed: 0, blockSize: 3, dimension: 30 });
    expect(result.status, result.message).toBe("converged");
    const descending = Array.from(values).sort((a, b) => b - a);
    expect(distance(result.values, [...descending.slice(0, 3), ...descending.slice(-3)])).toBeLessThan(1e-8);
    expect(A.count()).toBe(result.matvecs);
    expect(A.calls()).toBeLessThan(A.count() / 2);
    expect(result.matvecs).toBeGreaterThan(60);
  });
  test("float32", async () => {
    const result = await blockLanczos(rotated(geometric(80, 0.8), { dtype: "float32" }), { k: 3, seed: 0 });
    expect(result.status, result.message).toBe("converged");
    expect(distance(result.values, [1, 0.8, 0.64])).toBeLessThan(1e-4);
  });
  test("refuses what it cannot do", async () => {
    const refused = (options: object) =>
      expect(blockLanczos(rotated(geometric(20, 0.5)), { k: 2, seed: 0, ...options })).rejects;
    await refused({ k: 21 }).toThrow("blockLanczos expects k of at most 20, the order of the matrix, got 21");
    await refused({ which: "inner" }).toThrow('"largest", "smallest", "magnitude" or "both", got "inner"');
    await refused({ dimension: 6 }).toThrow("dimension to be at least k + 2 blocks = 10, got 6");
    await refused({ blockSize: 0 }).toThrow("blockLanczos expects blockSize to be a positive integer, got 0");
    await expect(blockLanczos({ ...rotated([1, 2]), symmetric: false }, { k: 1, seed: 0 })).rejects.toThrow(
      "blockLanczos expects a symmetric operator",
    );
  });
});

describe("lobpcg", () => {
  test("with a preconditioner in far fewer products", async () => {
    const values = range(150, (i) => 1.06 ** i);
    const plain = await lobpcg(rotated(values), { k: 3, seed: 0, tolerance: 1e-9, matvecs: 5000 });
    const near = { rows: 150, columns: 150, data: rotatedMatrix(values.map((x, i) => x * (1 + 0.2 * (i % 3)))) };
    const M = preconditioner(dense(near, { psd: true, symmetric: true }));
    const better = await lobpcg(rotated(values), { k: 3, seed: 0, tolerance: 1e-9, preconditioner: M });
    expect(better.status, better.message).toBe("converged");
    expect(distance(better.values, values.slice(0, 3))).toBeLessThan(1e-6);
    expect(better.matvecs).toBeLessThan(plain.matvecs / 3);
  });
  test("stays within its budget, and refuses what it cannot do", async () => {
    const A = counted(rotated(range(100, (i) => 1 + i / 100)));
    const result = await lobpcg(A, { k: 3, seed: 0, matvecs: 40, tolerance: 1e-12 });
    expect(result.status).toBe("budget");
    expect(A.count()).toBe(result.matvecs);
    expect(result.message).toMatch(/raise matvecs or guards, take a preconditioner, or loosen tolerance$/);
    await expect(lobpcg(A, { k: 101, seed: 0 })).rejects.toThrow("lobpcg expects k of at most 100");
    await expect(lobpcg(A, { k: 1, seed: 0, which: "both" as "largest" })).rejects.toThrow(
      '"smallest" or "largest", got "both"',
    );
  });
});

describe("lobpcg for A x = value B x", () => {
  const n = 40;
  const pencils: Readonly<Record<string, readonly [a: Float64Array, b: Float64Array]>> = {
    "indefinite A, well conditioned B": [range(n, (i) => i - 15), range(n, (i) => 1 + i / 10)],
    "singular A, geometric B": [range(n, (i) => (i < 20 ? 0 : i)), geometric(n, 0.9)],
    "repeated A, clustered B": [range(n, (i) => [3, 3, 1][i % 3]!), range(n, (i) => 2 + 1e-10 * i)],
    "steep B": [range(25, (i) => 1 + i), geometric(25, 0.55)],
    "zero A": [new Float64Array(n), range(n, (i) => 1 + i / n)],
    "size 2": [Float64Array.of(3, -1), Float64Array.of(2, 1)],
    "size 1": [Float64Array.of(-3), Float64Array.of(2)],
  };
  const matrix = (values: Float64Array, seed: number) => ({
    rows: values.length,
    columns: values.length,
    data: rotatedMatrix(values, seed),
  });

  test.each(Object.entries(pencils))("%s: values of B^-1 A, vectors orthonormal in B", async (_, [a, b]) => {
    const [A, B] = [matrix(a, 5), matrix(b, 3)];
    const { real } = await eig(await choleskySolve(await cholesky(B), A));
    const all = Array.from(real).sort((x, y) => x - y);
    const k = Math.min(3, a.length);
    for (const which of ["smallest", "largest"] as const) {
      const [countedA, countedB] = [counted(operatorOf(A.data)), counted(operatorOf(B.data))];
      const result = await lobpcg(countedA, { k, which, seed: 0, tolerance: 1e-9, matvecs: 3000, B: countedB });
      expect(result.status, result.message).toBe("converged");
      const wanted = (which === "smallest" ? all : all.toReversed()).slice(0, k);
      const size = Math.max(...all.map(Math.abs), 1);
      expect(distance(result.values, wanted)).toBeLessThan(1e-8 * size);
      // One product with B for each with A, not one more.
      expect([countedA.count(), countedB.count()]).toEqual([result.matvecs, result.matvecs]);
      const gram = product(transposed(result.vectors), product(B, result.vectors)).data;
      expect(relativeDifference(gram, identityOf(k))).toBeLessThan(1e-9);
      for (let i = 0; i < k; i++) {
        const x = { rows: a.length, columns: 1, data: column(result.vectors, i) };
        const r = product(A, x).data.map((y, j) => y - result.values[i]! * product(B, x).data[j]!);
        expect(Math.abs(length(r) - result.residualNorms[i]!)).toBeLessThan(1e-11 * size);
        // Each value is within its residual over the root of the smallest eigenvalue of B of one of the pencil's.
        const nearest = Math.min(...all.map((value) => Math.abs(value - result.values[i]!)));
        expect(nearest).toBeLessThanOrEqual(length(r) / Math.sqrt(Math.min(...b)) + 1e-9 * size);
      }
    }
  });

  test("a preconditioner saves products, and the identity as B changes nothing", async () => {
    const values = range(60, (i) => 1.12 ** i);
    const [A, B] = [
      matrix(values, 1),
      matrix(
        range(60, (i) => 1 + (i % 5) / 10),
        4,
      ),
    ];
    const near = matrix(
      values.map((x, i) => x * (1 + 0.2 * (i % 3))),
      1,
    );
    const M = preconditioner(dense(near, { psd: true, symmetric: true }));
    const options = { k: 3, seed: 0, tolerance: 1e-9, matvecs: 6000 };
    const plain = await lobpcg(operatorOf(A.data), { ...options, B: operatorOf(B.data) });
    const better = await lobpcg(operatorOf(A.data), { ...options, B: operatorOf(B.data), preconditioner: M });
    expect([plain.status, better.status]).toEqual(["converged", "converged"]);
    expect(better.matvecs).toBeLessThan(plain.matvecs / 3);
    expect(distance(better.values, plain.values)).toBeLessThan(1e-7);
    const one = await lobpcg(operatorOf(A.data), { ...options, B: operatorOf(Float64Array.from(identityOf(60))) });
    expect(distance(one.values, (await lobpcg(operatorOf(A.data), options)).values)).toBeLessThan(1e-6);
  });

  test("float32 pencils", async () => {
    const [a, b] = [rotated(geometric(50, 0.8), { seed: 2, dtype: "float32" }), rotated(range(50, (i) => 1 + i / 50))];
    const result = await lobpcg(a, { k: 2, seed: 0, which: "largest", B: b });
    expect(result.status, result.message).toBe("converged");
    const exact = await lobpcg(rotated(geometric(50, 0.8), { seed: 2 }), {
      k: 2,
      seed: 0,
      which: "largest",
      B: b,
      tolerance: 1e-10,
    });
    expect(distance(result.values, exact.values)).toBeLessThan(1e-3);
  });

  test("says when B is not positive definite, not finite, or does not fit", async () => {
    const A = rotated(range(20, (i) => 1 + i));
    const ended = (B: LinearOperator) => lobpcg(A, { k: 2, seed: 0, B });
    const indefinite = await ended(
      rotated(
        range(20, (i) => (i < 18 ? 1 : -5)),
        { seed: 4 },
      ),
    );
    expect(indefinite.status).toBe("indefinite");
    expect(indefinite.message).toMatch(
      /^B has negative curvature -.* along a direction, and has to be positive definite; damp B, or take another$/,
    );
    const singular = await ended(rotated(new Float64Array(20)));
    expect(singular.status).toBe("breakdown");
    expect(singular.message).toMatch(/^B is singular along a direction, to rounding, and has to be positive definite;/);
    const lost = await ended(failing(rotated(range(20, () => 2)), 7, (y) => y.fill(Number.NaN)));
    expect(lost.status).toBe("nonfinite");
    expect(lost.message).toMatch(/^product 7 of B of lobpcg has entries that are infinite or NaN;/);
    await expect(ended(rotated([1, 2]))).rejects.toThrow(
      "lobpcg expects A and B of equal shapes, got [20, 20] and [2, 2]",
    );
    await expect(ended({ ...A, symmetric: false })).rejects.toThrow("lobpcg (B) expects a symmetric operator");
    await expect(lobpcg(A, { k: 1, seed: 0, preconditioner: rotated([1]) })).rejects.toThrow(
      "lobpcg expects A and preconditioner of equal shapes, got [20, 20] and [1, 1]",
    );
  });

  test("a failure of B rejects with a state that resumes to the same bits", async () => {
    const A = rotated(geometric(40, 0.9));
    const B = rotated(range(40, (i) => 1 + i / 40));
    const options = { k: 2, seed: 0, matvecs: 300 };
    for (const k of [2, 9, 30]) {
      const broken = failing(B, k, () => {
        throw new RangeError("gone");
      });
      const error = await lobpcg(A, { ...options, B: broken }).catch((thrown: { state: never }) => thrown);
      const state = structuredClone((error as { state: never }).state);
      expect(await lobpcg(A, { ...options, B, state })).toEqual(await lobpcg(A, { ...options, B }));
    }
  });
});

describe("eigshNear", () => {
  const values = range(60, (i) => (i - 20) / 10);
  test("finds the eigenvalues inside of the spectrum nearest to a shift, by minres", async () => {
    const A = counted(rotated(values));
    const result = await eigshNear(A, { k: 3, shift: 0.52, seed: 0 });
    expect(result.status, result.message).toBe("converged");
    expect(distance(result.values, [0.5, 0.6, 0.4])).toBeLessThan(1e-9);
    expect(A.count()).toBe(result.matvecs);
    expect(orthonormal(result.vectors)).toBeLessThan(1e-7);
    for (let i = 0; i < 3; i++) {
      const residual = await residualOf(A, column(result.vectors, i), result.values[i]!);
      expect(Math.abs(residual - result.residualNorms[i]!)).toBeLessThan(1e-13);
    }
  });
  test("with an inverse at hand at no products but the residuals", async () => {
    const A = counted(rotated(values));
    const inverse = dense(
      { rows: 60, columns: 60, data: rotatedMatrix(values.map((x) => 1 / (x - 0.52))) },
      { symmetric: true },
    );
    const result = await eigshNear(A, { k: 3, shift: 0.52, seed: 0, inverse });
    expect(distance(result.values, [0.5, 0.6, 0.4])).toBeLessThan(1e-12);
    expect(result.matvecs).toBe(3);
  });
  test("stays within its budget, and says why a system was not solved", async () => {
    for (const matvecs of [5, 50, 150]) {
      const A = counted(rotated(values));
      const result = await eigshNear(A, { k: 2, shift: 0.52, seed: 0, matvecs });
      expect(result.status).toBe("budget");
      expect(A.count()).toBe(result.matvecs);
      expect(result.matvecs).toBeLessThanOrEqual(matvecs);
    }
    const poisoned = failing(rotated(values), 90, (y) => y.fill(Number.NaN));
    const ended = await eigshNear(poisoned, { k: 2, shift: 0.52, seed: 0 });
    expect(ended.status).toBe("nonfinite");
    expect(ended.message).toMatch(/system \d was not solved: product \d+ of minres has entries/);
    await expect(eigshNear(rotated(values), { k: 2, shift: Number.NaN, seed: 0 })).rejects.toThrow(
      "shift to be a finite number",
    );
  });
  test("resumes after a failure to the same bits", async () => {
    const options = { k: 2, shift: 0.52, seed: 0 };
    const broken = failing(rotated(values), 200, () => {
      throw new RangeError("gone");
    });
    const error = await eigshNear(broken, options).catch((thrown: { state: never }) => thrown);
    const state = structuredClone((error as { state: never }).state);
    const resumed = await eigshNear(rotated(values), { ...options, state });
    expect(resumed).toEqual(await eigshNear(rotated(values), options));
    await expect(eigshNearSteps(rotated([1, 2]), { ...options, state }).next()).rejects.toThrow("resumes from a state");
  });
});

describe("eigshGeneralized", () => {
  const n = 50;
  const A = {
    rows: n,
    columns: n,
    data: rotatedMatrix(
      range(n, (i) => i - 15),
      5,
    ),
  };
  const B = {
    rows: n,
    columns: n,
    data: rotatedMatrix(
      range(n, (i) => 1 + i / 10),
      3,
    ),
  };
  /** Eigenvalues of `B^-1 A`, by a dense route without symmetry. */
  const reference = async () => {
    const { real } = await eig(await choleskySolve(await cholesky(B), A));
    return Array.from(real).sort((x, y) => y - x);
  };
  test("finds both ends of the pencil, B-orthonormal, by a closed inverse or by cg", async () => {
    const all = await reference();
    for (const metric of [dense(B, { psd: true, symmetric: true }), operatorOf(B.data)]) {
      const result = await eigshGeneralized(operatorOf(A.data), metric, { k: 4, which: "both", seed: 0 });
      expect(result.status, result.message).toBe("converged");
      expect(distance(result.values, [all[0]!, all[1]!, all[n - 2]!, all[n - 1]!])).toBeLessThan(1e-7);
      const gram = product(transposed(result.vectors), product(B, result.vectors)).data;
      expect(relativeDifference(gram, identityOf(4))).toBeLessThan(1e-8);
      for (let i = 0; i < 4; i++) {
        const x = { rows: n, columns: 1, data: column(result.vectors, i) };
        const r = product(A, x).data.map((y, j) => y - result.values[i]! * product(B, x).data[j]!);
        expect(length(r)).toBeLessThan(1e-7);
      }
    }
  });
  test("copies in blocks, a damped semidefinite B, and shapes that do not fit", async () => {
    const same = operatorOf(B.data);
    const result = await eigshGeneralized(same, same, { k: 3, seed: 0, blockSize: 3 });
    expect(distance(result.values, [1, 1, 1])).toBeLessThan(1e-8);
    const flat = operatorOf(new Float64Array(n * n));
    const shifted = await eigshGeneralized(operatorOf(A.data), flat, { k: 1, seed: 0, damping: 2 });
    expect(shifted.values[0]).toBeCloseTo((n - 16) / 2, 8);
    await expect(eigshGeneralized(same, operatorOf(new Float64Array(4)), { k: 1, seed: 0 })).rejects.toThrow(
      "eigshGeneralized expects A and B of equal shapes, got [50, 50] and [2, 2]",
    );
  });
});

describe("svds", () => {
  test.each([
    [80, 40],
    [40, 80],
    [50, 50],
    [3, 2],
    [1, 4],
  ])("finds both ends of %i x %i", async (m, n) => {
    const M = randomMatrix(m, n, 1);
    const all = (await svd(M)).values;
    const k = Math.min(3, m, n);
    for (const which of ["largest", "smallest"] as const) {
      const result = await svds(dense(M), { k, seed: 0, which });
      expect(result.status, result.message).toBe("converged");
      const wanted = which === "largest" ? all.slice(0, k) : all.toReversed().slice(0, k);
      expect(distance(result.values, wanted)).toBeLessThan(1e-7);
      expect([result.U.rows, result.V.rows]).toEqual([m, n]);
      expect(Math.max(orthonormal(result.U), orthonormal(result.V))).toBeLessThan(1e-12);
      for (let i = 0; i < k; i++) {
        const [u, v] = [column(result.U, i), column(result.V, i)];
        const right = length((await dense(M).matvec(v)).map((y, j) => y - result.values[i]! * u[j]!));
        const left = length((await adjoint(dense(M)).matvec(u)).map((y, j) => y - result.values[i]! * v[j]!));
        expect(Math.abs(Math.hypot(left, right) - result.residualNorms[i]!)).toBeLessThan(1e-12);
      }
    }
  });
  test("small values as well as the norm allows, which the square of A would lose", async () => {
    const values = geometric(12, 0.1);
    const result = await svds(rotated(values), { k: 12, seed: 0 });
    for (const [i, value] of values.entries()) expect(Math.abs(result.values[i]! - value)).toBeLessThan(1e-14);
  });
  test("rank-deficient and zero operators, and refusals", async () => {
    const rank = await svds(rotated(range(40, (i) => (i < 3 ? 3 - i : 0))), { k: 5, seed: 0 });
    expect(rank.status, rank.message).toBe("converged");
    expect(distance(rank.values, [3, 2, 1, 0, 0])).toBeLessThan(1e-8);
    expect(await svds(rotated(new Float64Array(9)), { k: 2, seed: 0 })).toMatchObject({ status: "converged" });
    const refused = (options: object) =>
      expect(svds(dense(randomMatrix(9, 40, 1)), { k: 2, seed: 0, ...options })).rejects;
    await refused({ k: 10 }).toThrow("svds expects k of at most 9, the smaller dimension, got 10");
    await refused({ dimension: 3 }).toThrow("svds expects dimension to be at least k + 2 = 4, got 3");
    await refused({ which: "middle" }).toThrow('svds expects which to be "largest" or "smallest", got "middle"');
  });
});

describe("eigs", () => {
  const key: Readonly<Record<WhichComplex, (re: number, im: number) => number>> = {
    magnitude: Math.hypot,
    largestReal: (re) => re,
    smallestReal: (re) => -re,
    largestImaginary: (_, im) => Math.abs(im),
  };
  const keys = (which: WhichComplex, { real, imaginary }: { real: Float64Array; imaginary: Float64Array }) =>
    Array.from(real, (re, i) => key[which](re, imaginary[i]!)).sort((x, y) => y - x);

  test.each(Object.keys(key) as WhichComplex[])("finds the outermost by %s, pairs together", async (which) => {
    for (const n of [5, 90]) {
      const M = randomMatrix(n, n, 2);
      const A = counted(dense(M));
      const { values, vectors, residualNorms, status, message, matvecs } = await eigs(A, { k: 4, seed: 0, which });
      expect(status, message).toBe("converged");
      expect(A.count()).toBe(matvecs);
      const count = values.real.length;
      expect([4, 5]).toContain(count);
      expect(distance(keys(which, values), keys(which, await eig(M)).slice(0, count))).toBeLessThan(1e-6);
      for (let i = 0; i < count; i++) {
        const [x, y] = [column(vectors.real, i), column(vectors.imaginary, i)];
        const [Ax, Ay] = [await A.matvec(x), await A.matvec(y)];
        const [a, b] = [values.real[i]!, values.imaginary[i]!];
        const residual = Math.hypot(
          ...Ax.map((value, j) => value - a * x[j]! + b * y[j]!),
          ...Ay.map((value, j) => value - b * x[j]! - a * y[j]!),
        );
        expect(Math.abs(residual - residualNorms[i]!)).toBeLessThan(1e-11);
        expect(Math.hypot(length(x), length(y))).toBeCloseTo(1, 10);
        if (b > 0) expect(values.imaginary[i + 1]).toBe(-b);
      }
    }
  });

  test("restarts, and agrees with eigsh where the matrix is symmetric", async () => {
    const values = range(120, (i) => Math.sin(i));
    const [general, symmetric] = [
      await eigs(rotated(values), { k: 3, seed: 0, which: "largestReal", dimension: 14 }),
      await eigsh(rotated(values), { k: 3, seed: 0 }),
    ];
    expect(general.status, general.message).toBe("converged");
    expect(general.matvecs).toBeGreaterThan(30);
    expect(distance(general.values.real, symmetric.values)).toBeLessThan(1e-8);
    expect(Math.max(...general.values.imaginary.map(Math.abs))).toBe(0);
  });

  test("products of an inverse and a symmetric matrix, and refusals", async () => {
    const [K, H] = [
      geometric(40, 0.9),
      rotatedMatrix(
        range(40, (i) => i - 10),
        4,
      ),
    ];
    const A: LinearOperator = {
      ...operatorOf(H),
      symmetric: false,
      matvec: async (x) => (await operatorOf(H).matvec(x)).map((value, i) => value / K[i]!) as Float64Array,
    };
    const M = { rows: 40, columns: 40, data: H.map((value, at) => value / K[at % 40]!) };
    const result = await eigs(A, { k: 3, seed: 0 });
    expect(
      distance(keys("magnitude", result.values), keys("magnitude", await eig(M)).slice(0, result.values.real.length)),
    ).toBeLessThan(1e-5);
    const refused = (options: object) => expect(eigs(A, { k: 2, seed: 0, ...options })).rejects;
    await refused({ k: 41 }).toThrow("eigs expects k of at most 40, the order of the matrix, got 41");
    await refused({ which: "largest" }).toThrow('eigs expects which to be one of "magnitude", "largestReal"');
    await refused({ dimension: 4 }).toThrow("eigs expects dimension to be at least k + 3 = 5, got 4");
  });
});
