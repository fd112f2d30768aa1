import { describe, expect, test } from "vitest";
import { cg, damped, multiShiftCg } from "../../src/linalg/index.ts";
import { column } from "../../src/tensors/index.ts";
import { counted, distance, geometric, length, randomVector, range, rotated, spectral } from "./knownOperators.ts";

describe("multiShiftCg", () => {
  const values = geometric(60, 0.85);
  const b = randomVector(60, 1);
  const dampings = [1e-2, 0.001, 1, 0.1];
  test("solves all dampings with the products of the smallest, and one more each", async () => {
    const A = counted(rotated(values));
    const result = await multiShiftCg(A, b, { dampings });
    expect(result.status, result.message).toBe("converged");
    dampings.forEach((damping, i) => {
      const truth = spectral(values, b, (value) => 1 / (value + damping));
      expect(distance(column(result.x, i), truth)).toBeLessThan(1e-8 * length(b) * (1 / damping));
    });
    const alone = await cg(damped(rotated(values), 0.001), b, { tolerance: 0.5e-8 });
    // Rounding decides a few steps, and how often each of the two has its residual recomputed.
    expect(Math.abs(result.matvecs - dampings.length - (alone.matvecs - 1))).toBeLessThanOrEqual(5);
  });
  test("reports negative curvature with its direction, and refuses dampings that are none", async () => {
    const A = rotated(range(20, (i) => i - 3));
    const result = await multiShiftCg(A, b.slice(0, 20), { dampings: [1, 2] });
    expect(result.status).toBe("indefinite");
    const Ad = await A.matvec(result.direction!);
    const curvature = 1 + Array.from(Ad).reduce((so, y, i) => so + y * result.direction![i]!, 0);
    expect(result.curvature).toBeCloseTo(curvature, 10);
    expect(curvature).toBeLessThan(0);
    expect(result.message).toMatch(/raise the smallest damping$/);
    await expect(multiShiftCg(A, b.slice(0, 20), { dampings: [] })).rejects.toThrow("list of finite numbers, got []");
  });
});
