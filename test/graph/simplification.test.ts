import { describe, expect, test } from "vitest";
import { vjp } from "../../src/autodiff/index.ts";
import { constant, input, scalar, topologicalOrder, type Value } from "../../src/graph/index.ts";
import {
  add,
  broadcast,
  clip,
  concat,
  conv,
  div,
  exp,
  filled,
  matmul,
  maximum,
  mul,
  neg,
  pad,
  permute,
  pow,
  reduceMax,
  reduceSum,
  reshape,
  reverse,
  scale,
  scatterAdd,
  slice,
  sqrt,
  square,
  sub,
  sumTo,
  swapLastAxes,
  where,
  zeros,
} from "../../src/primitives/index.ts";

const x = input("x", [2, 3]);
const y = input("y", [2, 3]);
const image = input("image", [1, 2, 4, 4]);
const condition = input("condition", [2, 3], "bool");

describe("an application that equals one of its operands is that operand", () => {
  test.each<[string, Value]>([
    ["x + 0", add(x, zeros([2, 3]))],
    ["0 + x", add(scalar(0), x)],
    ["x - 0", sub(x, zeros([3]))],
    ["x 1", mul(x, scalar(1))],
    ["1 x", mul(filled([2, 3], 1), x)],
    ["x / 1", div(x, scalar(1))],
    ["-(-x)", neg(neg(x))],
    ["-1 (-x)", scale(neg(x), -1)],
    ["0 - (-x)", sub(scalar(0), neg(x))],
    ["x to the power 1", pow(x, 1)],
    ["transpose of transpose", swapLastAxes(swapLastAxes(x))],
    ["permutations that undo each other", permute(reshape(permute(x, [1, 0]), [3, 2]), [1, 0])],
    ["identical permutation", permute(x, [0, 1])],
    ["reshape to the same shape", reshape(x, [2, 3])],
    ["reshape there and back", reshape(reshape(x, [6]), [2, 3])],
    ["broadcast to the same shape", broadcast(x, [2, 3])],
    ["whole slice", slice(x, { axis: 1, start: 0, limit: 3 })],
    ["no padding", pad(x, { before: [0, 0], after: [0, 0], between: [0, 0] })],
    ["concatenation of one", concat([x], 0)],
    ["sum over nothing", reduceSum(x, [])],
    ["maximum over nothing", reduceMax(x, [])],
    ["sum to the same shape", sumTo(x, [2, 3])],
    ["choice between the same", where(condition, x, x)],
    ["larger of the same", maximum(x, x)],
    ["clip without bounds", clip(x, { low: -Infinity, high: Infinity })],
  ])("%s", (_, value) => {
    expect(value).toBe(x);
  });
});

describe("what is known to be a number is that number", () => {
  test.each<[string, Value, number]>([
    ["x 0", mul(x, scalar(0)), 0],
    ["0 x", mul(zeros([2, 3]), x), 0],
    ["0 / x", div(scalar(0), x), 0],
    ["2 + 3", add(scalar(2), filled([2, 3], 3)), 5],
    ["2 - 3", sub(filled([2, 3], 2), scalar(3)), -1],
    ["2 3", mul(scalar(2), filled([2, 3], 3)), 6],
    ["3 / 2", div(filled([2, 3], 3), scalar(2)), 1.5],
    ["-(2)", neg(filled([2, 3], 2)), -2],
    ["sqrt(4)", sqrt(filled([2, 3], 4)), 2],
    ["x to the power 0", pow(x, 0), 1],
    ["maximum of numbers", maximum(filled([2, 3], 4), scalar(5)), 5],
    ["moved zeros", permute(zeros([3, 2]), [1, 0]), 0],
    ["0 times a matrix", matmul(zeros([2, 4]), input("w", [4, 3])), 0],
    ["sum of zeros", reduceSum(zeros([2, 5, 3]), [1]), 0],
    ["padding of zeros", pad(zeros([1, 3]), { before: [0, 0], after: [1, 0] }), 0],
    ["scattered zeros", scatterAdd(zeros([4, 3]), input("i", [4], "int64"), { axis: 0, size: 2 }), 0],
    ["equal parts", concat([filled([1, 3], 7), filled([1, 3], 7)], 0), 7],
    ["turned numbers", reverse(filled([2, 3], 7), [0]), 7],
  ])("%s", (_, value, number) => {
    expect(value.uniform).toBe(number);
    expect(value.shape).toEqual([2, 3]);
  });

  test("convolution with zeros", () => {
    expect(conv(image, zeros([3, 2, 2, 2])).uniform).toBe(0);
  });

  test("not 0 / 0, and not integers", () => {
    expect(div(zeros([2]), zeros([2])).uniform).toBeUndefined();
    const two = constant({ data: BigInt64Array.of(2n), dims: [1] });
    expect(add(two, two).primitive.name).toBe("add");
    expect(mul(two, two).primitive.name).toBe("mul");
  });
});

describe("an application is replaced by a cheaper one", () => {
  const operation = (value: Value) => value.primitive.name;
  const row = input("row", [3]);

  test.each<[string, Value, Value["primitive"]["name"], readonly Value[]]>([
    ["(-1) x", mul(x, scalar(-1)), "neg", [x]],
    ["0 - x", sub(zeros([2, 3]), x), "neg", [x]],
    ["x^2", pow(x, 2), "mul", [x, x]],
    ["a repeated operand", add(x, broadcast(row, [2, 3])), "add", [x, row]],
    ["moving an axis of size 1", permute(image, [1, 0, 2, 3]), "reshape", [image]],
    ["reshapes in a row", reshape(reshape(x, [6]), [3, 2]), "reshape", [x]],
    ["sum over axes of size 1", reduceSum(image, [0]), "reshape", [image]],
    ["repeating twice", broadcast(broadcast(row, [2, 3]), [4, 2, 3]), "broadcast", [row]],
  ])("%s", (_, value, name, inputs) => {
    expect(operation(value)).toBe(name);
    expect(value.inputs).toEqual(inputs);
  });

  test("x + x is 2 x", () => {
    const sum = add(x, x);
    expect([operation(sum), sum.inputs[0], sum.inputs[1].uniform]).toEqual(["mul", x, 2]);
  });

  test("transposes enter matrix products as flags", () => {
    const product = matmul(swapLastAxes(x), y);
    expect(product.inputs).toEqual([x, y]);
    expect(product.params).toEqual({ transposeA: true, transposeB: false });
    expect(matmul(swapLastAxes(x), swapLastAxes(y), { transposeA: true }).params).toEqual({
      transposeA: false,
      transposeB: true,
    });
  });

  test("one matrix for a whole batch is one product", () => {
    const product = matmul(input("batch", [5, 2, 3]), input("w", [3, 4]));
    expect(product.shape).toEqual([5, 2, 4]);
    expect(product.inputs[0].shape).toEqual([10, 4]);
  });
});

test("a gradient has no zeros, ones and steps back and forth", () => {
  const w = input("w", [3, 4]);
  const loss = reduceSum(square(matmul(exp(x), w)));
  const [gradient] = vjp([loss], [w], [scalar(1)]);
  const names = topologicalOrder([gradient]).map(({ primitive }) => primitive.name);
  expect(names.filter((name) => name === "matmul")).toHaveLength(2);
  expect(names.filter((name) => name === "permute" || name === "neg")).toEqual([]);
});
