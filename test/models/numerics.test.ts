import { describe, expect, test } from "vitest";
import { jvp, vjp } from "../../src/autodiff/index.ts";
import { constant } from "../../src/graph/index.ts";
import { loadModel } from "../../src/models/index.ts";
import { sizeOf } from "../../src/tensors/index.ts";
import { distance, inputsOf, numbers, parameterFeeds, withProgram } from "./running.ts";
import { type TinyModel, tinyModel } from "./tinyModel.ts";

interface Derivatives {
  readonly y: readonly number[];
  readonly gradient: readonly number[];
  readonly product: readonly number[];
}

/** y = nodes of w, the derivative of `cotangent . y`, and its Hessian times a vector of ones, in float64. */
async function derivatives(
  w: readonly [values: readonly number[], dims: readonly number[]],
  { nodes, cotangent }: { readonly nodes: TinyModel["nodes"]; readonly cotangent?: readonly number[] },
  { weights = {}, opset = 18 }: { readonly weights?: NonNullable<TinyModel["weights"]>; readonly opset?: number } = {},
): Promise<Derivatives> {
  const tiny = tinyModel({ nodes, weights: { w, ...weights }, inputs: [], opsets: { "": opset } });
  const model = await loadModel(tiny, { parameters: { include: ["w"], exclude: Object.keys(weights) } });
  const graph = await model.graph({ shapes: {}, outputs: ["y"] });
  const y = graph.outputs.y!;
  const seed = Float64Array.from(cotangent ?? new Array<number>(sizeOf(y.shape)).fill(1));
  const [gradient] = vjp([y], graph.parameters, [constant({ data: seed, dims: y.shape })]);
  const ones = constant({ data: new Float64Array(sizeOf(w[1])).fill(1), dims: w[1] });
  const [product] = jvp([gradient!], graph.parameters, [ones]);
  const outputs = { y, gradient: gradient!, ...(product && { product }) };
  return withProgram(inputsOf(model, graph), outputs, {
    precision: "float64",
    async use(program) {
      const results = await program.run(parameterFeeds(model));
      const product = results.product === undefined ? [] : numbers(results.product);
      return { y: numbers(results.y!), gradient: numbers(results.gradient!), product };
    },
  });
}

const node = (op: string, inputs: readonly string[], outputs = ["y"], attributes = {}) => ({
  op,
  inputs,
  outputs,
  attributes,
});
const finite = ({ gradient, product }: Derivatives) => [...gradient, ...product].every(Number.isFinite);

describe("logarithms of probabilities", () => {
  test("Softmax then Log of logits of 1e4 has the derivatives of their composition", async () => {
    const nodes = [node("Softmax", ["w"], ["p"]), node("Log", ["p"])];
    const found = await derivatives(
      [
        [1e4, -1e4, 0],
        [1, 3],
      ],
      { nodes, cotangent: [0, 1, 0] },
    );
    expect(found.y).toEqual([0, -2e4, -1e4]);
    expect(found.gradient).toEqual([-1, 1, 0]);
    expect(finite(found)).toBe(true);
  });

  test("LogSoftmax of logits of 1e4", async () => {
    const found = await derivatives(
      [
        [1e4, -1e4, 0],
        [1, 3],
      ],
      { nodes: [node("LogSoftmax", ["w"])], cotangent: [0, 1, 0] },
    );
    expect(found.gradient).toEqual([-1, 1, 0]);
    expect(finite(found)).toBe(true);
  });

  test("Sigmoid then Log, and Softplus, keep their tails", async () => {
    const nodes = [node("Sigmoid", ["w"], ["p"]), node("Log", ["p"])];
    const found = await derivatives([[-1e4, -800, 40], [3]], { nodes });
    expect(found.y.slice(0, 2)).toEqual([-1e4, -800]);
    expect(Math.abs(found.y[2]! / -Math.exp(-40) - 1)).toBeLessThan(1e-14);
    expect(found.gradient.slice(0, 2)).toEqual([1, 1]);
    const softplus = await derivatives([[-800, -40, 1e4], [3]], { nodes: [node("Softplus", ["w"])] });
    expect(softplus.gradient[2]).toBe(1);
    expect(Math.abs(softplus.gradient[1]! / Math.exp(-40) - 1)).toBeLessThan(1e-14);
    expect(finite(softplus)).toBe(true);
  });

  test("ReduceLogSumExp of 1e4", async () => {
    const nodes = [node("ReduceLogSumExp", ["w"], ["y"], { keepdims: { int: 0 } })];
    const found = await derivatives(
      [
        [1e4, 1e4, 0],
        [1, 3],
      ],
      { nodes },
    );
    expect(distance(found.y, [1e4 + Math.LN2])).toBeLessThan(1e-15);
    expect(found.gradient).toEqual([0.5, 0.5, 0]);
    expect(finite(found)).toBe(true);
  });
});

describe("norms at 0 have derivative 0, as in PyTorch", () => {
  const zeros = [
    [0, 0, 0, 0],
    [1, 1, 4],
  ] as const;
  test.each([
    ["ReduceL1", {}],
    ["ReduceL2", {}],
    ["LpNormalization", { p: { int: 1 } }],
    ["LpNormalization", { p: { int: 2 } }],
    ["LpPool", { kernel_shape: { ints: [2] } }],
    ["GlobalLpPool", {}],
    ["MeanVarianceNormalization", { axes: { ints: [2] } }],
  ])("%s %o", async (op, attributes) => {
    const found = await derivatives(zeros, { nodes: [node(op, ["w"], ["y"], attributes)] });
    expect(found.y.every((y) => y === 0)).toBe(true);
    expect(finite(found)).toBe(true);
    if (op !== "MeanVarianceNormalization") expect(found.gradient).toEqual([0, 0, 0, 0]);
  });
});

test("Sqrt at 0 has an infinite derivative, as in PyTorch", async () => {
  const found = await derivatives([[0, 4], [2]], { nodes: [node("Sqrt", ["w"])] });
  expect(found.gradient).toEqual([Infinity, 0.25]);
});

test("LayerNormalization of a constant row: the derivative is that of centering over the root of epsilon", async () => {
  const nodes = [node("LayerNormalization", ["w", "g"], ["y"], { epsilon: { float: 0.25 } })];
  const found = await derivatives(
    [
      [3, 3, 3, 3],
      [1, 4],
    ],
    { nodes, cotangent: [1, 0, 0, 0] },
    { weights: { g: [[1, 1, 1, 1], [4]] } },
  );
  expect(found.y).toEqual([0, 0, 0, 0]);
  expect(distance(found.gradient, [1.5, -0.5, -0.5, -0.5])).toBeLessThan(1e-15);
  expect(finite(found)).toBe(true);
});

describe("Pow of a negative base", () => {
  test("with a whole exponent has the derivatives of a polynomial", async () => {
    const found = await derivatives(
      [[-2, 0, 3], [3]],
      { nodes: [node("Pow", ["w", "e"])] },
      { weights: { e: [[3], []] } },
    );
    expect(found.y).toEqual([-8, 0, 27]);
    expect(found.gradient).toEqual([12, 0, 27]);
    expect(found.product).toEqual([-12, 0, 18]);
  });

  test("with exponents that differ", async () => {
    const found = await derivatives(
      [[-2, -2, 0], [3]],
      { nodes: [node("Pow", ["w", "e"])] },
      { weights: { e: [[2, 3, 2], [3]] } },
    );
    expect(found.gradient).toEqual([-4, 12, 0]);
    expect(found.product).toEqual([2, -12, 2]);
  });

  test("with a broken exponent is not a number, as everywhere", async () => {
    const found = await derivatives(
      [[-2, 4], [2]],
      { nodes: [node("Pow", ["w", "e"])] },
      { weights: { e: [[1.5], []] } },
    );
    expect(found.y[0]).toBeNaN();
    expect(found.gradient[1]).toBe(3);
  });
});

test("ReduceProd has its derivatives at zeros", async () => {
  const nodes = [node("ReduceProd", ["w"], ["y"], { keepdims: { int: 0 } })];
  const one = await derivatives(
    [
      [2, 0, 5],
      [1, 3],
    ],
    { nodes },
  );
  expect(one.gradient).toEqual([0, 10, 0]);
  // d^2 / dx_i dx_j is the product of the others: the sum of a row is the sum of those.
  expect(one.product).toEqual([5, 7, 2]);
});
