// @ts-check
import { arrays } from "onnx-curvature";
import { perceptron, resnet18, transformer } from "./networks.mjs";
import { normalVector, uniformNumbers } from "./random.mjs";

/** @typedef {{ model: import("onnx-curvature").Model, data: import("onnx-curvature").Data }} Problem */
/** @typedef {{ rows: number, batches: number, network: () => import("onnx-curvature").Model, what: string }} Definition */

const B = () => perceptron([784, 64, 32, 10], "tanh");
const million = () => perceptron([784, 1024, 190, 10], "relu");

/** @type {{ readonly [name: string]: Definition }} */
export const problems = {
  A: { rows: 360, batches: 1, network: () => perceptron([64, 16, 10], "tanh"), what: "MLP 64-16-10 tanh, batch 360" },
  B: { rows: 512, batches: 1, network: B, what: "MLP 784-64-32-10 tanh, batch 512" },
  C: {
    rows: 512,
    batches: 1,
    network: () => perceptron([784, 1024, 512, 256, 128, 64, 10], "relu"),
    what: "MLP 784-1024-512-256-128-64-10 ReLU, batch 512",
  },
  D: { rows: 32, batches: 1, network: resnet18, what: "ResNet-18, 10 classes, 32x32 images, batch 32" },
  E: {
    rows: 64,
    batches: 1,
    network: () => transformer(),
    what: "transformer, width 64, 2 blocks, 50 positions, batch 64",
  },
  E12: { rows: 64, batches: 1, network: () => transformer(12), what: "E with 12 blocks" },
  B20: { rows: 512, batches: 20, network: B, what: "20 batches of B" },
  F: { rows: 128, batches: 1, network: million, what: "MLP 784-1024-190-10 ReLU (1,000,500 weights), batch 128" },
  F16: { rows: 128, batches: 16, network: million, what: "16 batches of F" },
};

/**
 * The network with random weights, random normal inputs and random labels of 10 classes.
 *
 * @param {string} name a key of `problems`
 * @returns {Problem}
 */
export function makeProblem(name) {
  const definition = problems[name];
  if (definition === undefined)
    throw new Error(`unknown problem ${name}; there are ${Object.keys(problems).join(", ")}`);
  const model = definition.network();
  const random = uniformNumbers(5);
  const dims = /** @type {readonly number[]} */ (model.inputs[0].dims.slice(1));
  const rows = definition.rows * definition.batches;
  const size = dims.reduce((product, dim) => product * dim, rows);
  const labels = BigInt64Array.from({ length: rows }, () => BigInt(Math.floor(random() * 10)));
  const data = arrays({
    inputs: { data: normalVector(random, size), dims: [rows, ...dims] },
    targets: { data: labels, dims: [rows] },
    batchSize: definition.rows,
  });
  return { model, data };
}
