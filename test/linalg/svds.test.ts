import { describe, expect, test } from "vitest";
import { svd } from "../../src/linalg/dense/index.ts";
import { adjoint, dense, svds } from "../../src/linalg/index.ts";
import { column } from "../../src/tensors/index.ts";
import { distance, geometric, length, range, rotated } from "./knownOperators.ts";
import { departureFromOrthonormal, randomMatrix } from "./randomMatrices.ts";

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
      expect(Math.max(departureFromOrthonormal(result.U), departureFromOrthonormal(result.V))).toBeLessThan(1e-12);
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
    await refused({ basisSize: 3 }).toThrow("svds expects basisSize to be at least k + 2 = 4, got 3");
    await refused({ which: "middle" }).toThrow('svds expects which to be "largest" or "smallest", got "middle"');
  });
});
