import { expect, test } from "vitest";
import { vjp } from "../../src/autodiff/index.ts";
import { input, shareCommonSubexpressions, topologicalOrder } from "../../src/graph/index.ts";
import { matmul, reduceSum, softmax, square } from "../../src/primitives/index.ts";
import { withPreferredKernels } from "../../src/runtime/index.ts";
import { at, fill, sum } from "./ndarray.ts";
import { real } from "./sample.ts";
import { violations } from "./violations.ts";

test("the derivative of attention sums over heads of the result instead of over scores", () => {
  const [scores, values] = [input("scores", [2, 4, 5]), input("values", [2, 5, 3])];
  const output = matmul(softmax(scores, -1), values);
  const gradient = vjp([output], [scores], [input("cotangent", [2, 4, 3])]);
  const order = topologicalOrder(shareCommonSubexpressions(withPreferredKernels([output, ...gradient], "float64")));
  const sums = order.filter(({ primitive }) => primitive.name === "reduceSum");
  expect(sums.map(({ inputs }) => inputs[0]!.shape)).toEqual([[2, 4, 3]]);
  expect(order.filter(({ primitive }) => primitive.name === "matmul")).toHaveLength(2);
});

test("attention has the right value and derivatives, with few features and with many", async () => {
  for (const features of [2, 4]) {
    const found = await violations({
      operands: [real(2, 2, 3), real(2, 3, features)],
      build: (scores, values) => reduceSum(square(matmul(softmax(scores!, -1), values!)), [2]),
      reference: (scores, values) =>
        fill([2, 2], ([n, i]) => {
          const weights = [0, 1, 2].map((j) => Math.exp(at(scores!, [n!, i!, j])));
          const result = Array.from({ length: features }, (_, k) =>
            sum(weights.map((weight, j) => (weight / sum(weights)) * at(values!, [n!, j, k]))),
          );
          return sum(result.map((x) => x ** 2));
        }),
    });
    expect(found, `${features} features`).toEqual([]);
  }
});
