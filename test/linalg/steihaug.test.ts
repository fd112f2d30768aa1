import { describe, expect, test } from "vitest";
import { type LinearOperator, steihaug, steihaugSteps } from "../../src/linalg/index.ts";
import type { Vector } from "../../src/tensors/index.ts";
import { counted, distance, length, randomVector, range, rotated, spectral } from "./knownOperators.ts";

describe("steihaug", () => {
  const g = randomVector(30, 1);
  const model = async (A: LinearOperator, x: Vector) => {
    const Ax = await A.matvec(x);
    return Array.from(x).reduce((so, value, i) => so + value * (g[i]! + Ax[i]! / 2), 0);
  };
  test("inside: the Newton step; at the boundary: no longer than the radius, and better than Cauchy's point", async () => {
    const values = range(30, (i) => 1 + i);
    const A = counted(rotated(values));
    const inside = await steihaug(A, g, { radius: 1e3 });
    expect(inside).toMatchObject({ status: "converged", reached: "interior" });
    expect(A.count()).toBe(inside.matvecs);
    expect(
      distance(
        inside.x,
        spectral(values, g, (value) => -1 / value),
      ),
    ).toBeLessThan(1e-7);
    const edge = await steihaug(rotated(values), g, { radius: 0.5 });
    expect(edge.reached).toBe("boundary");
    expect(length(edge.x)).toBeCloseTo(0.5, 12);
    expect(edge.model).toBeCloseTo(await model(A, edge.x), 12);
    const cauchy = g.map((value) => (-0.5 * value) / length(g));
    expect(edge.model).toBeLessThanOrEqual(await model(A, cauchy));
  });
  test("does not claim a tolerance that rounding cannot hold", async () => {
    const A = rotated(
      range(30, (i) => 1 + i),
      { dtype: "float32" },
    );
    const result = await steihaug(A, g, { radius: 1e3, tolerance: 1e-10 });
    expect(result).toMatchObject({ status: "stagnated", reached: "interior" });
    expect(result.message).toMatch(
      /^rounding in float32 allows no less than about .*, .* is asked for; minimum inside of/,
    );
    const Ax = await rotated(range(30, (i) => 1 + i)).matvec(result.x);
    const residual = length(g.map((value, i) => value + Ax[i]!));
    expect(result.residualNorm).toBeGreaterThan(residual);
    expect(result.residualNorm).toBeLessThan(100 * residual);
  });
  test("follows negative curvature to the boundary", async () => {
    const A = rotated(range(30, (i) => i - 25));
    const result = await steihaug(A, g, { radius: 2 });
    expect(result.reached).toBe("negative curvature");
    expect(length(result.x)).toBeCloseTo(2, 12);
    expect(result.curvature).toBeLessThan(0);
    expect(result.model).toBeCloseTo(await model(A, result.x), 10);
    await expect(steihaug(A, g, { radius: 0 })).rejects.toThrow(
      "steihaug expects radius to be a positive finite number, got 0",
    );
  });
  test("from the state of its last step, to the boundary, it has the same end without a product", async () => {
    for (const [values, reached] of [
      [range(30, (i) => 1 + i), "boundary"],
      [range(30, (i) => i - 25), "negative curvature"],
    ] as const) {
      const run = steihaugSteps(rotated(values), g, { radius: 0.5 });
      let [last, next] = [undefined as never, await run.next()];
      for (; !next.done; next = await run.next()) last = structuredClone(next.value) as never;
      expect(next.value.reached).toBe(reached);
      const A = counted(rotated(values));
      expect(await steihaug(A, g, { radius: 0.5, state: last })).toEqual(next.value);
      expect(A.count()).toBe(0);
    }
  });
});
