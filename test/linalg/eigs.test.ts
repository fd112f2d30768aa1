import { describe, expect, test } from "vitest";
import { eig } from "../../src/linalg/dense/index.ts";
import type { WhichComplex } from "../../src/linalg/index.ts";
import { dense, eigs, eigsh, type LinearOperator } from "../../src/linalg/index.ts";
import { column } from "../../src/tensors/index.ts";
import { counted, distance, geometric, length, operatorOf, range, rotated, rotatedMatrix } from "./knownOperators.ts";
import { randomMatrix } from "./randomMatrices.ts";

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
      await eigs(rotated(values), { k: 3, seed: 0, which: "largestReal", basisSize: 14 }),
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
    await refused({ which: "largest" }).toThrow('eigs expects which to be "magnitude", "largestReal"');
    await refused({ basisSize: 4 }).toThrow("eigs expects basisSize to be at least k + 3 = 5, got 4");
  });
});
