import { describe, expect, test } from "vitest";
import { eigsh, functionOperator, svds } from "../../src/linalg/index.ts";
import { laplacians } from "./graphLaplacians.ts";
import { distance } from "./knownOperators.ts";

describe("'converged' means that no copy of a repeated eigenvalue is missing", () => {
  for (const [name, { A, values }] of Object.entries(laplacians)) {
    test.each([2, 3, 5, 8])(`eigsh, ${name}, k = %i`, async (k) => {
      for (const seed of [0, 1]) {
        const largest = await eigsh(A, { k, which: "largest", seed, matvecs: 20_000 });
        expect(largest.status).toBe("converged");
        expect(distance(largest.values, values.slice(0, k))).toBeLessThan(1e-8);
        const both = await eigsh(A, { k, which: "both", seed, matvecs: 20_000 });
        const low = Math.floor(k / 2);
        const ends = [...values.slice(0, k - low), ...values.slice(values.length - low)];
        if (both.status === "converged") expect(distance(both.values, ends)).toBeLessThan(1e-8);
        expect(both.status).toBe("converged");
      }
    });
  }

  test.each([2, 5, 20])("svds, a hundred copies of the largest value, k = %i", async (k) => {
    const n = 200;
    const u = Float64Array.from({ length: n }, (_, i) => Math.sin(1 + i * i));
    const length = u.reduce((sum, value) => sum + value * value, 0);
    const reflect = (x: Float64Array) => {
      const d = (2 * x.reduce((sum, value, i) => sum + value * u[i]!, 0)) / length;
      return x.map((value, i) => value - d * u[i]!);
    };
    const matvec = (x: ArrayLike<number>) =>
      reflect(reflect(Float64Array.from(x)).map((value, i) => (i % 2 ? 50 : 1) * value));
    const A = functionOperator({ shape: [n, n], matvec, adjoint: matvec });
    const result = await svds(A, { k, seed: 0 });
    expect(result.status).toBe("converged");
    expect(distance(result.values, new Array<number>(k).fill(50))).toBeLessThan(1e-8);
  });
});
