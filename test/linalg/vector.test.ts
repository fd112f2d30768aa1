import { describe, expect, test, vi } from "vitest";
import { hostArithmetic } from "../../src/linalg/index.ts";
import {
  addCompensated,
  axpy,
  combination,
  combinationWithNorm,
  dot,
  innerProducts,
  isFiniteVector,
  maxAbs,
  multiply,
  norm,
  scal,
  scaled,
  transposedProduct,
} from "../../src/linalg/vectors/index.ts";
import { product, randomMatrix, relativeDifference, transposed } from "./randomMatrices.ts";

// Short, where loops turn from JavaScript to WebAssembly, its blocks of 4096, and remainders of its registers.
const SIZES = [1, 2, 3, 5, 511, 512, 513, 2047, 4096, 4099, 9001];
const random = (n: number, seed: number) => randomMatrix(n, 1, seed).data;

describe("inner products and norms", () => {
  test.each(SIZES)("agree with plain sums for %i entries", (n) => {
    const [x, y] = [random(n, 1), random(n, 2)];
    const products = x.map((value, i) => value * y[i]!);
    const reference = products.reduce((a, b) => a + b, 0);
    expect(Math.abs(dot(x, y) - reference)).toBeLessThan(1e-14 * n * Math.max(1, Math.abs(reference)));
    expect(norm(x)).toBeCloseTo(Math.hypot(...x), 10);
  });

  test("accumulate float32 vectors in float64", () => {
    const x = new Float32Array(2 ** 20).fill(0.1);
    const exact = 2 ** 20 * Math.fround(0.1) ** 2;
    expect(Math.abs(dot(x, x) / exact - 1)).toBeLessThan(1e-10);
  });

  test.each([1e-200, 1e-320, 1e200, 3e307])("do not over- or underflow at entries of %d", (size) => {
    expect(norm(Float64Array.of(3 * size, 4 * size)) / (5 * size)).toBeCloseTo(1, 2);
  });

  test("pass on what is not finite", () => {
    expect(norm(Float64Array.of(1, Number.NaN))).toBeNaN();
    expect(norm(Float64Array.of(1, Number.NEGATIVE_INFINITY))).toBe(Number.POSITIVE_INFINITY);
    expect(maxAbs(Float64Array.of(Number.NaN, 1))).toBeNaN();
    expect(maxAbs(Float64Array.of(1, -3, 2))).toBe(3);
    expect(norm(new Float64Array(3))).toBe(0);
    expect(isFiniteVector(Float64Array.of(1, 2))).toBe(true);
    expect(isFiniteVector(Float64Array.of(1, Number.POSITIVE_INFINITY))).toBe(false);
  });
});

describe("loops over long vectors", () => {
  const kinds = [Float32Array, Float64Array];
  const cases = [511, 513, 4096, 9001].flatMap((n) => kinds.flatMap((X) => kinds.map((Y) => ({ n, X, Y }))));
  const vectors = ({ n, X, Y }: (typeof cases)[number]) => [X.from(random(n, 1)), Y.from(random(n, 2))] as const;
  const named = cases.map((each) => ({ ...each, x: each.X.name, y: each.Y.name }));

  test.each(named)("agree with plain ones for $n entries of $x and $y", (each) => {
    const [x, y] = vectors(each);
    const limit = each.X === Float64Array && each.Y === Float64Array ? 1e-15 : 2e-7;
    const expected = (f: (a: number, b: number) => number) => Float64Array.from(x, (a, i) => f(a, y[i]!));
    const dtype = each.Y === Float64Array ? "float64" : "float32";
    const combined = expected((a, b) => 0.3 * a - 1.7 * b);
    expect(relativeDifference(combination([0.3, x], [-1.7, y], { dtype }), combined)).toBeLessThan(limit);
    const [into, scaledX] = [y.slice(), x.slice()];
    expect(combination([0.3, x], [-1.7, into], { dtype, into })).toBe(into);
    expect(relativeDifference(into, combined)).toBeLessThan(limit);
    const measured = combinationWithNorm([0.3, x], [-1.7, y], { dtype });
    expect(measured.vector).toEqual(into);
    expect(Math.abs(measured.norm / norm(into) - 1)).toBeLessThan(limit);
    axpy(-2.5, x, into);
    expect(
      relativeDifference(
        into,
        expected((a, b) => -2.2 * a - 1.7 * b),
      ),
    ).toBeLessThan(2 * limit);
    scal(1 / 3, scaledX);
    expect(
      relativeDifference(
        scaledX,
        expected((a) => a / 3),
      ),
    ).toBeLessThan(limit);
    const { xx, xy, yy } = innerProducts(x, y);
    const sum = (f: (a: number, b: number) => number) => expected(f).reduce((a, b) => a + b, 0);
    expect(Math.abs(xx / sum((a) => a * a) - 1)).toBeLessThan(1e-13);
    expect(Math.abs(yy / sum((_, b) => b * b) - 1)).toBeLessThan(1e-13);
    expect(Math.abs(xy - sum((a, b) => a * b))).toBeLessThan(1e-13 * Math.sqrt(xx * yy));
  });

  test.each(cases)("find the one entry of $n that is not finite", ({ n, X }) => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      for (const at of [0, n >> 1, n - 1]) {
        const x = X.from(random(n, 1));
        expect(isFiniteVector(x)).toBe(true);
        x[at] = value;
        expect(isFiniteVector(x)).toBe(false);
        expect(innerProducts(x, x).xx).toSatisfy((sum: number) => !Number.isFinite(sum));
      }
    }
  });

  test("take factors that float32 does not hold", () => {
    const y = new Float32Array(600).fill(2 ** 100);
    scal(2 ** -140, y);
    expect(y).toEqual(new Float32Array(600).fill(2 ** -40));
    axpy(2 ** 150, new Float32Array(600).fill(2 ** -149), y);
    expect(y).toEqual(new Float32Array(600).fill(2 + 2 ** -40));
  });
});

describe("compensated sums", () => {
  test.each([3, 600])("of %i entries in float32 are those in float64, rounded", (n) => {
    const parts = Array.from({ length: 300 }, (_, i) =>
      Float32Array.from(random(n, i)).map((x) => x * (i % 7 ? 1 : 1e5)),
    );
    const sum = parts[0]!.slice();
    const rest = new Float32Array(n);
    for (const part of parts.slice(1)) addCompensated(part, { sum, rest });
    const exact = Float64Array.from(sum, (_, i) => parts.reduce((total, part) => total + part[i]!, 0));
    sum.forEach((value, i) => {
      expect(Math.abs(value - exact[i]!)).toBeLessThanOrEqual(2 ** -24 * Math.abs(exact[i]!) + 2 ** -44 * 1e6);
    });
  });

  test.each([1, 513])("keep what %i entries lose to a large one", (n) => {
    const [sum, rest] = [new Float64Array(n).fill(1), new Float64Array(n)];
    for (let i = 0; i < 4; i++) addCompensated(new Float64Array(n).fill(2 ** -60), { sum, rest });
    addCompensated(new Float64Array(n).fill(-1), { sum, rest });
    expect(sum).toEqual(new Float64Array(n).fill(2 ** -58));
  });
});

test("axpy, scal, scaled and combination", () => {
  const [x, y] = [Float64Array.of(1, 2, 3), Float64Array.of(10, 20, 30)];
  expect(combination([2, x], [-1, y], { dtype: "float32" })).toEqual(Float32Array.of(-8, -16, -24));
  axpy(2, x, y);
  expect(y).toEqual(Float64Array.of(12, 24, 36));
  scal(0.5, y);
  expect(y).toEqual(Float64Array.of(6, 12, 18));
  expect(scaled(-1, Float32Array.of(1, 2))).toEqual(Float32Array.of(-1, -2));
});

test.each([3, 600])("the norm of a combination whose square overflows or underflows is right, %i entries", (n) => {
  for (const size of [1e200, 1e-200]) {
    const x = new Float64Array(n).fill(size);
    const { norm: found } = combinationWithNorm([2, x], [1, x], { dtype: "float64" });
    expect(Math.abs(found / (3 * size * Math.sqrt(n)) - 1)).toBeLessThan(1e-14);
  }
});

test("an engine without WebAssembly computes the same with loops of JavaScript", async () => {
  vi.resetModules();
  vi.stubGlobal("WebAssembly", undefined);
  const plain = await import("../../src/linalg/vectors/vector.ts");
  const [x, y, Q] = [random(600, 1), random(600, 2), randomMatrix(600, 5, 3)];
  expect(plain.dot(x, y)).toBeCloseTo(dot(x, y), 12);
  expect(relativeDifference(plain.multiply(Q, Q).data.slice(0, 600), multiply(Q, Q).data.slice(0, 600))).toBeLessThan(
    1e-15,
  );
  expect(relativeDifference(plain.transposedProduct(Q, Q).data, transposedProduct(Q, Q).data)).toBeLessThan(1e-14);
  vi.unstubAllGlobals();
});

describe("products with a basis", () => {
  test.each(SIZES.flatMap((n) => [1, 3, 4, 9].map((k) => [n, k])))(
    "agree with plain loops for %i x %i",
    async (n, k) => {
      const [Q, S, X] = [randomMatrix(n, k, 3), randomMatrix(k, 3, 4), randomMatrix(n, 2, 5)];
      const limit = 1e-11;
      expect(relativeDifference(multiply(Q, S).data, product(Q, S).data)).toBeLessThan(limit);
      expect(await hostArithmetic.combine(Q, S)).toEqual(multiply(Q, S));
      const projected = product(transposed(Q), X);
      expect(relativeDifference(transposedProduct(Q, X).data, projected.data)).toBeLessThan(limit);
      const v = X.data.slice(0, n);
      const c = S.data.slice(0, k);
      expect(relativeDifference(await hostArithmetic.project(Q, v), projected.data.slice(0, k))).toBeLessThan(limit);
      const removed = product(Q, { rows: k, columns: 1, data: c }).data;
      const difference = v.map((value, i) => value - removed[i]!);
      expect(relativeDifference(await hostArithmetic.subtract(v, Q, c), difference)).toBeLessThan(limit);
      expect(v).toEqual(X.data.slice(0, n));
      expect(c).toEqual(S.data.slice(0, k));
    },
  );

  test("round float32 results once", async () => {
    const [Q, c] = [randomMatrix(3000, 9, 6), random(9, 7)];
    const single = { ...Q, data: Float32Array.from(Q.data) };
    const v = Float32Array.from(random(3000, 8));
    const result = await hostArithmetic.subtract(v, single, c);
    expect(result).toBeInstanceOf(Float32Array);
    const exact = await hostArithmetic.subtract(
      Float64Array.from(v),
      { ...Q, data: Float64Array.from(single.data) },
      c,
    );
    expect(result).toEqual(Float32Array.from(exact));
  });
});
