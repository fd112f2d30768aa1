import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { uniformRounding } from "../../src/index.ts";

// Numbers so small that a step is no number are left out.
const weights = fc
  .float64Array({ minLength: 1, maxLength: 40, min: -100, max: 100, noNaN: true })
  .map((values) => values.map((value) => (Math.abs(value) < 1e-300 ? 0 : value)));
const bits = fc.integer({ min: 2, max: 16 });

describe("uniformRounding", () => {
  test.each(["symmetric", "asymmetric"] as const)(
    "%s: at most 2^b values on a grid, errors of half a step",
    (scheme) => {
      fc.assert(
        fc.property(weights, bits, (w, b) => {
          const { values, step, meanSquaredError } = uniformRounding(w, { bits: b, scheme });
          if (step === 0) {
            expect(values.every((value) => value === 0)).toBe(true);
            return;
          }
          const levels = Array.from(values, (value) => value / step);
          for (const level of levels) expect(Math.abs(level - Math.round(level))).toBeLessThan(1e-6);
          expect(Math.round(Math.max(...levels)) - Math.round(Math.min(...levels))).toBeLessThan(2 ** b);
          // Rounding the zero point moves the end of an asymmetric grid by up to half a step.
          const most = scheme === "symmetric" ? 0.5 : 1;
          const errors = Array.from(values, (value, i) => Math.abs(value - w[i]!));
          expect(Math.max(...errors)).toBeLessThanOrEqual(most * step * (1 + 1e-9));
          expect(meanSquaredError).toBeCloseTo(errors.reduce((sum, e) => sum + e * e, 0) / errors.length, 10);
        }),
      );
    },
  );

  test("keeps 0 and, symmetric, the largest weight and the sign", () => {
    const { values, step } = uniformRounding(Float64Array.of(-1.5, 0, 0.3, 1), { bits: 3 });
    expect(step).toBe(0.5);
    expect(Array.from(values)).toEqual([-1.5, 0, 0.5, 1]);
    expect(uniformRounding(Float64Array.of(-1, 0, 2), { bits: 4, scheme: "asymmetric" }).values[1]).toBe(0);
  });

  test("rounds halves to even, as QuantizeLinear does", () => {
    // Step 1: 3 bits have the integers -3, ..., 3.
    const { values } = uniformRounding(Float64Array.of(3, 0.5, 1.5, 2.5, -0.5, -1.5), { bits: 3 });
    expect(Array.from(values, (x) => x + 0)).toEqual([3, 0, 2, 2, 0, -2]);
  });

  test("gives numbers of the precision of the weights", () => {
    const { values } = uniformRounding(Float32Array.of(0.1, 0.7, -0.35), { bits: 8 });
    expect(Array.from(values)).toEqual(Array.from(values, Math.fround));
  });

  test("refuses bits and schemes that it does not have", () => {
    const w = Float64Array.of(1);
    expect(() => uniformRounding(w, { bits: 1 })).toThrow(/bits to be a whole number from 2 to 16, got 1/);
    expect(() => uniformRounding(w, { bits: 4, scheme: "none" as "symmetric" })).toThrow(/"symmetric" or "asymmetric"/);
  });
});
