import { expect, test } from "vitest";
import {
  bceWithLogits,
  crossEntropy,
  customLoss,
  type Loss,
  meanSquaredError,
  poissonNll,
} from "../../src/losses/index.ts";
import { mul, reduceSum, square, sub } from "../../src/primitives/index.ts";
import type { Tensor } from "../../src/tensors/index.ts";
import { objective } from "./objective.ts";

const floats = (values: readonly number[], dims: readonly number[]): Tensor => ({
  data: Float64Array.from(values),
  dims,
});
const labels = (values: readonly number[]): Tensor => ({
  data: BigInt64Array.from(values, BigInt),
  dims: [values.length],
});

/** Zero without its sign. */
const unsigned = (x: number) => x + 0;

async function at(
  loss: Loss,
  point: { readonly f: readonly number[]; readonly output: readonly number[]; readonly targets: Tensor },
) {
  const { f, output, targets } = point;
  const compiled = await objective(loss, { output, targets });
  try {
    const values = Float64Array.from(f);
    const { sum, terms } = await compiled.value(values);
    const direction = Float64Array.from(f, (_, i) => Math.cos(i));
    const { gradient, product } = await compiled.derivatives(values, direction);
    return { sum, terms: [...terms].map(unsigned), gradient: [...gradient].map(unsigned), product };
  } finally {
    await compiled.release();
  }
}

test("logits of any size have finite cross-entropy and derivatives", async () => {
  const { terms, gradient, product } = await at(crossEntropy(), {
    f: [1000, -1000, 0, -1e300, 0, 1e300],
    output: [2, 3],
    targets: labels([1, 2]),
  });
  expect(terms).toEqual([2000, 0]);
  expect([...gradient]).toEqual([1, -1, 0, 0, 0, 0]);
  product.forEach((x) => {
    expect(x).toBeCloseTo(0, 15);
  });
});

test("a class that is masked out by a logit of minus infinity contributes nothing", async () => {
  const masked = await at(crossEntropy(), {
    f: [0.3, Number.NEGATIVE_INFINITY, -0.4],
    output: [1, 3],
    targets: labels([2]),
  });
  const without = await at(crossEntropy(), { f: [0.3, -0.4], output: [1, 2], targets: labels([1]) });
  expect(masked.sum).toBeCloseTo(without.sum, 14);
  expect(masked.gradient[0]).toBeCloseTo(without.gradient[0], 14);
  expect(masked.gradient[1]).toBe(0);
  const soft = await at(crossEntropy(), {
    f: [0.3, Number.NEGATIVE_INFINITY, -0.4],
    output: [1, 3],
    targets: floats([0, 0, 1], [1, 3]),
  });
  expect(soft.sum).toBeCloseTo(without.sum, 14);
});

test("binary cross-entropy of logits of any size is finite", async () => {
  const { terms, gradient } = await at(bceWithLogits(), {
    f: [1000, -1000, 1000, -1000],
    output: [4, 1],
    targets: floats([1, 0, 0, 1], [4]),
  });
  expect(terms).toEqual([0, 0, 1000, 1000]);
  expect([...gradient]).toEqual([0, 0, 1, -1]);
});

test.each([meanSquaredError(), bceWithLogits(), poissonNll()])(
  "$name takes one number a row with or without an axis for it",
  async (loss) => {
    const f = [0.1, 0.2, -0.3];
    const sums: number[] = [];
    for (const output of [[3], [3, 1]])
      for (const dims of [[3], [3, 1], [3, 1, 1]])
        sums.push((await at(loss, { f, output, targets: floats([1, 0, 1], dims) })).sum);
    sums.forEach((sum) => {
      expect(sum).toBeCloseTo(sums[0], 15);
    });
  },
);

test("class indices may bring an axis of their own, and flattened targets are read row-major", async () => {
  const f = [0.1, 0.2, -0.3, 1, 0, 2];
  const column = { ...labels([1, 2]), dims: [2, 1] };
  const flat = await at(crossEntropy(), { f, output: [2, 3], targets: column });
  expect(flat.sum).toBeCloseTo((await at(crossEntropy(), { f, output: [2, 3], targets: labels([1, 2]) })).sum, 15);
  const values = [1, 2, 3, 4, 5, 6];
  const one = await at(meanSquaredError(), { f, output: [1, 2, 3], targets: floats(values, [1, 6]) });
  expect(one.sum).toBeCloseTo(
    (await at(meanSquaredError(), { f, output: [1, 2, 3], targets: floats(values, [1, 2, 3]) })).sum,
    15,
  );
});

test("a custom loss sees terms of outputs and targets, and its mean is over terms", async () => {
  const loss = customLoss({
    convex: true,
    terms(f, y) {
      expect([f.shape, y.shape]).toEqual([
        [4, 3],
        [4, 3],
      ]);
      return reduceSum(mul(y, square(sub(f, y))), [1]);
    },
  });
  const f = Array.from({ length: 12 }, (_, i) => Math.sin(i));
  const y = Array.from({ length: 12 }, (_, i) => 1 + Math.cos(i));
  const targets = floats(y, [2, 2, 3]);
  const { sum, gradient } = await at(loss, { f, output: [2, 2, 3], targets });
  expect(sum).toBeCloseTo(
    f.reduce((total, x, i) => total + y[i] * (x - y[i]) ** 2, 0),
    12,
  );
  gradient.forEach((x, i) => {
    expect(x).toBeCloseTo(2 * y[i] * (f[i] - y[i]), 12);
  });
  const layout = loss.layout([2, 2, 3], { dims: [2, 2, 3], integer: false });
  expect(loss.denominator(targets, { layout })).toBe(4);
});
