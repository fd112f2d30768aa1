import { expect, test } from "vitest";
import { arrays } from "../../src/data/index.ts";
import { input } from "../../src/graph/index.ts";
import { adjoint } from "../../src/linalg/index.ts";
import { meanSquaredError } from "../../src/losses/index.ts";
import { functionModel } from "../../src/models/index.ts";
import { empiricalRisk, flatSum, hessian, jacobian, vectorOutput } from "../../src/operators/index.ts";
import { add, matmul, mul, reduceSum, reshape, scale, tanh } from "../../src/primitives/index.ts";
import type { Vector } from "../../src/tensors/index.ts";
import { expectClose } from "./closeness.ts";
import { randomTensor } from "./riskCases.ts";

const small = ({ data, dims }: ReturnType<typeof randomTensor>) => ({ data: data.map((x) => x / 30), dims });

// Long and short parts in turn; `left` and `right` have the same gradient, and `unused` none.
const model = functionModel({
  parameters: {
    shift: small(randomTensor([3], 1)),
    inner: small(randomTensor([500, 600], 2)),
    outer: small(randomTensor([500, 3], 3)),
    left: small(randomTensor([20_000], 4)),
    unused: small(randomTensor([17_000], 5)),
    right: small(randomTensor([100, 200], 6)),
  },
  inputs: { x: { dims: [600] } },
  apply(p, { x }) {
    const features = tanh(matmul(x, p.inner, { transposeB: true }));
    const level = scale(reduceSum(add(p.left, reshape(p.right, [20_000]))), 0.01);
    return add(mul(matmul(features, p.outer), level), p.shift);
  },
});

test.each(["float64", "float32"] as const)(
  "large networks: batches, whose parts are added one by one, give what a single batch gives in one piece, %s",
  async (dtype) => {
    const products = async (batchSize: number): Promise<Vector[]> => {
      const data = arrays({ inputs: randomTensor([20, 600], 7), targets: randomTensor([20, 3], 8), batchSize });
      await using risk = await empiricalRisk({ model, loss: meanSquaredError(), data, dtype });
      const v = randomTensor([risk.size], 9).data;
      return [
        await risk.gradient(),
        await hessian(risk).matvec(v),
        await hessian(risk).matvec(v),
        await adjoint(jacobian(risk)).matvec(v.subarray(0, 60)),
      ];
    };
    const whole = await products(20);
    const limit = dtype === "float64" ? 1e-12 : 1e-5;
    for (const batchSize of [7, 20 - 1]) {
      for (const [i, product] of (await products(batchSize)).entries()) expectClose(product, whole[i], limit);
    }
  },
);

const shapes = [[3], [500, 600], [0], [2, 5], [20_000]];
const values = shapes.map((shape, i) => input(`value ${i}`, shape));
const length = 3 + 300_000 + 10 + 20_000;

test("a term of a sum has its long parts as outputs of their own", () => {
  const flat = vectorOutput(shapes, { columns: 1, hasMoreBatches: true });
  const outputs = flat.outputs(values);
  expect(Object.values(outputs).map(({ shape }) => shape)).toEqual([[500, 600], [20_000], [13]]);
  const all = Float64Array.from({ length }, (_, i) => i);
  const pieces = [
    all.slice(3, 300_003),
    all.slice(300_013),
    Float64Array.of(...all.slice(0, 3), ...all.slice(300_003, 300_013)),
  ];
  const given = Object.fromEntries(
    Object.keys(outputs).map((name, i) => [name, { data: pieces[i], dims: [pieces[i].length] }]),
  );
  const sum = flatSum(length, "float64");
  sum.add(flat.parts(given));
  expect(sum.result()).toEqual(all);
  sum.add(flat.parts(given));
  expect(sum.result()).toEqual(all.map((x) => 2 * x));
});

test.each([
  { columns: 1, hasMoreBatches: false, shape: [length] },
  { columns: 4, hasMoreBatches: true, shape: [4, length] },
])("a vector that is alone, or of several columns, is one output: %o", ({ shape, ...settings }) => {
  const { columns } = settings;
  const own = shapes.map((each, i) => input(`value ${i}`, columns > 1 ? [columns, ...each] : each));
  const flat = vectorOutput(shapes, settings);
  expect(Object.values(flat.outputs(own)).map((value) => value.shape)).toEqual([shape]);
});
