import { describe, expect, test } from "vitest";
import {
  arrays,
  bceWithLogits,
  crossEntropy,
  empiricalRisk,
  functionModel,
  gaussianNll,
  type Loss,
  meanSquaredError,
  poissonNll,
  primitives,
  type Risk,
  type Tensor,
} from "../../src/index.ts";
import { stream } from "../../src/random/index.ts";
import { blockDiagonal, diagonal, ekfac, kfac, type StructuredOperator } from "../../src/structured/index.ts";
import { expectClose } from "../operators/closeness.ts";

// Settings in which theory says that Kronecker factors are the exact blocks.

const { add, matmul, reduceSum, scale, tanh } = primitives;
const LIMIT = 1e-10;
const random = stream(11, "exactness");
const tensor = (...dims: number[]): Tensor & { readonly data: Float64Array } => ({
  data: Float64Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => random.normal()),
  dims,
});

/** Both on a vector of cosines. */
async function expectEqual(K: StructuredOperator, exact: StructuredOperator) {
  const x = Float64Array.from({ length: K.shape[0] }, (_, i) => Math.cos(0.37 * i + 0.1));
  expectClose(await K.matvec(x), await exact.matvec(x), LIMIT);
}

function perceptron(outputs: number, activation: typeof tanh, dims: readonly number[] = [4]) {
  return functionModel({
    parameters: { a: tensor(4, 5), c: tensor(5), b: tensor(5, outputs), d: tensor(outputs) },
    inputs: { x: { dims } },
    apply: (p, { x }) => add(matmul(activation(add(matmul(x, p.a), p.c)), p.b), p.d),
  });
}

const identity: typeof tanh = (x) => x;

async function riskOf(model: ReturnType<typeof perceptron>, loss: Loss, x: Tensor, y: Tensor): Promise<Risk> {
  return empiricalRisk({ model, loss, data: arrays({ inputs: x, targets: y }), dtype: "float64" });
}

test("a deep linear network with squared error: joint factors are the blocks of its layers", async () => {
  await using risk = await riskOf(perceptron(3, identity), meanSquaredError(), tensor(7, 4), tensor(7, 3));
  await using exact = await blockDiagonal(risk);
  for (const bias of ["joint", "separate"] as const) {
    await using K = await kfac(risk, { bias });
    await using E = await ekfac(risk, { bias });
    if (bias === "joint") {
      await expectEqual(K, exact);
      await expectEqual(E, exact);
    }
    await using tensors = await blockDiagonal(risk, { by: "parameter" });
    if (bias === "separate") await expectEqual(K, tensors);
  }
});

const labels: Tensor = { data: Int32Array.of(2), dims: [1] };
const counts: Tensor = { data: Float64Array.of(3, 0, 1), dims: [1, 3] };
const coins: Tensor = { data: Float64Array.of(1, 0, 1), dims: [1, 3] };

describe.each<[string, Loss, Tensor, number]>([
  ["cross-entropy", crossEntropy(), labels, 3],
  ["binary cross-entropy with positive weights", bceWithLogits({ positiveWeights: 3 }), coins, 3],
  ["Poisson", poissonNll(), counts, 3],
  ["Gaussian with its variance", gaussianNll(), tensor(1, 2), 4],
])("one datum, %s", (_, loss, target, outputs) => {
  test("joint factors are the blocks, whatever the activation", async () => {
    await using risk = await riskOf(perceptron(outputs, tanh), loss, tensor(1, 4), target);
    const of = loss.convex ? "ggn" : ({ type: 2 } as const);
    await using K = await kfac(risk, { of, bias: "joint" });
    await using exact = await blockDiagonal(risk, { of });
    await expectEqual(K, exact);
  });
});

test("expand is exact where every position is a term of its own and nothing mixes them", async () => {
  await using risk = await riskOf(
    perceptron(3, identity, [6, 4]),
    meanSquaredError(),
    tensor(5, 6, 4),
    tensor(5, 6, 3),
  );
  await using exact = await blockDiagonal(risk, { terms: "exact" });
  await using K = await kfac(risk, { sharing: "expand", bias: "joint", terms: "exact" });
  await expectEqual(K, exact);
  // Terms that do not meet may share a pass with random signs.
  await using signs = await kfac(risk, { sharing: "expand", bias: "joint", terms: "signs", seed: 1 });
  expect(signs.terms).toBe("signs");
  await expectEqual(signs, exact);
});

test("reduce is exact where the outputs are means over positions", async () => {
  const model = functionModel({
    parameters: { a: tensor(4, 5), b: tensor(5, 3) },
    inputs: { x: { dims: [6, 4] } },
    apply: (p, { x }) => scale(reduceSum(matmul(matmul(x, p.a), p.b), [1]), 1 / 6),
  });
  await using risk = await riskOf(
    model as ReturnType<typeof perceptron>,
    meanSquaredError(),
    tensor(5, 6, 4),
    tensor(5, 3),
  );
  await using exact = await blockDiagonal(risk);
  await using K = await kfac(risk, { sharing: "reduce" });
  await expectEqual(K, exact);
});

test("a row twice is a row of weight two, and sums scale as the matrix does", async () => {
  const model = perceptron(3, tanh);
  const x = tensor(2, 4);
  const twice = { data: Float64Array.from([...x.data, ...x.data.subarray(4)]), dims: [3, 4] };
  const y = Int32Array.of(0, 2);
  const weighted = arrays({ inputs: x, targets: { data: y, dims: [2] }, weights: [1, 2] });
  const repeated = arrays({ inputs: twice, targets: { data: Int32Array.of(0, 2, 2), dims: [3] } });
  for (const reduction of ["mean", "sum"] as const) {
    const loss = crossEntropy({ reduction });
    await using first = await empiricalRisk({ model, loss, data: weighted, dtype: "float64" });
    await using second = await empiricalRisk({ model, loss, data: repeated, dtype: "float64" });
    await using K = await kfac(first);
    await using L = await kfac(second);
    await expectEqual(K, L);
  }
});

test("sampled labels approach all labels at the rate of their root", async () => {
  await using risk = await riskOf(perceptron(3, tanh), crossEntropy(), tensor(6, 4), {
    data: Int32Array.of(0, 1, 2, 0, 1, 2),
    dims: [6],
  });
  await using exact = await diagonal(risk, { of: { type: 2 } });
  const truth = await exact.diagonal();
  const error = async (samples: number) => {
    let sum = 0;
    for (let seed = 0; seed < 6; seed++) {
      await using sampled = await diagonal(risk, { of: { type: 1, labels: samples, seed } });
      const own = await sampled.diagonal();
      truth.forEach((value: number, i: number) => {
        sum += (own[i] - value) ** 2;
      });
    }
    return Math.sqrt(sum);
  };
  const ratio = (await error(4)) / (await error(256));
  // The root of 64 is 8; six seeds leave it uncertain by a third.
  expect(ratio).toBeGreaterThan(4);
  expect(ratio).toBeLessThan(16);
});

test("random signs are unbiased: their mean over many seeds is the exact factor", async () => {
  // Terms that meet: the second position sees the first.
  const model = functionModel({
    parameters: { a: tensor(4, 3), mix: tensor(2, 2), b: tensor(3, 3) },
    inputs: { x: { dims: [2, 4] } },
    apply: (p, { x }) => matmul(tanh(matmul(p.mix, matmul(x, p.a))), p.b),
  });
  await using risk = await riskOf(
    model as ReturnType<typeof perceptron>,
    meanSquaredError(),
    tensor(3, 2, 4),
    tensor(3, 2, 3),
  );
  await using exact = await kfac(risk, { terms: "exact" });
  const block = (K: StructuredOperator) => K.blocks[0].block.arrays.B.data as Float64Array;
  const seeds = 200;
  const sums = { mean: new Float64Array(9), square: new Float64Array(9) };
  for (let seed = 0; seed < seeds; seed++) {
    await using K = await kfac(risk, { terms: "signs", seed });
    block(K).forEach((x, i) => {
      sums.mean[i] += x / seeds;
      sums.square[i] += (x * x) / seeds;
    });
  }
  block(exact).forEach((x, i) => {
    const standardError = Math.sqrt((sums.square[i] - sums.mean[i] ** 2) / (seeds - 1));
    expect(Math.abs(sums.mean[i] - x)).toBeLessThan(4.5 * standardError + 1e-14);
  });
  await expect(kfac(risk, { terms: "signs" })).rejects.toThrow(/give a seed/);
});
