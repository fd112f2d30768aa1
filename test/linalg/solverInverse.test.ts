import { describe, expect, test } from "vitest";
import {
  damped,
  dense,
  diagonal,
  jacobiPreconditioner,
  lowRank,
  preconditioner,
  solverInverse,
} from "../../src/linalg/index.ts";
import { distance, geometric, randomVector, rotated, rotatedMatrix, spectral } from "./knownOperators.ts";
import { randomMatrix } from "./randomMatrices.ts";

describe("solverInverse and preconditioners", () => {
  const values = geometric(30, 0.85);
  const b = randomVector(30, 2);
  const matrix = { rows: 30, columns: 30, data: rotatedMatrix(values) };
  const A = dense(matrix, { symmetric: true, psd: true });
  const logdet = values.reduce((so, value) => so + Math.log(value + 0.1), 0);

  test("the inverse by any method keeps trace and logdet where A knows them", async () => {
    for (const method of ["cg", "minres", "gmres", "lsmr"] as const) {
      const inverse = solverInverse(A, { method, damping: 0.1, tolerance: 1e-11 });
      expect(
        distance(
          await inverse.matvec(b),
          spectral(values, b, (value) => 1 / (value + 0.1)),
        ),
      ).toBeLessThan(1e-8);
      expect(await inverse.logdet!({ damping: 0 })).toBeCloseTo(-logdet, 9);
      expect(await inverse.trace!()).toBeCloseTo(
        values.reduce((so, value) => so + 1 / (value + 0.1), 0),
        8,
      );
      const again = await inverse.inverse!({ damping: 0 }).matvec(b);
      expect(
        distance(
          again,
          spectral(values, b, (value) => value + 0.1),
        ),
      ).toBeLessThan(1e-12);
      expect(() => inverse.inverse!({ damping: 1 })).toThrow(/known for damping 0 only, got 1/);
      await expect(inverse.logdet!({ damping: 1 })).rejects.toThrow(/known for damping 0 only, got 1/);
    }
    expect(solverInverse(rotated(values)).logdet).toBeUndefined();
  });

  test("throws instead of returning a bad vector", async () => {
    await expect(solverInverse(rotated(values), { matvecs: 3 }).matvec(b)).rejects.toThrow(
      /^solverInverse has no solution by minres \(budget\)/,
    );
    await expect(solverInverse(rotated(values)).matvec(b, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "aborted",
    });
  });

  test("preconditioners from any operator with an inverse, with log-determinants", async () => {
    const U = randomMatrix(30, 3, 8);
    for (const P of [diagonal(values), lowRank(U, Float64Array.of(3, 2, 1)), A]) {
      const M = preconditioner(P, { damping: 0.1 });
      const x = await M.matvec(b);
      const back = await damped(P, 0.1).matvec(x);
      expect(distance(back, b)).toBeLessThan(1e-10);
      expect(await M.logdet!({ damping: 0 })).toBeCloseTo(-(await P.logdet!({ damping: 0.1 })), 10);
      await expect(M.logdet!({ damping: 2 })).rejects.toThrow(/known for damping 0 only, got 2/);
    }
    expect(() => preconditioner(rotated(values))).toThrow(/expects an operator with inverse\(\), got one without/);
  });

  test("Jacobi: the diagonal's inverse, with entries that are not positive raised", async () => {
    const M = await jacobiPreconditioner(diagonal(Float64Array.of(4, -1, 2)), { damping: 1 });
    expect(Array.from(await M.matvec(Float64Array.of(1, 1, 1)))).toEqual([1 / 5, 1 / 5, 1 / 3]);
    await expect(jacobiPreconditioner(rotated(values))).rejects.toThrow(/knows its diagonal, got one that does not/);
    await expect(jacobiPreconditioner(rotated([1]), { entries: Float64Array.of(-1) })).rejects.toThrow(
      /a diagonal with a positive entry, got at most 0/,
    );
  });
});
