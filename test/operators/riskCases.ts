import { arrays } from "../../src/data/index.ts";
import type { Value } from "../../src/graph/index.ts";
import {
  bceWithLogits,
  crossEntropy,
  customLoss,
  gaussianNll,
  type Loss,
  type losses,
  meanSquaredError,
  poissonNll,
} from "../../src/losses/index.ts";
import { type FunctionModelOptions, functionModel, type Model } from "../../src/models/index.ts";
import { add, gather, matmul, mul, permute, reduceSum, square, sub, tanh } from "../../src/primitives/index.ts";
import { stream } from "../../src/random/index.ts";
import { sizeOf, type Tensor } from "../../src/tensors/index.ts";
import {
  coinTerms,
  countTerms,
  gaussianTerms,
  labelTerms,
  probabilityTerms,
  squaredTerms,
  type TermReference,
} from "./termReferences.ts";

/** A small objective with all that is needed to write down its matrices. */
export interface RiskCase {
  readonly model: Model;
  readonly loss: Loss;
  readonly inputs: { readonly [name: string]: Tensor };
  readonly targets: Tensor;
  readonly weights?: readonly number[];
  /** Shape of the joined outputs for all rows, and where the outputs of a term lie. */
  readonly output: readonly number[];
  readonly axis: number;
  readonly reference: TermReference;
  /** What "mean" divides by. */
  readonly denominator: number;
}

const ROWS = 9;

export function randomTensor(dims: readonly number[], seed: number, size = 1): Tensor & { data: Float64Array } {
  const random = stream(seed, "tensor");
  return { data: Float64Array.from({ length: sizeOf(dims) }, () => size * random.normal()), dims };
}

const uniforms = (dims: readonly number[], make: (u: number) => number): Tensor => {
  const random = stream(5, "uniforms");
  return { data: Float64Array.from({ length: sizeOf(dims) }, () => make(random.uniform())), dims };
};

const labels = (values: readonly number[], dims: readonly number[] = [values.length]): Tensor => ({
  data: BigInt64Array.from(values, BigInt),
  dims,
});

type Apply = FunctionModelOptions["apply"];

/** A model whose parameters are named and shaped as given, with random numbers in them. */
function modelOf(
  shapes: { readonly [name: string]: readonly number[] },
  inputs: FunctionModelOptions["inputs"],
  apply: Apply,
): Model {
  const parameters = Object.fromEntries(
    Object.entries(shapes).map(([name, dims], i) => [name, randomTensor(dims, 100 + i, 0.7)]),
  );
  return functionModel({ parameters, inputs, apply });
}

const hidden = (x: Value, w: Value, b: Value) => tanh(add(matmul(x, w), b));

/** Two layers, [n, 4] -> [n, outputs]. */
function perceptron(outputs: number): Model {
  return modelOf(
    { "first.weight": [4, 3], "first.bias": [3], "second.weight": [3, outputs], "second.bias": [outputs] },
    { x: { dims: [4] } },
    (p, { x }) => add(matmul(hidden(x, p["first.weight"], p["first.bias"]), p["second.weight"]), p["second.bias"]),
  );
}

const x4 = { x: randomTensor([ROWS, 4], 1) };
const nine = labels([0, 2, 1, 2, 0, 1, 1, 0, 2]);
const nineIgnored = labels([0, 2, -100, 2, 0, -100, 1, 0, 2]);
const weights = [1, 0.5, 2, 0, 1, 3, 0.25, 1, 1];
const classWeights = [0.5, 2, 1.25];
const tokens = labels([0, 1, 2, -100, 1, 0, 2, 2, -100, -100, -100, -100, 0, 0, 1, 2, 1, 2], [ROWS, 2]);
const real3 = randomTensor([ROWS, 3], 2);
const coins = uniforms([ROWS, 3], (u) => (u < 0.5 ? Math.round(2 * u) : u));
const counts = uniforms([ROWS, 3], (u) => Math.floor(4 * u));
const soft: Tensor = (() => {
  const data = Float64Array.from({ length: ROWS * 3 }, (_, i) => 1 + Math.cos(3 * i));
  for (let n = 0; n < ROWS; n++) {
    const total = data[3 * n] + data[3 * n + 1] + data[3 * n + 2];
    for (let c = 0; c < 3; c++) data[3 * n + c] /= total;
  }
  return { data, dims: [ROWS, 3] };
})();

/** Summed weight of the terms that are not ignored. */
function summedWeight(targets: Tensor, rowWeights: readonly number[], own: readonly number[] = [1, 1, 1]): number {
  const positions = targets.data.length / ROWS;
  return Array.from(targets.data as BigInt64Array, Number).reduce(
    (sum, label, t) => sum + (label === -100 ? 0 : rowWeights[Math.floor(t / positions)] * own[label]),
    0,
  );
}

/** Embeds tokens [n, t] and mixes positions: outputs [n, t, 3]. */
const sequenceModel = modelOf(
  { table: [5, 3], mixing: [2, 2], head: [3, 3] },
  { tokens: { dims: [2], dtype: "int64" } },
  (p, inputs) => {
    const embedded = gather(p.table, inputs.tokens, 0);
    return matmul(tanh(matmul(p.mixing, embedded)), p.head);
  },
);
const tokenInputs = { tokens: labels([0, 1, 2, 3, 4, 0, 1, 1, 2, 4, 3, 3, 0, 2, 1, 4, 2, 2], [ROWS, 2]) };

/** Positions with classes on the second axis, [n, 3, 2]. */
const pixelModel = modelOf({ kernel: [4, 3], bias: [3], scale: [3, 1] }, { x: { dims: [2, 4] } }, (p, { x }) =>
  mul(
    p.scale,
    permute(matmul(hidden(x, p.kernel, p.bias), matmul(p.kernel, p.kernel, { transposeA: true })), [0, 2, 1]),
  ),
);

/** Two inputs that meet in a product. */
const twoInputs = modelOf(
  { left: [4, 3], right: [2, 3], head: [3, 3] },
  { a: { dims: [4] }, b: { dims: [2] } },
  (p, { a, b }) => matmul(mul(tanh(matmul(a, p.left)), matmul(b, p.right)), p.head),
);

/** Mean and log-variance as two outputs. */
const twoHeads = modelOf({ trunk: [4, 3], mean: [3, 2], spread: [3, 2] }, { x: { dims: [4] } }, (p, { x }) => {
  const features = tanh(matmul(x, p.trunk));
  return { m: matmul(features, p.mean), s: matmul(features, p.spread), unused: features };
});

/** One number a row, [n]. */
const single = modelOf({ w: [4, 3], v: [3] }, { x: { dims: [4] } }, (p, { x }) =>
  reduceSum(mul(tanh(matmul(x, p.w)), p.v), [1]),
);

/** Fourth powers of residuals: a loss without a likelihood, l = sum_c (f_c - y_c)^4. */
const fourthPower = customLoss({ convex: true, terms: (f, y) => reduceSum(square(square(sub(f, y))), [1]) });

const fourthTerms: TermReference = (f, term) => {
  const r = f.map((x, c) => x - real3.data[term * f.length + c]);
  const zero = f.map(() => f.map(() => 0));
  return {
    weight: 1,
    loss: r.reduce((sum, x) => sum + x ** 4, 0),
    gradient: r.map((x) => 4 * x ** 3),
    hessian: r.map((x, i) => r.map((_, j) => (i === j ? 12 * x * x : 0))),
    fisher: zero,
  };
};

/** For each loss of the library, small objectives: weights, ignored terms, tokens, several inputs and several outputs. */
const casesOfLosses: { readonly [name in keyof typeof losses]: Readonly<Record<string, RiskCase>> } = {
  crossEntropy: {
    "cross-entropy": {
      model: perceptron(3),
      loss: crossEntropy(),
      inputs: x4,
      targets: nine,
      output: [ROWS, 3],
      axis: 1,
      reference: labelTerms(nine),
      denominator: ROWS,
    },
    "cross-entropy with weights of rows and classes, ignored rows, smoothing": {
      model: perceptron(3),
      loss: crossEntropy({ classWeights, labelSmoothing: 0.2 }),
      inputs: x4,
      targets: nineIgnored,
      weights,
      output: [ROWS, 3],
      axis: 1,
      reference: labelTerms(nineIgnored, { classWeights, labelSmoothing: 0.2 }),
      denominator: summedWeight(nineIgnored, weights, classWeights),
    },
    "cross-entropy of probabilities with class weights": {
      model: perceptron(3),
      loss: crossEntropy({ classWeights }),
      inputs: x4,
      targets: soft,
      output: [ROWS, 3],
      axis: 1,
      reference: probabilityTerms(soft, classWeights),
      denominator: ROWS,
    },
    "cross-entropy of tokens with ignored tokens and weights": {
      model: sequenceModel,
      loss: crossEntropy({ classAxis: "last" }),
      inputs: tokenInputs,
      targets: tokens,
      weights,
      output: [ROWS, 2, 3],
      axis: 2,
      reference: labelTerms(tokens),
      denominator: summedWeight(tokens, weights),
    },
    "cross-entropy with classes on the second axis": {
      model: pixelModel,
      loss: crossEntropy({ reduction: "sum" }),
      inputs: { x: randomTensor([ROWS, 2, 4], 7) },
      targets: tokens,
      output: [ROWS, 3, 2],
      axis: 1,
      reference: labelTerms(tokens),
      denominator: 1,
    },
  },
  meanSquaredError: {
    "squared error with weights": {
      model: perceptron(3),
      loss: meanSquaredError(),
      inputs: x4,
      targets: real3,
      weights,
      output: [ROWS, 3],
      axis: 1,
      reference: squaredTerms(real3),
      denominator: 3 * ROWS,
    },
    "squared error of one number a row": {
      model: single,
      loss: meanSquaredError(),
      inputs: x4,
      targets: randomTensor([ROWS], 8),
      output: [ROWS],
      axis: 1,
      reference: squaredTerms(randomTensor([ROWS], 8)),
      denominator: ROWS,
    },
  },
  bceWithLogits: {
    "binary cross-entropy with positive weights": {
      model: perceptron(3),
      loss: bceWithLogits({ positiveWeights: [0.5, 3, 1] }),
      inputs: x4,
      targets: coins,
      output: [ROWS, 3],
      axis: 1,
      reference: coinTerms(coins, [0.5, 3, 1]),
      denominator: 3 * ROWS,
    },
  },
  poissonNll: {
    "poisson of two inputs": {
      model: twoInputs,
      loss: poissonNll(),
      inputs: { a: randomTensor([ROWS, 4], 3), b: randomTensor([ROWS, 2], 4) },
      targets: counts,
      output: [ROWS, 3],
      axis: 1,
      reference: countTerms(counts),
      denominator: 3 * ROWS,
    },
  },
  gaussianNll: {
    "gaussian on one output": {
      model: perceptron(6),
      loss: gaussianNll({ reduction: "sum" }),
      inputs: x4,
      targets: real3,
      output: [ROWS, 6],
      axis: 1,
      reference: gaussianTerms(real3),
      denominator: 1,
    },
    "gaussian on two outputs with weights": {
      model: twoHeads,
      loss: gaussianNll({ outputs: ["m", "s"] }),
      inputs: x4,
      targets: randomTensor([ROWS, 2], 9),
      weights,
      output: [ROWS, 4],
      axis: 1,
      reference: gaussianTerms(randomTensor([ROWS, 2], 9)),
      denominator: 2 * ROWS,
    },
  },
};

/** Small objectives with every loss. */
export const riskCases: Readonly<Record<string, RiskCase>> = Object.assign({}, ...Object.values(casesOfLosses), {
  "a loss without a likelihood": {
    model: perceptron(3),
    loss: fourthPower,
    inputs: x4,
    targets: real3,
    output: [ROWS, 3],
    axis: 1,
    reference: fourthTerms,
    denominator: ROWS,
  },
});

/** The data of a case in batches. */
export function dataOf({ inputs, targets, weights: own }: RiskCase, batchSize: number) {
  return arrays({ inputs, targets, ...(own && { weights: own }), batchSize });
}
