import { describe, expect, test } from "vitest";
import {
  dense,
  diagonal,
  explainSolver,
  functionOperator,
  type LinearOperator,
  solve,
} from "../../src/linalg/index.ts";
import { distance, geometric, randomVector, rotated, spectral, trueResidual } from "./knownOperators.ts";
import { randomMatrix } from "./randomMatrices.ts";

describe("solve", () => {
  const values = geometric(30, 0.85);
  const b = randomVector(30, 2);
  const plain = rotated(values);
  test("picks by what is declared, and explains it", async () => {
    const cases: readonly [LinearOperator, string, RegExp][] = [
      [{ ...plain, psd: true }, "cg", /psd is declared/],
      [plain, "minres", /symmetric is declared but not psd/],
      [{ ...plain, symmetric: false }, "gmres", /square and not symmetric/],
      [diagonal(values), "inverse", /closed form/],
      [dense(randomMatrix(30, 9, 1)), "lsmr", /shape \[30, 9\] is not square/],
    ];
    for (const [A, method, why] of cases) {
      expect(explainSolver(A)).toEqual({ method, why: expect.stringMatching(why) });
      const result = await solve(A, b);
      expect([result.method, result.status], result.message).toEqual([method, "converged"]);
    }
    const bare = functionOperator({ shape: [3, 2], matvec: () => new Float64Array(3) });
    expect(() => explainSolver(bare)).toThrow(/rectangular operator to have adjoint\(\), got one of shape \[3, 2\]/);
  });
  test("takes a damping and a method by name, and refuses others", async () => {
    const { x, method } = await solve(plain, b, { damping: 0.5, method: "bicgstab" });
    expect(method).toBe("bicgstab");
    expect(
      distance(
        x,
        spectral(values, b, (value) => 1 / (value + 0.5)),
      ),
    ).toBeLessThan(1e-7);
    await expect(solve(plain, b, { method: "lu" as "cg" })).rejects.toThrow(
      "solve expects method to be one of inverse,",
    );
    await expect(solve(plain, b, { method: "inverse" })).rejects.toThrow(/expects an operator with inverse\(\)/);
  });
  test("a closed inverse that is not one is found out by its residual", async () => {
    const wrong = { ...diagonal(values), inverse: () => diagonal(values) };
    const result = await solve(wrong, b);
    expect(result.status).toBe("stagnated");
    expect(result.residualNorm).toBeCloseTo(await trueResidual(wrong, result.x, b), 12);
  });
});
