import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { quantizeTensor } from "../../../src/applications/quantization/index.ts";
import { uniformRounding } from "../../../src/index.ts";
import { messageOf } from "../../onnx/messageOf.ts";

const weights = fc
  .float64Array({ minLength: 6, maxLength: 60, min: -100, max: 100, noNaN: true })
  .map((values) => values.map((value) => (Math.abs(value) < 1e-200 ? 0 : value)));
const bits = fc.integer({ min: 2, max: 8 });
const scheme = fc.constantFrom("symmetric" as const, "asymmetric" as const);

/**
 * The least squared error over all steps of a symmetric grid, exactly: between neighbouring steps at which a level changes, levels are fixed and
 * the best step for them has the error |w|^2 - <w, q>^2 / <q, q>.
 */
function leastError(w: Float64Array, b: number): number {
  const most = 2 ** (b - 1) - 1;
  const changes = [...w].flatMap((x) =>
    Array.from({ length: most }, (_, k) => ({ step: Math.abs(x) / (k + 0.5), x: Math.abs(x), k })),
  );
  changes.sort((a, c) => c.step - a.step);
  const total = w.reduce((sum, x) => sum + x * x, 0);
  let [both, squares, least] = [0, 0, total];
  for (const { x, k } of changes) {
    both += x;
    squares += 2 * k + 1;
    if (x > 0) least = Math.min(least, total - both ** 2 / squares);
  }
  return least;
}

describe("quantizeTensor", () => {
  test("with one step is uniformRounding", () => {
    fc.assert(
      fc.property(weights, bits, scheme, (w, b, grid) => {
        const found = quantizeTensor(w, { dims: [w.length], bits: b, scheme: grid });
        const { values, step, meanSquaredError } = uniformRounding(w, { bits: b, scheme: grid });
        expect(found.values).toEqual(values);
        expect(found.steps[0]).toBe(step);
        expect(found.squaredError).toBeCloseTo(meanSquaredError * w.length, 8);
      }),
    );
  });

  test("stores whole numbers of b bits, which give the values back", () => {
    fc.assert(
      fc.property(weights, bits, scheme, fc.constantFrom("max" as const, "mse" as const), (w, b, grid, scale) => {
        const dims = [3, 2, Math.floor(w.length / 6)];
        const own = w.subarray(0, 6 * dims[2]!);
        for (const axis of [undefined, 0, 1, 2]) {
          const { levels, steps, zeroPoints, values } = quantizeTensor(own, {
            dims,
            bits: b,
            scheme: grid,
            scale,
            axis,
          });
          expect(steps).toHaveLength(axis === undefined ? 1 : dims[axis]!);
          const inner = axis === undefined ? own.length : dims.slice(axis + 1).reduce((size, dim) => size * dim, 1);
          own.forEach((_, i) => {
            const channel = axis === undefined ? 0 : Math.floor(i / inner) % dims[axis]!;
            const stored = levels[i]! + zeroPoints[channel]!;
            expect(Math.abs(values[i]! - (stored - zeroPoints[channel]!) * steps[channel]!)).toBe(0);
            const most = 2 ** (b - 1) - 1;
            if (grid === "symmetric") expect(Math.abs(stored)).toBeLessThanOrEqual(most);
            else expect(stored >= 0 && stored < 2 ** b).toBe(true);
          });
        }
      }),
      { numRuns: 60 },
    );
  });

  test("along an axis is each slice alone", () => {
    const w = Float64Array.from({ length: 24 }, (_, i) => Math.sin(i * i));
    const found = quantizeTensor(w, { dims: [2, 3, 4], bits: 3, axis: 1 });
    for (let channel = 0; channel < 3; channel++) {
      const entries = [...w.keys()].filter((i) => Math.floor(i / 4) % 3 === channel);
      const own = uniformRounding(
        Float64Array.from(entries, (i) => w[i]!),
        { bits: 3 },
      );
      expect(entries.map((i) => found.values[i])).toEqual([...own.values]);
    }
  });

  test("steps of least squared error: never worse than those of the largest weight, within 5 % of the exact optimum", () => {
    fc.assert(
      fc.property(weights, fc.integer({ min: 2, max: 5 }), scheme, (w, b, grid) => {
        const options = { dims: [w.length], bits: b, scheme: grid };
        const best = quantizeTensor(w, { ...options, scale: "mse" }).squaredError;
        expect(best).toBeLessThanOrEqual(quantizeTensor(w, options).squaredError);
        if (grid === "asymmetric") return;
        const least = leastError(w, b);
        const total = w.reduce((sum, x) => sum + x * x, 0);
        expect(best).toBeGreaterThanOrEqual(least - 1e-9 * total);
        expect(best).toBeLessThanOrEqual(1.05 * least + 1e-3 * total);
      }),
    );
  });

  test("float16 rounds as IEEE 754 does", () => {
    const given = [1, 1 + 2 ** -11, 1 + 3 * 2 ** -11, -0.1, 2 ** -25, 3 * 2 ** -25, 65504, 0, 2 ** -14, 0.333251953125];
    const expected = [1, 1, 1 + 2 ** -9, -0.0999755859375, 0, 2 ** -23, 65504, 0, 2 ** -14, 0.333251953125];
    const found = quantizeTensor(Float64Array.from(given), { dims: [given.length], bits: 16 });
    expect([...found.values].map((value) => value + 0)).toEqual(expected);
    expect(found.levels).toHaveLength(0);
    fc.assert(
      fc.property(fc.double({ min: -60000, max: 60000, noNaN: true }), (x) => {
        const rounded = quantizeTensor(Float64Array.of(x), { dims: [1], bits: 16 }).values[0]!;
        expect(Math.abs(rounded - x)).toBeLessThanOrEqual(Math.max(2 ** -11 * Math.abs(x), 2 ** -25));
        expect(quantizeTensor(Float64Array.of(rounded), { dims: [1], bits: 16 }).values[0]).toBe(rounded);
      }),
    );
    expect(messageOf(() => quantizeTensor(Float64Array.of(1, 70000), { dims: [2], bits: 16 }))).toBe(
      "argument: quantizeTensor cannot store 70000 in float16, whose largest number is 65504; choose 2 to 8 bits",
    );
  });

  test("steps of float32 weights are float32 numbers", () => {
    const { steps, values } = quantizeTensor(Float32Array.of(0.1, -0.7, 0.3), { dims: [3], bits: 4 });
    expect(steps[0]).toBe(Math.fround(steps[0]!));
    expect(values).toBeInstanceOf(Float32Array);
  });

  test("a tensor of zeros stays", () => {
    for (const scale of ["max", "mse"] as const) {
      const { steps, values, squaredError } = quantizeTensor(new Float64Array(4), {
        dims: [2, 2],
        bits: 4,
        scale,
        axis: 0,
      });
      expect([...steps]).toEqual([0, 0]);
      expect([...values]).toEqual([0, 0, 0, 0]);
      expect(squaredError).toBe(0);
    }
  });

  test("refuses what it cannot take", () => {
    const asked = (options: object) =>
      messageOf(() => quantizeTensor(Float64Array.of(1, 2), { dims: [2], bits: 4, ...options } as never));
    expect(asked({ bits: 1 })).toBe("argument: quantizeTensor expects bits from 2 to 8, or 16 for float16, got 1");
    expect(asked({ axis: 1 })).toBe("argument: quantizeTensor expects axis from 0 to 0 for dimensions [2], got 1");
    expect(asked({ dims: [3] })).toBe("shape: quantizeTensor expects 3 weights for dimensions [3], got 2");
    expect(asked({ scale: "percentile" })).toBe(
      'argument: quantizeTensor expects scale "max" or "mse", got percentile',
    );
    expect(asked({ scheme: "log" })).toContain('expects scheme "symmetric" or "asymmetric", got log');
    expect(asked({ bit: 4 })).toContain("unknown option `bit`; did you mean `bits`?");
  });
});
