import { expect, test } from "vitest";
import { CurvatureError } from "../../src/errors/index.ts";

test("a message is one line of bounded length, whatever names are in it", () => {
  expect(new CurvatureError("file", 'reads "a\nb\u0000\u0085c"').message).toBe('reads "a\\nb\\x00\\x85c"');
  expect(new CurvatureError("file", "x".repeat(1e6)).message).toBe(`${"x".repeat(2000)}...`);
});

test("what is readable stays as it is", () => {
  const message = 'größer "als" 1 µm; ≤ 2';
  expect(new CurvatureError("data", message).message).toBe(message);
});
