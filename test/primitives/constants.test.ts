import { expect, test } from "vitest";
import { vjp } from "../../src/autodiff/index.ts";
import { constant, printGraph } from "../../src/graph/index.ts";
import {
  abs,
  clip,
  composite,
  exp,
  filled,
  inverseOrder,
  mul,
  range,
  square,
  unary,
  withOnes,
  zeros,
} from "../../src/primitives/index.ts";
import { evaluate, feed, floats } from "./evaluate.ts";

test("constants", async () => {
  const outputs = { zeros: zeros([2, 2]), filled: filled([3], 0.1), range: range(4) };
  expect(await evaluate(outputs)).toEqual({ zeros: [0, 0, 0, 0], filled: [0.1, 0.1, 0.1], range: [0, 1, 2, 3] });
  expect([outputs.zeros.shape, outputs.range.shape, outputs.range.type]).toEqual([[2, 2], [4], "int64"]);
});

test("shapes with ones, and orders that undo each other", () => {
  expect(withOnes([2, 3, 4], [0, 2])).toEqual([1, 3, 1]);
  expect(inverseOrder([2, 0, 1])).toEqual([1, 2, 0]);
});

test("integers that are known stay integers", async () => {
  const threes = constant({ data: BigInt64Array.of(-3n, -3n), dims: [2] });
  const outputs = { abs: abs(threes), clip: clip(exp(filled([2], 0)), { high: 0.5 }) };
  expect([outputs.abs.type, outputs.clip.uniform]).toEqual(["int64", 0.5]);
  expect(await evaluate({ abs: outputs.abs })).toEqual({ abs: [3, 3] });
});

test("functions of one's own: by an operator, and by a composition with a derivative of its own", async () => {
  const ceil = unary("ceil", { op: "Ceil", evaluate: Math.ceil });
  const bump = composite("bump", {
    alternative: (x) => exp(mul(square(x), filled([], -1))),
    derivative: (x, y) => mul(mul(x, filled([], -2)), y),
  });
  const fed = feed({ x: floats([0.5, -1.25]) });
  const { x } = fed.inputs;
  const value = bump(x);
  const ones = filled([2], 1);
  const [gradient] = vjp([value], [x], [ones]);
  const [none] = vjp([ceil(x)], [x], [ones]);
  const bell = (t: number) => Math.exp(-t * t);
  expect(await evaluate({ up: ceil(x), value, gradient, none }, fed)).toEqual({
    up: [1, -1],
    value: [bell(0.5), bell(-1.25)].map((y) => expect.closeTo(y, 14)),
    gradient: [-bell(0.5), 2.5 * bell(-1.25)].map((y) => expect.closeTo(y, 14)),
    none: [0, 0],
  });
  expect(printGraph([value])).toContain("bump(x)");
});
