import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { matches } from "../../src/models/index.ts";

/** Whether a pattern matches, straight from the definition: a star stands for each beginning of the rest in turn. */
function defined(name: string, pattern: string): boolean {
  if (pattern === "") return name === "";
  if (pattern[0] !== "*") return name !== "" && name[0] === pattern[0] && defined(name.slice(1), pattern.slice(1));
  return Array.from({ length: name.length + 1 }, (_, i) => name.slice(i)).some((rest) =>
    defined(rest, pattern.slice(1)),
  );
}

describe("patterns", () => {
  test("with stars match as defined", () => {
    const text = (letters: string) => fc.string({ unit: fc.constantFrom(...letters), maxLength: 7 });
    fc.assert(
      fc.property(text("ab.\n$"), text("ab.*\n$"), (name, pattern) => {
        expect(matches(name, [pattern])).toBe(defined(name, pattern));
      }),
      { numRuns: 2000 },
    );
  });

  test("with many stars against a long name need no time", () => {
    const name = "a".repeat(100_000);
    expect(matches(name, [`${"*a".repeat(200)}*b`])).toBe(false);
    expect(matches(name, [`${"*a".repeat(200)}*`])).toBe(true);
    expect(matches(name, [`*${"a*".repeat(50_001)}`])).toBe(true);
    expect(matches(name, ["a*".repeat(50_000).slice(0, -1).concat("*c")])).toBe(false);
  });

  test.each([/weight|bias/g, /weight|bias/y, /WEIGHT|bias/gi, /weight|bias/gy])(
    "%s matches every time, and is left as it was",
    (expression) => {
      const names = ["fc1.weight", "fc1.bias", "fc2.weight", "weight", "bias", "scale"];
      expression.lastIndex = 3;
      expect(names.map((name) => matches(name, [expression]))).toEqual([true, true, true, true, true, false]);
      expect(expression.lastIndex).toBe(3);
    },
  );
});
