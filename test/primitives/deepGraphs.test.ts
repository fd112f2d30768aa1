import { describe, expect, test } from "vitest";
import { jvp, vectorize, vjp } from "../../src/autodiff/index.ts";
import { input, printGraph, scalar, shareCommonSubexpressions, substitute, type Value } from "../../src/graph/index.ts";
import { add, matmul, mean, mul, neg, reshape, scale, sigmoid, tanh } from "../../src/primitives/index.ts";
import { lower } from "../../src/runtime/index.ts";

const DEEP = 10_000;

function repeated(x: Value, step: (value: Value, i: number) => Value, times = DEEP): Value {
  let value = x;
  for (let i = 0; i < times; i++) value = step(value, i);
  return value;
}

const x = input("x", [8, 2]);
const w = input("w", [2, 2]);
const row = input("row", [2]);

describe.each<[string, (value: Value, i: number) => Value]>([
  ["numbers", (value) => scale(value, 1.0001)],
  ["numbers and reshapes", (value, i) => reshape(scale(value, 0.9999), i % 2 === 0 ? [4, 4] : [8, 2])],
  ["rows of factors", (value) => mul(value, row)],
  ["terms", (value) => add(value, x)],
  ["functions", (value, i) => [tanh, neg, sigmoid][i % 3](value)],
])("a chain of 10,000 %s", (_, step) => {
  test("goes through every pass", { timeout: 60_000 }, () => {
    const loss = mean(matmul(repeated(x, step), w));
    const [dw] = vjp([loss], [w], [scalar(1)]);
    const v = input("v", [2, 2]);
    const [tangent] = jvp([dw, loss], [w, x], [v, x]);
    const outputs = [loss, dw, ...(tangent ? [tangent] : [])];
    vectorize(outputs, [w], { replacements: [input("ws", [3, 2, 2])], size: 3 });
    const [replaced] = substitute([loss], new Map([[x, input("other", [8, 2])]]));
    expect(printGraph(shareCommonSubexpressions([...outputs, replaced])).length).toBeGreaterThan(0);
    lower({ inputs: { x, w, v, row }, outputs: { loss, dw } }, { precision: "float32" });
  });
});

test("a sum of products is written once", () => {
  const nodesOf = (terms: number) => {
    const products = Array.from({ length: terms }, (_, i) => matmul(x, input(`w${i}`, [2, 2])));
    const inputs = Object.fromEntries(products.map(({ inputs: [, own] }, i) => [`w${i}`, own]));
    return lower({ inputs: { x, ...inputs }, outputs: { sum: products.reduce(add) } }, { precision: "float32" }).bytes
      .length;
  };
  expect(nodesOf(400) / nodesOf(200)).toBeLessThan(2.2);
});

test("factors whose product is out of the range of float32 stay apart", () => {
  const small = scale(scale(x, 1e-30), 1e-20);
  expect(matmul(small, w).inputs[0]).toBe(small);
});
