import { describe, expect, test } from "vitest";
import { hutchinsonDiagonal, hutchinsonTrace, hutchPlusPlus, xtrace } from "../../src/linalg/index.ts";
import { counted, range, rotated } from "./knownOperators.ts";

describe("a tolerance is met with the products that it takes, whatever the budget", () => {
  const values = range(240, (i) => 1 / (1 + i / 50));
  const trace = values.reduce((sum, value) => sum + value, 0);

  test.each([hutchinsonTrace, hutchPlusPlus, xtrace])("$name", async (method) => {
    for (const matvecs of [150, 240, 300, 5000]) {
      const A = counted(rotated(values));
      const result = await method(A, { matvecs, tolerance: 0.1, seed: 1 });
      expect(result.status).toBe("converged");
      expect(result.matvecs).toBeLessThanOrEqual(150);
      expect(A.count()).toBe(result.matvecs);
      expect(Math.abs(result.trace / trace - 1)).toBeLessThan(0.1);
    }
  });

  test("where it would take more than all unit vectors and the budget has room for these, the result is exact", async () => {
    const A = counted(rotated(values));
    const result = await hutchinsonTrace(A, { matvecs: 5000, tolerance: 1e-6, seed: 1 });
    expect(result).toMatchObject({ status: "converged", standardError: 0 });
    expect(Math.abs(result.trace / trace - 1)).toBeLessThan(1e-12);
    expect(result.matvecs).toBeLessThanOrEqual(240 + 48);
    expect(A.count()).toBe(result.matvecs);
    const diagonal = await hutchinsonDiagonal(rotated(values), { matvecs: 5000, tolerance: 1e-6, seed: 1 });
    expect(diagonal.status).toBe("converged");
    expect(Math.max(...diagonal.standardErrors)).toBe(0);
  });

  test("a budget without room for both says how near it came", async () => {
    const result = await hutchinsonTrace(rotated(values), { matvecs: 250, tolerance: 1e-6, seed: 1 });
    expect(result.status).toBe("budget");
    expect(result.matvecs).toBeLessThanOrEqual(250);
  });

  test("without a tolerance, and for few columns, a budget of n is exact", async () => {
    const exact = await hutchinsonTrace(rotated(values), { matvecs: 240, seed: 1 });
    expect(exact).toMatchObject({ status: "converged", standardError: 0, matvecs: 240 });
    const small = await hutchinsonTrace(rotated(values.slice(0, 40)), { matvecs: 40, tolerance: 1e-6, seed: 1 });
    expect(small).toMatchObject({ status: "converged", standardError: 0, matvecs: 40 });
  });
});
