import { describe, expect, test } from "vitest";
import { vjp } from "../../src/autodiff/index.ts";
import { input, shareCommonSubexpressions, topologicalOrder, type Value } from "../../src/graph/index.ts";
import { add, matmul, mean, reduceSum, reshape, square, standardize } from "../../src/primitives/index.ts";
import { withPreferredKernels } from "../../src/runtime/index.ts";
import { at, fill, type NdArray, sum } from "./ndarray.ts";
import { real } from "./sample.ts";
import { violations } from "./violations.ts";

const standardized = (x: NdArray): NdArray => {
  const columns = x.shape.at(-1)!;
  const rows = (index: readonly number[]) =>
    Array.from({ length: columns }, (_, j) => at(x, [...index.slice(0, -1), j]));
  return fill(x.shape, (index) => {
    const row = rows(index);
    const average = sum(row) / columns;
    const variance = sum(row.map((value) => (value - average) ** 2)) / columns;
    return (at(x, index) - average) / Math.sqrt(variance + 1e-5);
  });
};

/** Differences as large as x in the gradient of a function of standardize(x). */
function largeDifferences(x: Value, f: (y: Value) => Value): number {
  const output = f(standardize(x));
  const gradient = vjp([output], [x], [input("cotangent", output.shape)]);
  const order = topologicalOrder(shareCommonSubexpressions(withPreferredKernels(gradient, "float32")));
  const size = x.shape.reduce((product, dim) => product * dim, 1);
  return order.filter(
    ({ primitive, shape }) => primitive.name === "sub" && shape.reduce((product, dim) => product * dim, 1) >= size,
  ).length;
}

describe("the derivative of standardized rows", () => {
  const x = input("x", [4, 3, 2]);
  const [w, u] = [input("w", [2, 1]), input("u", [1, 2])];

  test("takes the mean of what is smaller than the cotangent", () => {
    expect(largeDifferences(x, (y) => matmul(y, w))).toBe(1);
    expect(largeDifferences(x, (y) => add(matmul(y, w), matmul(y, u, { transposeB: true })))).toBe(1);
    expect(largeDifferences(x, (y) => mean(y, [0]))).toBe(1);
  });

  test("takes the mean of the cotangent where that is smallest", () => {
    expect(largeDifferences(x, (y) => y)).toBe(2);
    expect(largeDifferences(x, (y) => matmul(y, input("wide", [2, 4])))).toBe(2);
    expect(largeDifferences(x, (y) => add(matmul(y, w), reshape(mean(y, [2]), [4, 3, 1])))).toBe(2);
  });

  test("is right behind products and means, to second order", async () => {
    const product = (y: NdArray, i: readonly number[], weights: NdArray) =>
      sum([0, 1, 2].map((k) => at(y, [i[0]!, k]) * at(weights, [k, i[1]!])));
    const products = await violations({
      operands: [real(16, 3), real(3, 2), real(2, 3)],
      build: (x0, left, right) => {
        const y = standardize(x0!);
        return square(add(matmul(y, left!), matmul(y, right!, { transposeB: true })));
      },
      reference: (x0, left, right) => {
        const y = standardized(x0!);
        const turned = fill([3, 2], ([i, j]) => at(right!, [j!, i!]));
        return fill([16, 2], (index) => (product(y, index, left!) + product(y, index, turned)) ** 2);
      },
    });
    expect(products).toEqual([]);
    const means = await violations({
      operands: [real(5, 2, 3)],
      build: (x0) => reduceSum(square(mean(standardize(x0!), [0])), [1]),
      reference: (x0) => {
        const y = standardized(x0!);
        const average = fill([2, 3], ([i, j]) => sum([0, 1, 2, 3, 4].map((n) => at(y, [n, i!, j!]))) / 5);
        return fill([2], ([i]) => sum([0, 1, 2].map((j) => at(average, [i!, j]) ** 2)));
      },
    });
    expect(means).toEqual([]);
  });
});
