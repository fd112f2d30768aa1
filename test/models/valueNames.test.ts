import { expect, test } from "vitest";
import { freshName } from "../../src/models/import/prepared/valueNames.ts";

test("fresh names are those wanted, or numbered past what is taken", () => {
  const taken = new Set(["a", "a_1", "a_3"]);
  expect(["b", "a", "a", "a_2", "a", "b"].map((name) => freshName(name, taken))).toEqual([
    "b",
    "a_2",
    "a_4",
    "a_2_1",
    "a_5",
    "b_1",
  ]);
});

test("hundred thousand fresh names for one wanted take no quadratic time", { timeout: 10_000 }, () => {
  const taken = new Set<string>();
  for (let i = 0; i < 100_000; i++) freshName("constant", taken);
  expect(taken.size).toBe(100_000);
});
