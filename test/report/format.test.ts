import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatCount,
  formatEigenvalue,
  formatEstimate,
  formatNumber,
  formatPower,
  formatSeconds,
  formatShare,
  shortened,
} from "../../src/report/format.ts";

const plain = (text: string) => text.replaceAll("\u00a0", " ");

describe("formatNumber", () => {
  test.each([
    [0, 4, "0"],
    [0.80427474, 6, "0.804275"],
    [-0.0014934, 4, "−0.001493"],
    [12345.6, 4, "12,350"],
    [999999, 3, "1.00 × 10⁶"],
    [-1.4934e-5, 3, "−1.49 × 10⁻⁵"],
    [9.95e-77, 2, "1.0 × 10⁻⁷⁶"],
    [Number.NaN, 3, "unknown"],
    [Number.POSITIVE_INFINITY, 3, "infinite"],
    [Number.NEGATIVE_INFINITY, 3, "minus infinite"],
  ])("%d with %d digits is %s", (x, digits, expected) => expect(plain(formatNumber(x, digits))).toBe(expected));

  test("in a terminal it is ASCII that reads back to the rounded number", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, min: -1e12, max: 1e12 }), fc.integer({ min: 1, max: 8 }), (x, digits) => {
        const text = formatNumber(x, digits, "terminal");
        expect(text).toMatch(/^[ -~]*$/);
        const read = Number(text.replaceAll(",", ""));
        expect(Math.abs(read - x)).toBeLessThanOrEqual(0.500001 * 10 ** (1 - digits) * 10 * Math.abs(x));
      }),
    );
  });
});

describe("formatEstimate", () => {
  test.each([
    [4.9654, 0.1234, "4.97 ± 0.12"],
    [4.9654, 0, "4.96540"],
    [49674000, 1234000, "(4.97 ± 0.12) × 10⁷"],
    [0.000004967, 0.000000123, "(4.97 ± 0.12) × 10⁻⁶"],
    [0.1, 4, "0.1 ± 4.0"],
    [-0.04, 4, "0.0 ± 4.0"],
    [12345, 67.8, "12,345 ± 68"],
    [3, Number.NaN, "3.0 ± unknown"],
    [Number.NaN, 1, "unknown"],
  ])("%d ± %d is %s", (value, error, expected) => expect(plain(formatEstimate(value, error))).toBe(expected));

  test("shows the error with two significant digits and the value to the same place", () => {
    fc.assert(
      fc.property(
        fc.double({ noNaN: true, min: -1e9, max: 1e9 }),
        fc.double({ noNaN: true, min: 1e-6, max: 1e6 }),
        (v, e) => {
          const text = formatEstimate(v, e, "terminal").replaceAll(",", "");
          const [, a, b, exponent] = /^\(?(\S+) \+- ([^)]+)\)?(e-?\d+)?$/.exec(text) as unknown as string[];
          const scale = Number(`1${exponent ?? ""}`);
          expect(Math.abs(Number(b) * scale - e)).toBeLessThanOrEqual(0.0501 * e);
          expect(Math.abs(Number(a) * scale - v)).toBeLessThanOrEqual(0.051 * e + 1e-12 * Math.abs(v));
        },
      ),
    );
  });
});

test("an eigenvalue has the digits that its residual warrants", () => {
  expect(formatEigenvalue(0.80427474, 1e-9)).toBe("0.804275");
  expect(formatEigenvalue(0.80427474, 0.01)).toBe("0.80");
  expect(formatEigenvalue(0.80427474, 3)).toBe("0.80");
  expect(formatEigenvalue(-0.0014934, 1e-6, "terminal")).toBe("-0.001493");
});

test("counts, shares, seconds, powers and long names", () => {
  expect(formatCount(1234567)).toBe("1,234,567");
  expect(formatShare(0.9993041)).toBe("99.93 %");
  expect(formatShare(0.9999999)).not.toContain("100");
  expect(formatShare(1)).toBe("100 %");
  expect(formatShare(0.0012)).toBe("0.12 %");
  expect(formatSeconds(0.0042)).toBe("4.2 ms");
  expect(formatSeconds(11.94)).toBe("11.9 s");
  expect(formatSeconds(250)).toBe("4 min 10 s");
  expect(formatSeconds(7500)).toBe("2 h 5 min");
  expect([-3, -1, 0, 3, 4].map(formatPower)).toEqual(["10⁻³", "10⁻¹", "10⁰", "10³", "10⁴"]);
  expect(shortened("model.layers.0.mlp.up_proj", 12)).toHaveLength(12);
  expect(shortened("short", 12)).toBe("short");
});
