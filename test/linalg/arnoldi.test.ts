import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { eig } from "../../src/linalg/dense/index.ts";
import { type ArnoldiResult, arnoldi, dense, type LinearOperator, lanczos } from "../../src/linalg/index.ts";
import { column, type Precision } from "../../src/tensors/index.ts";
import { counted, distance, geometric, length, randomVector, range, rotated } from "./knownOperators.ts";
import { product, randomMatrix, relativeDifference, transposed } from "./randomMatrices.ts";

fc.configureGlobal({ seed: 1 });

/** How far `Q' Q` is from I, `A Q` from `Q H + f e'`, `Q' f` from 0 and H from Hessenberg form; computed here. */
async function defects(A: LinearOperator, { basis: Q, hessenberg: H, residual }: ArnoldiResult) {
  const m = Q.columns;
  const identity = range(m * m, (at) => (at % (m + 1) === 0 ? 1 : 0));
  let recurrence = 0;
  for (let j = 0; j < m; j++) {
    const Aq = Float64Array.from(await A.matvec(column(Q, j)));
    const QH = product(Q, { rows: m, columns: 1, data: column(H, j) }).data;
    const f = j === m - 1 ? residual : new Float64Array(Q.rows);
    recurrence = Math.max(recurrence, length(Aq.map((value, i) => value - QH[i]! - f[i]!)));
  }
  const below = Array.from(H.data).filter((_, at) => (at % m) - Math.floor(at / m) > 1);
  const against = product(transposed(Q), { rows: Q.rows, columns: 1, data: Float64Array.from(residual) }).data;
  return {
    orthonormality: relativeDifference(product(transposed(Q), Q).data, identity),
    recurrence,
    residual: length(against),
    below: Math.max(0, ...below.map(Math.abs)),
  };
}

describe("arnoldi", () => {
  test.each([
    [60, 25, "float64", 1e-12],
    [60, 60, "float64", 1e-12],
    [1, 1, "float64", 1e-15],
    [2, 1, "float64", 1e-15],
    [60, 25, "float32", 1e-4],
  ] as const)(
    "order %i, %i steps, %s: A Q = Q H + f e', Q orthonormal, H Hessenberg",
    async (n, m, dtype, rounding) => {
      const M = randomMatrix(n, n, 1);
      const data = dtype === "float32" ? Float32Array.from(M.data) : M.data;
      const A = counted(dense({ ...M, data }));
      const start = randomVector(n, 2);
      const result = await arnoldi(A, { steps: m, start });
      expect(result.status, result.message).toBe("converged");
      expect([A.count(), result.matvecs, result.basis.columns, result.hessenberg.rows]).toEqual([m, m, m, m]);
      const found = await defects(A, result);
      expect(found.orthonormality).toBeLessThan(rounding);
      expect(found.recurrence).toBeLessThan(rounding * 10);
      expect(found.residual).toBeLessThan(rounding * 10);
      expect(found.below).toBe(0);
      expect(Math.abs(result.residualNorm - length(result.residual))).toBeLessThan(rounding * 10);
      const unit = start.map((value) => value / length(start));
      expect(distance(column(result.basis, 0), unit)).toBeLessThan(rounding);
      if (m === n) expect(result.residualNorm).toBe(0);
    },
  );

  test("all steps give all eigenvalues, symmetric matrices the tridiagonal one of lanczos", async () => {
    const M = randomMatrix(12, 12, 3);
    const { hessenberg } = await arnoldi(dense(M), { steps: 99, seed: 0 });
    const moduli = async (matrix: typeof M) => {
      const { real, imaginary } = await eig(matrix);
      return Array.from(real, (re, i) => Math.hypot(re, imaginary[i]!)).sort((x, y) => x - y);
    };
    expect(distance(await moduli(hessenberg as typeof M), await moduli(M))).toBeLessThan(1e-11);
    const A = rotated(geometric(40, 0.8));
    const start = randomVector(40, 1);
    const [general, symmetric] = [await arnoldi(A, { steps: 9, start }), await lanczos(A, { steps: 9, start })];
    for (let j = 0; j < 9; j++) {
      expect(Math.abs(general.hessenberg.data[j * 9 + j]! - symmetric.alpha[j]!)).toBeLessThan(1e-12);
      if (j > 0) expect(Math.abs(general.hessenberg.data[j * 9 - 9 + j]! - symmetric.beta[j - 1]!)).toBeLessThan(1e-12);
    }
    expect(Math.abs(general.residualNorm - symmetric.residualNorm)).toBeLessThan(1e-12);
  });

  test("breaks down on an invariant subspace, exactly on it, and goes on from a random vector if told to", async () => {
    // Block diagonal: the first three coordinates are invariant.
    const M = randomMatrix(30, 30, 4);
    const data = M.data.map((value, at) => (at % 30 < 3 === Math.floor(at / 30) < 3 ? value : 0));
    const A = dense({ ...M, data });
    const start = range(30, (i) => (i < 3 ? 1 + i : 0));
    const stopped = await arnoldi(A, { steps: 20, start });
    expect(stopped).toMatchObject({ status: "breakdown", matvecs: 3, residualNorm: 0 });
    expect(stopped.message).toBe(
      "the Krylov space is exhausted after 3 of 20 steps, so it is invariant and H exact on it; for the rest of the space, start from another vector",
    );
    expect((await defects(A, stopped)).recurrence).toBeLessThan(1e-12);
    const block = { rows: 3, columns: 3, data: data.filter((_, at) => at % 30 < 3 && Math.floor(at / 30) < 3) };
    const reals = async (matrix: typeof block) => Array.from((await eig(matrix)).real).sort((x, y) => x - y);
    expect(distance(await reals(stopped.hessenberg as typeof block), await reals(block))).toBeLessThan(1e-12);
    const further = await arnoldi(A, { steps: 20, start, breakdown: "continue", seed: 0 });
    expect(further).toMatchObject({ status: "converged", matvecs: 20 });
    expect(further.hessenberg.data[2 * 20 + 3]).toBe(0);
    const { orthonormality, recurrence } = await defects(A, further);
    expect(Math.max(orthonormality, recurrence)).toBeLessThan(1e-12);
  });

  test("rank one, zero and nilpotent matrices", async () => {
    expect(await arnoldi(rotated(new Float64Array(9)), { steps: 5, seed: 0 })).toMatchObject({
      status: "breakdown",
      matvecs: 1,
      residualNorm: 0,
    });
    expect((await arnoldi(rotated(range(9, (i) => (i === 0 ? 2 : 0))), { steps: 5, seed: 0 })).matvecs).toBe(2);
    const shift = dense({ rows: 4, columns: 4, data: range(16, (at) => (at % 4 === Math.floor(at / 4) + 1 ? 1 : 0)) });
    const nilpotent = await arnoldi(shift, { steps: 4, start: Float64Array.of(1, 0, 0, 0) });
    expect(nilpotent.status, nilpotent.message).toBe("converged");
    expect(Math.max(...(await eig(nilpotent.hessenberg)).real.map(Math.abs))).toBe(0);
  });

  test("any square matrix, by property", () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 8 }),
        fc.constantFrom<Precision>("float64", "float32"),
        fc.nat(),
        async (n, steps, rank, dtype, seed) => {
          const M = product(randomMatrix(n, rank, seed), randomMatrix(rank, n, seed + 1));
          const data = dtype === "float32" ? Float32Array.from(M.data) : M.data;
          const A = dense({ ...M, data });
          const result = await arnoldi(A, { steps, seed });
          expect(["converged", "breakdown"]).toContain(result.status);
          const size = 1 + length(M.data);
          const rounding = (dtype === "float32" ? 1e-5 : 1e-13) * size;
          const { orthonormality, recurrence, below } = await defects(A, result);
          expect(orthonormality).toBeLessThan(rounding * 100);
          expect(recurrence).toBeLessThan(rounding * 100);
          expect(below).toBe(0);
        },
      ),
      { numRuns: 150 },
    ));

  test("refuses start vectors that are none", async () => {
    const A = rotated(geometric(5, 0.5));
    await expect(arnoldi(A, { steps: 2, start: new Float64Array(5) })).rejects.toThrow(
      "arnoldi expects a start vector other than zero; leave it out for a random one",
    );
    await expect(arnoldi(A, { steps: 2, start: new Float64Array(3) })).rejects.toThrow("arnoldi expects start to be");
    await expect(arnoldi(A, { steps: 2 })).rejects.toThrow("expects seed to be a finite number, got undefined");
    await expect(arnoldi(A, { steps: 2, start: randomVector(5, 1), breakdown: "continue" })).rejects.toThrow(
      "expects seed to be a finite number, got undefined",
    );
  });
});
