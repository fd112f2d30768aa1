import {
  arrays,
  crossEntropy,
  customLoss,
  empiricalRisk,
  functionModel,
  type Loss,
  primitives,
  type Risk,
  type Tensor,
} from "../../src/index.ts";
import { stream } from "../../src/random/index.ts";

const { add, matmul, tanh, square, sub, reduceSum } = primitives;

/** Shapes of a network of 3 inputs, 3 hidden units and 3 outputs, whose layers are its tensors. */
export const SHAPES = { w1: [3, 3], b1: [3], w2: [3, 3], b2: [3] } as const;

export const SIZE = 24;
const ROWS = 7;

/** Weights of the network, reproducible. */
export function smallTheta(): Float64Array {
  const random = stream(4, "theta");
  return Float64Array.from({ length: SIZE }, () => random.normal());
}

function cut(theta: Float64Array) {
  let start = 0;
  return Object.fromEntries(
    Object.entries(SHAPES).map(([name, dims]) => {
      const size = dims.reduce((product: number, dim) => product * dim, 1);
      start += size;
      return [name, { data: theta.slice(start - size, start), dims }];
    }),
  );
}

/** A tanh network in float64 on seven random rows of three classes. */
export async function smallRisk({
  theta = smallTheta(),
  loss = crossEntropy(),
  labels = [0, 1, 2, 0, 2, 1, 1],
  targets = { data: Int32Array.from(labels), dims: [ROWS] },
}: {
  readonly theta?: Float64Array;
  readonly loss?: Loss;
  readonly labels?: readonly number[];
  readonly targets?: Tensor;
} = {}): Promise<Risk> {
  const random = stream(4, "inputs");
  const x = Float64Array.from({ length: ROWS * 3 }, () => random.normal());
  const model = functionModel({
    name: "small",
    parameters: cut(theta),
    inputs: { x: { dims: [3], dtype: "float64" } },
    apply: (p, { x }) => add(matmul(tanh(add(matmul(x!, p.w1!), p.b1!)), p.w2!), p.b2!),
  });
  const data = arrays({ inputs: { x: { data: x, dims: [ROWS, 3] } }, targets, batchSize: 4 });
  return empiricalRisk({ model, loss, data, dtype: "float64" });
}

/** A loss without a likelihood: the squared distance of outputs from their tanh. */
export function plainLoss(): Loss {
  return customLoss({ name: "plain", terms: (f) => reduceSum(square(sub(f, tanh(f))), [1]) });
}
