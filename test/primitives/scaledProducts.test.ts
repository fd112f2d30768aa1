import { describe, expect, test } from "vitest";
import { input, type Value } from "../../src/graph/index.ts";
import { readModel } from "../../src/onnx/index.ts";
import { add, gelu, matmul, mul, reduceSum, reshape, scale } from "../../src/primitives/index.ts";
import { stream } from "../../src/random/index.ts";
import { lower } from "../../src/runtime/index.ts";
import type { Precision } from "../../src/tensors/index.ts";
import { evaluate, feed } from "./evaluate.ts";
import { at, fill, type NdArray, sum } from "./ndarray.ts";

const a = input("a", [4, 3]);
const b = input("b", [3, 5]);
const row = input("row", [5]);
const square = input("square", [4, 5]);
const given = { a, b, row, square };

const drawn = ({ params, shape }: Value) => {
  const random = stream(3, (params as { readonly name: string }).name);
  const size = shape.reduce((product, dim) => product * dim, 1);
  return { data: Float64Array.from({ length: size }, () => random.normal()), dims: shape };
};
const tensors = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, drawn(value)]));
const numbers = (name: keyof typeof given): NdArray => {
  const { data, dims } = tensors[name]!;
  return { data: [...data], shape: dims };
};
const product = fill([4, 5], ([i, j]) =>
  sum([0, 1, 2].map((k) => at(numbers("a"), [i!, k]) * at(numbers("b"), [k, j!]))),
);

async function operators(value: Value, precision: Precision): Promise<string[]> {
  const { bytes } = lower({ inputs: given, outputs: { value } }, { precision });
  const { model } = await readModel(bytes);
  return model.graph.node.map(({ opType }) => opType);
}

async function expectNumbers(value: Value, expected: NdArray, precision: Precision) {
  const fed = feed(tensors);
  const { result } = await evaluate({ result: value }, { ...fed, inputs: given }, precision);
  const tolerance = precision === "float64" ? 1e-14 : 1e-5;
  expected.data.forEach((truth, i) => {
    expect(Math.abs(result[i]! - truth)).toBeLessThan(tolerance * 10);
  });
}

describe("a product of matrices times a number", () => {
  const cases: readonly (readonly [string, Value, NdArray])[] = [
    ["alone", scale(matmul(a, b), 0.3), fill([4, 5], (i) => 0.3 * at(product, i))],
    [
      "with a bias",
      scale(add(matmul(a, b), row), 0.3),
      fill([4, 5], (i) => 0.3 * (at(product, i) + at(numbers("row"), [i[1]!]))),
    ],
    [
      "with a matrix, in another shape",
      scale(reshape(add(square, matmul(a, b)), [2, 2, 5]), 0.3),
      fill([2, 2, 5], ([n, m, j]) => 0.3 * (at(product, [2 * n! + m!, j!]) + at(numbers("square"), [2 * n! + m!, j!]))),
    ],
  ];
  test.each(cases)("%s is one product in float32", async (_, value, expected) => {
    const found = await operators(value, "float32");
    expect(found.filter((operator) => operator !== "Reshape")).toEqual(["Gemm"]);
    await expectNumbers(value, expected, "float32");
  });

  test.each(cases)("%s keeps the digits of the number in float64", async (_, value, expected) => {
    expect(await operators(value, "float64")).toContain("Mul");
    await expectNumbers(value, expected, "float64");
  });

  test("is not computed twice where the product is read as it is, too", async () => {
    const once = matmul(a, b);
    const found = await operators(add(scale(once, 0.3), mul(once, square)), "float32");
    expect(found.filter((operator) => operator === "MatMul" || operator === "Gemm")).toHaveLength(1);
  });
});

describe("a number in front of an operand of a product", () => {
  const tall = input("tall", [40, 3]);
  const isScaled = (value: Value) => value.primitive.name === "mul";

  test("multiplies whatever is smallest", () => {
    expect(matmul(scale(tall, 0.3), b).inputs.map(isScaled)).toEqual([false, true]);
    expect(matmul(b, scale(input("wide", [5, 40]), 0.3)).inputs.map(isScaled)).toEqual([true, false]);
    const narrow = matmul(reshape(scale(tall, 2), [3, 40]), scale(tall, 0.5));
    expect(isScaled(narrow)).toBe(false);
    expect(narrow.inputs.map(isScaled)).toEqual([false, false]);
    const last = matmul(scale(tall, 0.3), input("other", [40, 2]), { transposeA: true });
    expect(isScaled(last)).toBe(true);
    expect(last.inputs[0]!.inputs.map(isScaled)).toEqual([false, false]);
  });

  test("keeps the value", async () => {
    await expectNumbers(
      matmul(scale(a, 0.3), scale(b, 2)),
      fill([4, 5], (i) => 0.6 * at(product, i)),
      "float64",
    );
  });

  test("of GELU between two products leaves three passes over its operand", async () => {
    const c = input("c", [5, 1]);
    const value = matmul(gelu(add(matmul(a, b), row)), c);
    const { bytes } = lower({ inputs: { ...given, c }, outputs: { sum: reduceSum(value) } }, { precision: "float32" });
    const { model } = await readModel(bytes);
    const passes = model.graph.node.map(({ opType }) => opType).filter((op) => ["Add", "Mul", "Erf"].includes(op));
    expect(passes.toSorted()).toEqual(["Add", "Erf", "Mul"]);
  });
});
