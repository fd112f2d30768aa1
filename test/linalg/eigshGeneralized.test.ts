import { describe, expect, test } from "vitest";
import { cholesky, choleskySolve, eig } from "../../src/linalg/dense/index.ts";
import { dense, diagonal, eigshGeneralized, functionOperator, type LinearOperator } from "../../src/linalg/index.ts";
import { column } from "../../src/tensors/index.ts";
import { distance, length, operatorOf, range, rotatedMatrix } from "./knownOperators.ts";
import { identityMatrix, product, relativeDifference, transposed } from "./randomMatrices.ts";

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
      expect(relativeDifference(gram, identityMatrix(4).data)).toBeLessThan(1e-8);
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

describe("a B that is not positive definite is refused whatever form it has", () => {
  const size = 12;
  const entries = range(size, (i) => (i < 3 ? -1 : 1 + i));
  const matrix = {
    rows: size,
    columns: size,
    data: range(size * size, (k) => (k % (size + 1) ? 0 : entries[k / (size + 1)]!)),
  };
  const A = dense(
    {
      rows: size,
      columns: size,
      data: range(size * size, (k) => Math.cos((k % size) * Math.floor(k / size) + (k % size) + Math.floor(k / size))),
    },
    { symmetric: true },
  );
  const matvec = (x: ArrayLike<number>) => Float64Array.from(x, (value, i) => value * entries[i]!);
  const shiftedInverse = (damping: number) =>
    functionOperator({
      shape: [size, size],
      symmetric: true,
      matvec: (x) => Float64Array.from(x, (value, i) => value / (entries[i]! + damping)),
    });
  const alone = functionOperator({ shape: [size, size], symmetric: true, matvec });
  const forms: Readonly<Record<string, LinearOperator>> = {
    diagonal: diagonal(entries),
    dense: dense(matrix, { symmetric: true }),
    "a function alone": alone,
    "a function with an inverse": { ...alone, inverse: ({ damping }) => shiftedInverse(damping) },
  };

  test.each(Object.entries(forms))("%s", async (_, B) => {
    for (const seed of [0, 1, 2])
      await expect(eigshGeneralized(A, B, { k: 2, seed })).rejects.toThrow(/positive definite|negative curvature/);
    const result = await eigshGeneralized(A, B, { k: 2, seed: 0, damping: 2 });
    expect(result.status).toBe("converged");
  });
});
