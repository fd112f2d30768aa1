import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { guardBranches, jvp, vjp } from "../../src/autodiff/index.ts";
import { input, scalar, topologicalOrder, type Value } from "../../src/graph/index.ts";
import {
  acos,
  acosh,
  add,
  asin,
  atanh,
  cosh,
  div,
  exp,
  greater,
  isNaN,
  log,
  matmul,
  mul,
  permute,
  pow,
  power,
  reciprocal,
  reduceSum,
  reduceSumKeeping,
  reshape,
  scale,
  sinh,
  sqrt,
  square,
  sub,
  where,
} from "../../src/primitives/index.ts";
import { evaluate, feed, floats } from "../primitives/evaluate.ts";

/** Functions with points at which they, or their derivatives, are not finite, and points at which all is well. */
const functions: {
  readonly [name: string]: { f: (x: Value) => Value; bad: readonly number[]; good: readonly number[] };
} = {
  div: { f: (x) => div(scalar(2), x), bad: [0], good: [0.5, -1, 3] },
  reciprocal: { f: reciprocal, bad: [0], good: [0.5, -1, 3] },
  log: { f: log, bad: [0, -1], good: [0.5, 1, 3] },
  sqrt: { f: sqrt, bad: [0, -2], good: [0.5, 1, 3] },
  "pow 1/3": { f: (x) => pow(x, 1 / 3), bad: [0, -1], good: [0.5, 1, 3] },
  "pow 1.5": { f: (x) => pow(x, 1.5), bad: [0, -1], good: [0.5, 1, 3] },
  power: { f: (x) => power(x, scale(x, 0.5)), bad: [-1.5], good: [0.5, 1, 3] },
  exp: { f: exp, bad: [1e4], good: [0.5, -1, 3] },
  sinh: { f: sinh, bad: [1e4, -1e4], good: [0.5, -1, 3] },
  cosh: { f: cosh, bad: [1e4, -1e4], good: [0.5, -1, 3] },
  asin: { f: asin, bad: [1, -1, 2], good: [0.5, -0.3, 0] },
  acos: { f: acos, bad: [1, -1, 2], good: [0.5, -0.3, 0.1] },
  acosh: { f: acosh, bad: [1, 0], good: [1.5, 2, 3] },
  atanh: { f: atanh, bad: [1, -1, 2], good: [0.5, -0.3, 0.1] },
};

/** What lies between the function and the choice, for x of shape [n, 3] or [n, 1] and a choice of each row. */
const ways: { readonly [name: string]: (fx: Value, taken: Value) => Value } = {
  directly: (fx, taken) => where(taken, fx, scalar(0)),
  "as the second branch": (fx, taken) => where(greater(scalar(1), where(taken, scalar(1), scalar(0))), scalar(0), fx),
  "behind a product with itself": (fx, taken) => where(taken, mul(fx, fx), scalar(0)),
  "behind a sum": (fx, taken) => where(taken, reduceSumKeeping(fx, [1]), scalar(0)),
  "behind movements": (fx, taken) => {
    const [n, m] = fx.shape;
    const moved = reshape(permute(fx, [1, 0]), [1, m, n]);
    return where(reshape(taken, [1, 1, n]), moved, scalar(0));
  },
  "behind a repetition": (fx, taken) =>
    where(taken, mul(reduceSumKeeping(fx, [1]), reshape(scalar(2), [1, 1])), scalar(0)),
  "within another choice": (fx, taken) =>
    where(greater(fx, scalar(-1e30)), where(taken, add(fx, scalar(1)), scalar(0)), where(taken, fx, scalar(0))),
};

/** Value, gradient and product of the Hessian with v of the sum of squares of what a function gives for rows x [n, 3], some of them taken. */
async function derivatives(
  build: (x: Value, taken: Value) => Value,
  x: readonly number[][],
  taken: readonly boolean[],
) {
  const flat = x.flat();
  const v = flat.map((_, i) => Math.cos(i));
  const mask = taken.map(Number);
  const fed = feed({ x: floats(flat, [x.length, 3]), v: floats(v, [x.length, 3]), mask: floats(mask, [x.length, 1]) });
  const [output] = guardBranches([build(fed.inputs.x, greater(fed.inputs.mask, scalar(0)))]);
  const loss = reduceSum(square(output));
  const gradient = vjp([loss], [fed.inputs.x], [scalar(1)]);
  const [hv] = jvp(gradient, [fed.inputs.x], [fed.inputs.v]);
  return evaluate({ loss, gradient: gradient[0], hv: hv ?? scale(fed.inputs.x, 0) }, fed);
}

describe("branches that are not taken", () => {
  test("have derivative 0, whatever the function, what lies behind it and where it leaves the numbers", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...Object.keys(functions)),
        fc.constantFrom(...Object.keys(ways)),
        fc.array(fc.boolean(), { minLength: 2, maxLength: 5 }),
        fc.nat(),
        async (name, way, taken, seed) => {
          const { f, bad, good } = functions[name];
          const row = (i: number, isTaken: boolean) =>
            [0, 1, 2].map(
              (k) => (isTaken || k === 1 ? good : bad)[(i + k + seed) % (isTaken || k === 1 ? good : bad).length],
            );
          const x = taken.map((isTaken, i) => row(i, isTaken));
          const build = (operand: Value, mask: Value) => ways[way](f(operand), mask);
          const found = await derivatives(build, x, taken);
          // The rows that are taken, alone: nothing in them leaves the numbers.
          const kept = x.map((each, i) => (taken[i] ? each : good.slice(0, 3)));
          const expected = await derivatives(build, kept, taken);
          expect(found.loss).toEqual(expected.loss);
          // The vector is that of the place, so that rows compare.
          expect(found.gradient).toEqual(expected.gradient);
          expect(found.hv).toEqual(expected.hv);
        },
      ),
      { numRuns: 150 },
    );
  });

  test("an operand that is repeated counts where any of its repetitions does", async () => {
    // x / |x| where |x| is positive: the norm has one number a row, the choice one an element.
    const build = (x: Value) => {
      const norm = sqrt(add(reduceSumKeeping(square(x), [1]), scalar(0)));
      const quotient = div(x, norm);
      return where(greater(x, scalar(0)), quotient, scalar(0));
    };
    const found = await derivatives(
      build,
      [
        [0, 0, 0],
        [3, -4, 0],
      ],
      [true, true],
    );
    expect(found.loss).toEqual([(3 / 5) ** 2]);
    expect(found.gradient.slice(0, 3)).toEqual([0, 0, 0]);
    // f = 9 / (9 + 16): df/dx0 = 6 16 / 625, df/dx1 = 2 4 9 / 625.
    [96 / 625, 72 / 625, 0].forEach((value, i) => {
      expect(found.gradient[3 + i]).toBeCloseTo(value, 14);
    });
  });

  test("conditions see what they saw: a result that is not a number still chooses", async () => {
    const build = (x: Value) => {
      const l = log(x);
      return where(isNaN(l), scalar(7), l);
    };
    const found = await derivatives(build, [[-1, 1, Math.E]], [true]);
    expect(found.loss[0]).toBeCloseTo(49 + 1, 14);
    expect(found.gradient[0]).toBe(0);
    expect(found.gradient[2]).toBeCloseTo(2 / Math.E, 14);
  });
});

describe("what is guarded", () => {
  const x = input("x", [4]);
  const y = input("y", [4]);
  const taken = greater(y, scalar(0));
  const added = (output: Value) => topologicalOrder(guardBranches([output])).length - topologicalOrder([output]).length;

  test("is nothing without a choice, behind a choice whose branches count together, and in constants", () => {
    const plain = div(x, y);
    expect(guardBranches([plain])).toEqual([plain]);
    const leaky = (z: Value) => where(greater(z, scalar(0)), z, scale(z, 0.1));
    expect(added(leaky(div(x, y)))).toBe(0);
    const nested = where(taken, leaky(add(x, y)), scalar(0));
    expect(added(nested)).toBe(0);
    expect(added(where(taken, div(x, scalar(3)), scalar(0)))).toBe(0);
    const safe = where(taken, sqrt(where(taken, x, scalar(1))), scalar(0));
    expect(added(safe)).toBe(0);
  });

  test("is one operand for each function that can leave the numbers", () => {
    const quotient = where(taken, mul(x, div(x, y)), scalar(0));
    const [guarded] = guardBranches([quotient]);
    expect(added(quotient)).toBe(2);
    expect(guarded.inputs[1].inputs[1].inputs[1].primitive.name).toBe("where");
    // Elements of a product of matrices all count.
    const matrix = reshape(log(x), [2, 2]);
    expect(added(where(reshape(taken, [2, 2]), matmul(matrix, matrix), scalar(0)))).toBe(0);
  });

  test("takes long chains without recursion", () => {
    let z = x;
    for (let i = 0; i < 20_000; i++) z = sub(where(taken, z, y), scalar(1));
    expect(added(z)).toBe(0);
  });
});
