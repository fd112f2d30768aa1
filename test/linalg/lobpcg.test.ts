import { describe, expect, test } from "vitest";
import { cholesky, choleskySolve, eig } from "../../src/linalg/dense/index.ts";
import { dense, type LinearOperator, lobpcg, preconditioner } from "../../src/linalg/index.ts";
import { column } from "../../src/tensors/index.ts";
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
import { identityMatrix, product, relativeDifference, transposed } from "./randomMatrices.ts";

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
      expect(relativeDifference(gram, identityMatrix(k).data)).toBeLessThan(1e-9);
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
    const one = await lobpcg(operatorOf(A.data), {
      ...options,
      B: operatorOf(Float64Array.from(identityMatrix(60).data)),
    });
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
