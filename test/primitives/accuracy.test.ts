import { describe, expect, test } from "vitest";
import { jvp } from "../../src/autodiff/index.ts";
import type { Value } from "../../src/graph/index.ts";
import {
  acos,
  acosh,
  asin,
  asinh,
  atan,
  atanh,
  cosh,
  erf,
  exp,
  filled,
  gelu,
  log,
  logSigmoid,
  sigmoid,
  sinh,
  softplus,
  tanh,
} from "../../src/primitives/index.ts";
import type { Precision } from "../../src/tensors/index.ts";
import { evaluate, feed, floats } from "./evaluate.ts";
import { erfReference } from "./ndarray.ts";

const grid = (low: number, high: number, count: number) =>
  Array.from({ length: count }, (_, i) => Math.fround(low + ((high - low) * i) / (count - 1)));

const stableLogistic = (x: number) => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x)));
const stableSoftplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** Largest relative error of f and of its derivative over some points. */
async function errors(
  f: (x: Value) => Value,
  references: readonly [value: (x: number) => number, derivative: (x: number) => number],
  { points, precision }: { readonly points: readonly number[]; readonly precision: Precision },
): Promise<{ value: number; derivative: number }> {
  const fed = feed({ x: floats(points) });
  const value = f(fed.inputs.x);
  const [derivative] = jvp([value], [fed.inputs.x], [filled([points.length], 1)]);
  const got = await evaluate({ value, derivative: derivative! }, fed, precision);
  const worst = (numbers: readonly number[], reference: (x: number) => number) =>
    Math.max(
      ...numbers.map((y, i) => {
        const expected = reference(points[i]);
        return y === expected ? 0 : Math.abs(y - expected) / Math.abs(expected);
      }),
    );
  return { value: worst(got.value, references[0]), derivative: worst(got.derivative, references[1]) };
}

describe("relative accuracy in the tails", () => {
  test.each<[string, (x: Value) => Value, readonly [(x: number) => number, (x: number) => number]]>([
    ["sigmoid", sigmoid, [stableLogistic, (x) => stableLogistic(x) * stableLogistic(-x)]],
    ["softplus", softplus, [stableSoftplus, stableLogistic]],
    ["exp", exp, [Math.exp, Math.exp]],
  ])("%s on the left", async (_, f, references) => {
    const single = await errors(f, references, { points: grid(-80, 0, 401), precision: "float32" });
    expect(single.value).toBeLessThan(5e-7);
    expect(single.derivative).toBeLessThan(5e-7);
    const double = await errors(f, references, { points: grid(-700, 0, 401), precision: "float64" });
    expect(double.value).toBeLessThan(1e-15);
    expect(double.derivative).toBeLessThan(1e-15);
  });

  test("softplus and logSigmoid on the right", async () => {
    const points = grid(0, 80, 401);
    for (const [precision, limit] of [
      ["float32", 5e-7],
      ["float64", 1e-15],
    ] as const) {
      const positive = await errors(softplus, [stableSoftplus, stableLogistic], { points, precision });
      expect(Math.max(positive.value, positive.derivative)).toBeLessThan(limit);
      const references = [(x: number) => -stableSoftplus(-x), (x: number) => stableLogistic(-x)] as const;
      const negative = await errors(logSigmoid, references, { points, precision });
      expect(Math.max(negative.value, negative.derivative)).toBeLessThan(limit);
    }
  });

  test("the logarithm of the logistic function is finite where the engine's own is not", async () => {
    const fed = feed({ x: floats([-30, -80]) });
    const { direct, stable } = await evaluate(
      { direct: log(sigmoid(fed.inputs.x)), stable: logSigmoid(fed.inputs.x) },
      fed,
      "float32",
    );
    expect(direct.map(Math.round)).toEqual([-30, -80]);
    expect(stable).toEqual([-30, -80]);
  });

  test("far out nothing overflows", async () => {
    const fed = feed({ x: floats([-1e4, 1e4, -Infinity, Infinity]) });
    const { x } = fed.inputs;
    for (const precision of ["float32", "float64"] as const) {
      const got = await evaluate(
        { s: sigmoid(x), p: softplus(x), l: logSigmoid(x), e: erf(x), t: tanh(x) },
        fed,
        precision,
      );
      expect(got).toEqual({
        s: [0, 1, 0, 1],
        p: [0, 1e4, 0, Infinity],
        l: [-1e4, 0, -Infinity, 0].map((v) => (v === 0 ? expect.closeTo(0, 30) : v)),
        e: [-1, 1, -1, 1],
        t: [-1, 1, -1, 1],
      });
    }
  });
});

describe("erf", () => {
  const derivative = (x: number) => (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x);

  test("is accurate to the last digits in float64", async () => {
    const points = [...grid(-7, 7, 1401), ...grid(-0.6, 0.6, 401), 1e-300, 1e-20, -1e-8, 0.46875, 4, 6];
    const { value, derivative: slope } = await errors(erf, [erfReference, derivative], {
      points,
      precision: "float64",
    });
    expect(value).toBeLessThan(2e-15);
    expect(slope).toBeLessThan(1e-14);
  });

  test("is accurate in float32", async () => {
    const { value } = await errors(erf, [erfReference, derivative], { points: grid(-5, 5, 999), precision: "float32" });
    expect(value).toBeLessThan(3e-7);
  });

  test("keeps what is not a number", async () => {
    const fed = feed({ x: floats([NaN]) });
    expect(await evaluate({ y: erf(fed.inputs.x) }, fed)).toEqual({ y: [NaN] });
  });

  test("gelu is x Phi(x) and its derivative Phi(x) + x phi(x)", async () => {
    const Phi = (x: number) => (1 + erfReference(x / Math.SQRT2)) / 2;
    const phi = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
    const references = [(x: number) => x * Phi(x), (x: number) => Phi(x) + x * phi(x)] as const;
    const points = grid(0.1, 6, 101);
    const { value, derivative: slope } = await errors(gelu, references, { points, precision: "float64" });
    expect(Math.max(value, slope)).toBeLessThan(1e-14);
  });
});

describe("relative accuracy of the inverse and hyperbolic functions in float64", () => {
  const signed = (...magnitudes: number[]) => [...magnitudes, ...magnitudes.map((x) => -x)];
  const wide = signed(...grid(0.001, 3, 301), 1e-8, 1e-3, 7, 50, 300);
  const inside = signed(...grid(0.001, 0.999, 301), 1e-8, 1 - 2 ** -20);
  test.each<[string, (x: Value) => Value, readonly number[], (x: number) => number, (x: number) => number]>([
    ["atan", atan, [...wide, 1e12], Math.atan, (x) => 1 / (1 + x * x)],
    ["asin", asin, inside, Math.asin, (x) => 1 / Math.sqrt((1 - x) * (1 + x))],
    ["acos", acos, inside, Math.acos, (x) => -1 / Math.sqrt((1 - x) * (1 + x))],
    ["sinh", sinh, wide, Math.sinh, Math.cosh],
    ["cosh", cosh, wide, Math.cosh, Math.sinh],
    ["asinh", asinh, [...wide, 1e12, 1e200], Math.asinh, (x) => 1 / Math.hypot(1, x)],
    ["acosh", acosh, [1 + 2 ** -20, ...grid(1.001, 9, 301), 1e12], Math.acosh, (x) => 1 / Math.sqrt((x - 1) * (x + 1))],
    ["atanh", atanh, inside, Math.atanh, (x) => 1 / ((1 - x) * (1 + x))],
  ])("%s", async (_, f, points, value, derivative) => {
    const found = await errors(f, [value, derivative], { points: points.map(Math.fround), precision: "float64" });
    expect(found.value).toBeLessThan(1e-14);
    expect(found.derivative).toBeLessThan(1e-14);
  });
});
