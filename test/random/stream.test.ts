import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { stream } from "../../src/random/index.ts";

describe("stream", () => {
  test("same seed and path give the same numbers, other ones others", () => {
    const draw = (seed: number, ...path: (string | number)[]) => {
      const random = stream(seed, ...path);
      return Array.from({ length: 5 }, () => random.uniform());
    };
    expect(draw(1, "a", 2)).toEqual(draw(1, "a", 2));
    const others = [
      draw(1, "a", 2),
      draw(2, "a", 2),
      draw(1, "b", 2),
      draw(1, "a", 3),
      draw(1, "a"),
      draw(2 ** 32 + 1, "a", 2),
    ];
    expect(new Set(others.map((numbers) => numbers.join())).size).toBe(others.length);
  });

  test("signs fills what sign draws one by one, in any pieces", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 70 }), { maxLength: 6 }), (lengths) => {
        const [one, many] = [stream(3, "signs"), stream(3, "signs")];
        for (const length of lengths) {
          const filled = new Float32Array(length);
          many.signs(filled);
          expect([...filled]).toEqual(Array.from({ length }, () => one.sign()));
        }
      }),
    );
  });

  test("has the moments of its distributions", () => {
    const random = stream(5, "moments");
    const n = 40_000;
    const mean = (draw: () => number) => {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += draw();
      return sum / n;
    };
    const within = (value: number, expected: number, deviation: number) =>
      expect(Math.abs(value - expected)).toBeLessThan((4 * deviation) / Math.sqrt(n));
    within(mean(random.uniform), 1 / 2, Math.sqrt(1 / 12));
    within(mean(random.sign), 0, 1);
    within(mean(random.normal), 0, 1);
    within(
      mean(() => random.normal() ** 2),
      1,
      Math.SQRT2,
    );
    within(
      mean(() => random.normal() ** 4),
      3,
      Math.sqrt(96),
    );
    within(
      mean(() => random.integer(5)),
      2,
      Math.SQRT2,
    );
  });

  test("first numbers of neighbouring seeds are not alike", () => {
    const n = 4000;
    let product = 0;
    for (let seed = 0; seed < n; seed++) product += (stream(seed).uniform() - 0.5) * (stream(seed + 1).uniform() - 0.5);
    expect(Math.abs(product / n)).toBeLessThan(4 / 12 / Math.sqrt(n));
  });
});
