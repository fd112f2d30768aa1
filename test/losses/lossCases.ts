import type { Loss } from "../../src/losses/index.ts";
import { bceWithLogits, crossEntropy, gaussianNll, meanSquaredError, poissonNll } from "../../src/losses/index.ts";
import { stream } from "../../src/random/index.ts";
import { sizeOf, type Tensor } from "../../src/tensors/index.ts";
import {
  bceReference,
  type Divided,
  gaussianReference,
  labelCrossEntropy,
  poissonReference,
  probabilityCrossEntropy,
  squaredErrorReference,
} from "./references.ts";

/** A loss with outputs and targets that fit it, and the same objective written out in loops. */
export interface LossCase {
  readonly loss: Loss;
  /** Shape of the outputs, rows first. */
  readonly output: readonly number[];
  readonly targets: Tensor;
  /** Sum over terms and denominator of "mean" at these outputs, row-major. */
  readonly reference: (f: Float64Array) => Divided;
}

const labels = (values: readonly number[], dims: readonly number[] = [values.length]): Tensor => ({
  data: BigInt64Array.from(values, BigInt),
  dims,
});

/** Class probabilities along an axis: positive numbers that add up to 1. */
function probabilities(dims: readonly number[], axis: number): Tensor {
  const random = stream(11, "probabilities");
  const data = Float64Array.from({ length: sizeOf(dims) }, () => 0.1 + random.uniform());
  const inner = sizeOf(dims.slice(axis + 1));
  const size = dims[axis] * inner;
  for (let start = 0; start < data.length; start += size) {
    for (let i = 0; i < inner; i++) {
      let sum = 0;
      for (let c = 0; c < dims[axis]; c++) sum += data[start + c * inner + i];
      for (let c = 0; c < dims[axis]; c++) data[start + c * inner + i] /= sum;
    }
  }
  return { data, dims };
}

function numbers(dims: readonly number[], make: (uniform: number) => number): Tensor {
  const random = stream(12, "numbers");
  return { data: Float64Array.from({ length: sizeOf(dims) }, () => make(random.uniform())), dims };
}

const five = labels([0, 2, 1, 2, 0]);
const someIgnored = labels([0, -100, 1, 2, -100]);
const pixels = labels([0, 1, 2, 2, 1, -100, 0, 0, 1, 2, 1, 0], [2, 2, 3]);
const tokens = labels([0, 1, 2, 3, 3, 2, -100, 0], [2, 4]);
const classWeights = [0.5, 2, 1.25];
const soft = probabilities([5, 3], 1);
const softPixels = probabilities([2, 3, 4], 1);
const softTokens = probabilities([2, 4, 5], 2);
const real = numbers([5, 3], (u) => 2 * u - 1);
const coins = numbers([5, 3], (u) => (u < 0.3 ? 0 : u > 0.6 ? 1 : u));
const counts = numbers([5, 3], (u) => Math.floor(5 * u));
const positiveWeights = [0.5, 3, 1];

/** Every built-in loss with every option and layout. */
export const lossCases: Readonly<Record<string, LossCase>> = {
  "cross-entropy": {
    loss: crossEntropy(),
    output: [5, 3],
    targets: five,
    reference: (f) => labelCrossEntropy(f, { dims: [5, 3], axis: 1, labels: five }),
  },
  "cross-entropy, sum": {
    loss: crossEntropy({ reduction: "sum" }),
    output: [5, 3],
    targets: five,
    reference: (f) => ({ ...labelCrossEntropy(f, { dims: [5, 3], axis: 1, labels: five }), denominator: 1 }),
  },
  "cross-entropy, class weights, ignored rows": {
    loss: crossEntropy({ classWeights }),
    output: [5, 3],
    targets: someIgnored,
    reference: (f) => labelCrossEntropy(f, { dims: [5, 3], axis: 1, labels: someIgnored, classWeights }),
  },
  "cross-entropy, smoothing": {
    loss: crossEntropy({ labelSmoothing: 0.2 }),
    output: [5, 3],
    targets: someIgnored,
    reference: (f) => labelCrossEntropy(f, { dims: [5, 3], axis: 1, labels: someIgnored, labelSmoothing: 0.2 }),
  },
  "cross-entropy, smoothing, class weights, another ignored label": {
    loss: crossEntropy({ labelSmoothing: 0.3, classWeights, ignoreIndex: 2 }),
    output: [5, 3],
    targets: five,
    reference: (f) =>
      labelCrossEntropy(f, {
        dims: [5, 3],
        axis: 1,
        labels: five,
        classWeights,
        labelSmoothing: 0.3,
        ignoreIndex: 2,
      }),
  },
  "cross-entropy of pixels [n, c, h, w]": {
    loss: crossEntropy({ classWeights, labelSmoothing: 0.1 }),
    output: [2, 3, 2, 3],
    targets: pixels,
    reference: (f) =>
      labelCrossEntropy(f, { dims: [2, 3, 2, 3], axis: 1, labels: pixels, classWeights, labelSmoothing: 0.1 }),
  },
  "cross-entropy of tokens [n, t, c]": {
    loss: crossEntropy(),
    output: [2, 4, 5],
    targets: tokens,
    reference: (f) => labelCrossEntropy(f, { dims: [2, 4, 5], axis: 2, labels: tokens }),
  },
  "cross-entropy of tokens, class axis given where both would fit": {
    loss: crossEntropy({ classAxis: "last" }),
    output: [2, 4, 4],
    targets: tokens,
    reference: (f) => labelCrossEntropy(f, { dims: [2, 4, 4], axis: 2, labels: tokens }),
  },
  "cross-entropy, second axis where both would fit": {
    loss: crossEntropy({ classAxis: "second" }),
    output: [2, 4, 4],
    targets: tokens,
    reference: (f) => labelCrossEntropy(f, { dims: [2, 4, 4], axis: 1, labels: tokens }),
  },
  "cross-entropy of probabilities": {
    loss: crossEntropy(),
    output: [5, 3],
    targets: soft,
    reference: (f) => probabilityCrossEntropy(f, { dims: [5, 3], axis: 1, targets: soft }),
  },
  "cross-entropy of probabilities, smoothing, class weights": {
    loss: crossEntropy({ labelSmoothing: 0.2, classWeights }),
    output: [5, 3],
    targets: soft,
    reference: (f) =>
      probabilityCrossEntropy(f, { dims: [5, 3], axis: 1, targets: soft, labelSmoothing: 0.2, classWeights }),
  },
  "cross-entropy of probabilities of pixels": {
    loss: crossEntropy({ classWeights, classAxis: "second" }),
    output: [2, 3, 4],
    targets: softPixels,
    reference: (f) => probabilityCrossEntropy(f, { dims: [2, 3, 4], axis: 1, targets: softPixels, classWeights }),
  },
  "cross-entropy of probabilities of tokens": {
    loss: crossEntropy({ classAxis: "last" }),
    output: [2, 4, 5],
    targets: softTokens,
    reference: (f) => probabilityCrossEntropy(f, { dims: [2, 4, 5], axis: 2, targets: softTokens }),
  },
  "squared error": {
    loss: meanSquaredError(),
    output: [5, 3],
    targets: real,
    reference: (f) => squaredErrorReference(f, real),
  },
  "squared error, sum": {
    loss: meanSquaredError({ reduction: "sum" }),
    output: [5, 3],
    targets: real,
    reference: (f) => ({ ...squaredErrorReference(f, real), denominator: 1 }),
  },
  "binary cross-entropy": {
    loss: bceWithLogits(),
    output: [5, 3],
    targets: coins,
    reference: (f) => bceReference(f, { targets: coins, weights: [1, 1, 1] }),
  },
  "binary cross-entropy, positive weights": {
    loss: bceWithLogits({ positiveWeights }),
    output: [5, 3],
    targets: coins,
    reference: (f) => bceReference(f, { targets: coins, weights: positiveWeights }),
  },
  "binary cross-entropy, one positive weight": {
    loss: bceWithLogits({ positiveWeights: 3, reduction: "sum" }),
    output: [5, 3],
    targets: coins,
    reference: (f) => ({ ...bceReference(f, { targets: coins, weights: [3, 3, 3] }), denominator: 1 }),
  },
  poisson: {
    loss: poissonNll(),
    output: [5, 3],
    targets: counts,
    reference: (f) => poissonReference(f, counts),
  },
  gaussian: {
    loss: gaussianNll(),
    output: [5, 6],
    targets: real,
    reference: (f) => gaussianReference(f, { dims: [5, 6], targets: real }),
  },
  "gaussian of sequences": {
    loss: gaussianNll(),
    output: [2, 4, 2],
    targets: numbers([2, 4], (u) => 2 * u - 1),
    reference: (f) => gaussianReference(f, { dims: [2, 4, 2], targets: numbers([2, 4], (u) => 2 * u - 1) }),
  },
};

/** Outputs of a case: standard normal numbers. */
export function outputsOf({ output }: LossCase, seed: number): Float64Array {
  const random = stream(seed, "outputs");
  return Float64Array.from({ length: sizeOf(output) }, () => random.normal());
}
