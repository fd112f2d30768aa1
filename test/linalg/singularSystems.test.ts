import { describe, expect, test } from "vitest";
import {
  cg,
  cgls,
  diagonal,
  functionOperator,
  gmres,
  lsmr,
  minres,
  minresQlp,
  solve,
  steihaug,
} from "../../src/linalg/index.ts";
import { range } from "./knownOperators.ts";

const length = (x: ArrayLike<number>) => Math.hypot(...Array.from(x));

describe("a singular symmetric system with a right-hand side outside the range", () => {
  const n = 200;
  const u = range(n, (i) => Math.sin(1 + i * i));
  const squared = u.reduce((sum, value) => sum + value * value, 0);
  const reflect = (x: Float64Array) => {
    const d = (2 * x.reduce((sum, value, i) => sum + value * u[i]!, 0)) / squared;
    return x.map((value, i) => value - d * u[i]!);
  };
  /** One eigenvalue 0, the others 1.1 to 20.9. */
  const product = (x: ArrayLike<number>) =>
    reflect(reflect(Float64Array.from(x)).map((value, i) => (i === 0 ? 0 : 1 + i / 10) * value));

  test.each(["float64", "float32"] as const)(
    "%s: the residual is the least one, and x does not grow",
    async (dtype) => {
      for (const psd of [false, true]) {
        const A = functionOperator({ shape: [n, n], symmetric: true, psd, dtype, matvec: product });
        for (let s = 0; s < 5; s++) {
          const b = reflect(range(n, (i) => (i === 0 ? 0.01 : Math.cos(7 * s + 3 * i))));
          for (const method of psd ? [solve] : [minres, solve, minresQlp]) {
            const { x, residualNorm } = await method(A, b);
            const residual = product(x).map((value, i) => b[i]! - value);
            expect(length(residual)).toBeLessThan(0.0101);
            expect(Math.abs(length(residual) - residualNorm)).toBeLessThan(dtype === "float64" ? 1e-9 : 1e-4);
            expect(length(x)).toBeLessThan(4);
          }
        }
      }
    },
  );
});

describe("right-hand sides of any size", () => {
  const d = range(40, (i) => 1 + (i * i) / 10);
  const A = diagonal(d);

  test.each([1e-300, 1e-165, 1e-150, 1e-80, 1e80, 1e155, 1e300])("%s", async (scale) => {
    const b = range(40, (i) => scale * Math.cos(3 * i));
    for (const method of [cg, minres, minresQlp, gmres, lsmr, cgls, solve]) {
      const { status, message, x, residualNorm } = await method(A, b);
      expect(status, message).toBe("converged");
      expect(message).not.toContain("preconditioner");
      expect(residualNorm / scale).toBeLessThan(1e-6);
      for (const [i, value] of x.entries())
        expect(Math.abs((value / scale) * d[i]! - Math.cos(3 * i))).toBeLessThan(1e-6);
    }
  });

  test.each([1, 1e-70, 1e-80, 1e-100, 1e-165, 1e80, 1e155])("steihaug, scale %s", async (scale) => {
    const g = range(40, (i) => scale * Math.cos(3 * i));
    const right = range(40, (i) => -(Math.cos(3 * i) ** 2) / d[i]! / 2).reduce((a, b) => a + b);
    const inside = await steihaug(A, g, { radius: 1000 * scale });
    expect(inside).toMatchObject({ status: "converged", reached: "interior" });
    if (Math.abs(Math.log10(scale)) < 150) expect(inside.model / scale / scale).toBeCloseTo(right, 9);
    const short = await steihaug(A, g, { radius: 0.1 * scale });
    expect(short.reached).toBe("boundary");
    expect(length(short.x.map((value) => value / scale))).toBeCloseTo(0.1, 9);
  });

  test.each([1e100, 1e160, Number.MAX_VALUE])("steihaug, radius %s", async (radius) => {
    const g = range(40, (i) => Math.cos(3 * i));
    const inside = await steihaug(A, g, { radius });
    expect(inside).toMatchObject({ status: "converged", reached: "interior" });
    for (const [i, value] of inside.x.entries()) expect(value * d[i]!).toBeCloseTo(-g[i]!, 6);
    const saddle = await steihaug(diagonal(d.map((value, i) => (i === 3 ? -value : value))), g, {
      radius: Math.min(radius, 1e160),
    });
    expect(saddle.reached).toBe("negative curvature");
    expect(length(saddle.x.map((value) => value / Math.min(radius, 1e160)))).toBeCloseTo(1, 9);
  });
});
