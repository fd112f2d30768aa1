import { describe, expect, test } from "vitest";
import { input, topologicalOrder, type Value } from "../../src/graph/index.ts";
import { add, matmul, mean, mul, reshape } from "../../src/primitives/index.ts";
import { at, fill, type NdArray, sum } from "./ndarray.ts";
import { real } from "./sample.ts";
import { violations } from "./violations.ts";

const columns = (value: Value) => value.shape[value.shape.length - 1]!;

/** The operands of every product or sum that is as large as x. */
function largest(value: Value, size: number): string[] {
  return topologicalOrder([value])
    .filter(
      ({ shape, primitive }) => ["add", "mul"].includes(primitive.name) && shape.reduce((a, b) => a * b, 1) >= size,
    )
    .map(({ primitive }) => primitive.name);
}

const scaledProduct = (x: NdArray, g: NdArray, s: NdArray, w: (i: number, j: number) => number, n: number) =>
  fill([...x.shape.slice(0, -1), n], (index) => {
    const row = index.slice(0, -1);
    const j = index[index.length - 1]!;
    return sum(g.data.map((gain, i) => (at(x, [...row, i]) * gain + s.data[i]!) * w(i, j)));
  });

describe("the product of many rows, scaled and shifted column by column, with a matrix", () => {
  const [x, g, s] = [input("x", [4, 3, 2]), input("g", [2]), input("s", [2])];

  test("multiplies the matrix and leaves the rows as they are", () => {
    const product = matmul(add(mul(x, g), s), input("w", [3, 2]), { transposeB: true });
    expect(largest(product, 24)).toEqual(["add"]);
    expect(columns(product)).toBe(3);
    const shaped = matmul(reshape(add(mul(x, g), s), [12, 2]), input("w", [2, 3]));
    expect(largest(shaped, 24)).toEqual(["add"]);
  });

  test("is left alone where rows are few", () => {
    const product = matmul(add(mul(x, g), s), input("w", [2, 4]));
    expect(largest(product, 24)).toEqual(["mul", "add"]);
  });

  test("is right, with its derivatives", async () => {
    const operands = [real(4, 3, 2), real(2), real(1, 1, 2), real(2, 3)];
    const plain = await violations({
      operands,
      build: (a, gain, shift, w) => matmul(add(shift!, mul(gain!, a!)), w!),
      reference: (a, gain, shift, w) => scaledProduct(a!, gain!, shift!, (i, j) => at(w!, [i, j]), 3),
    });
    expect(plain).toEqual([]);
    const turned = await violations({
      operands: [real(8, 2), real(2), real(2), real(2, 2), real(2)],
      build: (a, gain, shift, w, bias) => add(matmul(add(mul(a!, gain!), shift!), w!, { transposeB: true }), bias!),
      reference: (a, gain, shift, w, bias) => {
        const product = scaledProduct(a!, gain!, shift!, (i, j) => at(w!, [j, i]), 2);
        return fill(product.shape, (index) => at(product, index) + at(bias!, index));
      },
    });
    expect(turned).toEqual([]);
  });
});

test("rows that are added to a matrix one after the other are added first", () => {
  const [x, r, s] = [input("x", [4, 3]), input("r", [3]), input("s", [3])];
  const sums = add(add(x, r), s);
  expect(sums.inputs[0]).toBe(x);
  expect(sums.inputs[1]!.inputs).toEqual([r, s]);
  const shaped = add(reshape(add(r, x), [2, 2, 3]), s);
  expect(largest(shaped, 12)).toEqual(["add"]);
});

describe("the mean of what is scaled and shifted by the same along the mean's axes", () => {
  test("is scaled and shifted itself", () => {
    const [x, g, s] = [input("x", [4, 5, 3]), input("g", [3]), input("s", [4, 1, 3])];
    const average = mean(add(mul(g, x), s), [1]);
    expect(average.shape).toEqual([4, 3]);
    expect(largest(average, 60)).toEqual([]);
    const other = mean(mul(x, input("h", [5, 1])), [1]);
    expect(largest(other, 60)).toEqual(["mul"]);
  });

  test("is right, with its derivatives", async () => {
    const found = await violations({
      operands: [real(2, 4, 3), real(2, 1, 3), real(3)],
      build: (a, gain, shift) => mean(add(mul(a!, gain!), shift!), [1]),
      reference: (a, gain, shift) =>
        fill([2, 3], ([n, j]) =>
          sum([0, 1, 2, 3].map((i) => (at(a!, [n!, i, j!]) * at(gain!, [n!, 0, j!]) + at(shift!, [j!])) / 4)),
        ),
    });
    expect(found).toEqual([]);
  });
});
