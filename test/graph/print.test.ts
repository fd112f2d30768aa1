import { expect, test } from "vitest";
import { vjp } from "../../src/autodiff/index.ts";
import { constant, input, printGraph, scalar, shareCommonSubexpressions } from "../../src/graph/index.ts";
import { add, matmul, reduceSum, relu, scale, sub, tanh } from "../../src/primitives/index.ts";

test("the gradient of a small network", () => {
  const x = input("x", [8, 4]);
  const w = input("w", [4, 3]);
  const b = input("b", [3]);
  const y = input("y", [8, 3]);
  const residual = sub(tanh(add(matmul(x, w), b)), y);
  const loss = scale(reduceSum(matmul(residual, residual, { transposeA: true })), 0.5);
  const [dw, db] = shareCommonSubexpressions(vjp([loss], [w, b], [scalar(1)]));
  expect(printGraph({ dw, db })).toMatchInlineSnapshot(`
    "x = input : float [8, 4]
    w = input : float [4, 3]
    v2 = matmul(x, w) : float [8, 3]
    b = input : float [3]
    v4 = add(v2, b) : float [8, 3]
    v5 = tanh(v4) : float [8, 3]
    y = input : float [8, 3]
    v7 = sub(v5, y) : float [8, 3]
    v8 = broadcast(0.5) {[3, 3]} : float [3, 3]
    v9 = matmul(v7, v8) : float [8, 3]
    v10 = matmul(v7, v8) {transposeB} : float [8, 3]
    v11 = add(v9, v10) : float [8, 3]
    v12 = mul(v5, v5) : float [8, 3]
    v13 = sub(1, v12) : float [8, 3]
    v14 = mul(v11, v13) : float [8, 3]
    v15 = matmul(x, v14) {transposeA} : float [4, 3]
    v16 = reduceSum(v14) {[0]} : float [3]
    dw: v15
    db: v16"
  `);
});

test("equal graphs print alike, whatever was built before", () => {
  const build = () => {
    const x = input("x", [2]);
    return printGraph([relu(scale(x, 3)), x]);
  };
  const first = build();
  expect(first).toMatchInlineSnapshot(`
    "x = input : float [2]
    v1 = mul(x, 3) : float [2]
    v2 = relu(v1) : float [2]
    output 0: v2
    output 1: x"
  `);
  expect(build()).toBe(first);
});

test("constants of a few elements are shown, larger ones are not", () => {
  const small = constant({ data: Float64Array.of(1, 2), dims: [2] });
  const large = constant({ data: new Float64Array(10), dims: [10] });
  const texts = constant({ data: ["a", "b"], dims: [2] });
  expect(printGraph([small, large, texts])).toMatchInlineSnapshot(`
    "v0 = constant() {[1, 2]} : float [2]
    v1 = constant() {[...]} : float [10]
    v2 = constant() {[a, b]} : string [2]
    output 0: v0
    output 1: v1
    output 2: v2"
  `);
});
