import { describe, expect, test } from "vitest";
import { jvp, vjp } from "../../src/autodiff/index.ts";
import { scalar, type Value } from "../../src/graph/index.ts";
import {
  abs,
  add,
  broadcast,
  clip,
  div,
  filled,
  greater,
  hardSigmoid,
  isNaN,
  maskedSoftmax,
  maximum,
  maxPool,
  mean,
  minimum,
  mul,
  permute,
  pow,
  power,
  reduceMax,
  reduceMin,
  reduceSum,
  relu,
  reshape,
  scale,
  sign,
  sqrt,
  square,
  sub,
  where,
  zeros,
} from "../../src/primitives/index.ts";
import { evaluate, feed, floats } from "./evaluate.ts";

/** Gradient of the sum of f at some points. */
async function gradient(f: (...operands: Value[]) => Value, ...points: readonly (readonly number[])[]) {
  const fed = feed(Object.fromEntries(points.map((point, i) => [`x${i}`, floats(point)])));
  const operands = Object.values(fed.inputs);
  const value = f(...operands);
  const gradients = vjp([reduceSum(value)], operands, [scalar(1)]);
  const got = await evaluate(Object.fromEntries(gradients.map((g, i) => [`${i}`, g])), fed);
  return points.map((_, i) => got[i]);
}

describe("the root of what is flat at 0", () => {
  const rows = (x: Value) => reshape(x, [2, 2]);
  const flat: { readonly [name: string]: (x: Value) => Value } = {
    "sum of squares": (x) => reduceSum(square(rows(x)), [1]),
    "mean of squares": (x) => mean(square(rows(x)), [1]),
    "fourth powers": (x) => reduceSum(pow(rows(x), 4), [1]),
    "sum of two squares": (x) => add(square(x), mul(square(x), square(x))),
    "scaled and bounded": (x) => clip(div(scale(relu(square(x)), 3), scalar(2)), { low: 0, high: 9 }),
    "maximum with 0": (x) => maximum(square(x), scalar(0)),
    "repeated and moved": (x) => permute(broadcast(reduceSum(square(rows(x)), [1]), [3, 2]), [1, 0]),
    chosen: (x) => where(greater(x, scalar(-1)), square(x), zeros([])),
  };

  test.each(Object.keys(flat))("has derivatives 0 where it is 0: %s", async (name) => {
    const [gradient, second] = await derivatives((x) => sqrt(flat[name](x)), [0, 0, 3, 4]);
    const [expected, expectedSecond] = await derivatives((x) => sqrt(flat[name](x)), [1, 2, 3, 4]);
    expect(gradient).toEqual([0, 0, ...expected.slice(2)]);
    expect(second).toEqual([0, 0, ...expectedSecond.slice(2)]);
  });

  const steep: { readonly [name: string]: (x: Value) => Value } = {
    "a number": (x) => x,
    "a magnitude": abs,
    "a ramp": relu,
    "a power below 2": (x) => pow(x, 1),
    "a product of two numbers": (x) => mul(x, relu(x)),
    "the least of a square and a number": (x) => minimum(square(x), zeros([])),
    "a difference of squares": (x) => sub(square(x), scale(square(x), 0.5)),
  };

  test.each(Object.keys(steep))("is infinite where it is not known to be flat: %s", async (name) => {
    const [gradient] = await derivatives((x) => sqrt(steep[name](x)), [0, 0, 3, 4]);
    expect(gradient.slice(0, 2).every((value) => Number.isFinite(value))).toBe(false);
  });
});

/** Gradient of the sum of f, and the Hessian times ones. */
async function derivatives(f: (x: Value) => Value, point: readonly number[]) {
  const fed = feed({ x: floats(point) });
  const { x } = fed.inputs;
  const [gradient] = vjp([reduceSum(f(x))], [x], [scalar(1)]);
  const [second] = jvp([gradient], [x], [filled(x.shape, 1)]);
  const found = await evaluate({ gradient, second: second ?? zeros(x.shape) }, fed);
  return [found.gradient, found.second];
}

describe("derivatives where there is none, as PyTorch has them", () => {
  test("relu, abs and sign at 0", async () => {
    expect(await gradient(relu, [-1, 0, 1])).toEqual([[0, 0, 1]]);
    expect(await gradient(abs, [-1, 0, 1])).toEqual([[-1, 0, 1]]);
    expect(await gradient(sign, [-1, 0, 1])).toEqual([[0, 0, 0]]);
  });

  test("maximum and minimum give half to each of equal operands", async () => {
    expect(await gradient(maximum, [1, 2, 3], [1, 3, 2])).toEqual([
      [0.5, 0, 1],
      [0.5, 1, 0],
    ]);
    expect(await gradient(minimum, [1, 2, 3], [1, 3, 2])).toEqual([
      [0.5, 1, 0],
      [0.5, 0, 1],
    ]);
    expect(await gradient((x) => maximum(x, zeros([])), [-1, 0, 1])).toEqual([[0, 0.5, 1]]);
  });

  test("clip has derivative 0 at its bounds, as PyTorch's clamp and relu6", async () => {
    expect(await gradient((x) => clip(x, { low: 0, high: 6 }), [-1, 0, 3, 6, 7])).toEqual([[0, 0, 1, 0, 0]]);
    expect(await gradient((x) => clip(x, { low: 0 }), [-1, 0, 3])).toEqual([[0, 0, 1]]);
    expect(await gradient((x) => clip(x, { high: 6 }), [3, 6, 7])).toEqual([[1, 0, 0]]);
  });

  test("hardSigmoid has derivative 0 at both kinks", async () => {
    expect(await gradient((x) => hardSigmoid(x, { alpha: 0.5, beta: 0.5 }), [-2, -1, 0, 1, 2])).toEqual([
      [0, 0, 0.5, 0, 0],
    ]);
  });

  test("reduceMax and reduceMin share among equals", async () => {
    expect(await gradient((x) => reduceMax(x), [1, 3, 3, 2])).toEqual([[0, 0.5, 0.5, 0]]);
    expect(await gradient((x) => reduceMin(x), [1, 1, 1, 2])).toEqual([[1 / 3, 1 / 3, 1 / 3, 0]]);
  });

  test("maxPool gives all to the first of equal maxima, and nothing to padding", async () => {
    // Many zeros, as after a relu.
    const image = floats([0, 0, 5, 5, 0, 0, 5, 1, 2, 7, 0, 0, 7, 7, 0, 0], [1, 1, 4, 4]);
    const fed = feed({ x: image });
    const { x } = fed.inputs;
    const side = maxPool(x, { kernel: [2, 2], strides: [2, 2] });
    const padded = maxPool(x, { kernel: [3, 3], strides: [3, 3], padsBefore: [1, 1], padsAfter: [1, 1] });
    const [g] = vjp([side], [x], [filled(side.shape, 1)]);
    const [h] = vjp([padded], [x], [filled(padded.shape, 1)]);
    const got = await evaluate({ side, padded, g, h }, fed);
    expect(got.side).toEqual([0, 5, 7, 0]);
    expect(got.g).toEqual([1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]);
    expect(got.padded).toEqual([0, 5, 7, 0]);
    expect(got.h).toEqual([1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]);
  });

  test("a maximum of 0 beside padding is not mistaken for it", async () => {
    const fed = feed({ x: floats([0, -1, -2, -3], [1, 1, 4]) });
    const y = maxPool(fed.inputs.x, { kernel: [2], strides: [1], padsBefore: [1], padsAfter: [1] });
    const [g] = vjp([y], [fed.inputs.x], [filled(y.shape, 1)]);
    expect(await evaluate({ y, g }, fed)).toEqual({ y: [0, 0, -1, -2, -3], g: [2, 1, 1, 1] });
  });

  test("the engine's MaxPool passes over a NaN after a number", async () => {
    const fed = feed({ x: floats([1, NaN, 2, NaN], [1, 1, 4]) });
    const y = maxPool(fed.inputs.x, { kernel: [2], strides: [2] });
    for (const precision of ["float32", "float64"] as const) {
      expect(await evaluate({ y }, fed, precision)).toEqual({ y: [1, 2] });
    }
  });
});

describe("powers at 0", () => {
  test("by a number", async () => {
    expect(await gradient((x) => pow(x, 0), [0, 2])).toEqual([[0, 0]]);
    expect(await gradient((x) => pow(x, 1), [0, 2])).toEqual([[1, 1]]);
    expect(await gradient((x) => pow(x, 2), [0, -2])).toEqual([[0, -4]]);
    expect(await gradient((x) => pow(x, 3), [0, -2])).toEqual([[0, 12]]);
    expect(await gradient((x) => pow(x, 1.5), [0, 4])).toEqual([[0, 3]]);
    expect(await gradient((x) => pow(x, 0.5), [0, 4])).toEqual([[Infinity, 0.25]]);
  });

  test("by a tensor", async () => {
    // d/dx = y x^(y - 1), 0 for y = 0; d/dy = x^y log x, 0 for x = 0 <= y.
    const [dx, dy] = await gradient(power, [0, 0, 0, 3, -2], [0, 1, 2, 0, 3]);
    expect(dx).toEqual([0, 1, 0, 0, 12]);
    expect(dy).toEqual([0, 0, 0, Math.log(3), NaN]);
  });

  test("second derivatives by a tensor stay finite at 0", async () => {
    const fed = feed({ x: floats([0, 0, 2]), y: floats([2, 3, 0]) });
    const { x, y } = fed.inputs;
    const ones = filled([3], 1);
    const gradients = vjp([power(x, y)], [x, y], [ones]);
    const [xx, yx] = jvp(gradients, [x], [ones]);
    const [, yy] = jvp(gradients, [y], [ones]);
    const got = await evaluate({ xx: xx!, yx: yx!, yy: yy! }, fed);
    expect(got.xx.map((second) => second + 0)).toEqual([2, 0, 0]);
    // d/dx (x^y log x) = x^(y - 1) (1 + y log x), 0 at x = 0 for y > 1; 1/2 at (2, 0).
    expect(got.yx).toEqual([0, 0, 0.5]);
    expect(got.yy).toEqual([0, 0, expect.closeTo(Math.log(2) ** 2, 14)]);
  });
});

describe("branches not taken", () => {
  test("a row masked out altogether has no derivative, and others keep theirs", async () => {
    const fed = feed({ x: floats([-Infinity, -Infinity, 0, 0], [2, 2]), c: floats([1, 2, 3, 5], [2, 2]) });
    const { x, c } = fed.inputs;
    const p = maskedSoftmax(x, 1);
    const safe = where(isNaN(p), zeros([]), p);
    const [g] = vjp([reduceSum(mul(safe, c))], [x], [scalar(1)]);
    expect(await evaluate({ safe, g }, fed)).toEqual({ safe: [0, 0, 0.5, 0.5], g: [0, 0, -0.5, 0.5] });
  });
});
