// @ts-check
import { constant, functionModel, primitives, scalar } from "onnx-curvature";
import { normalVector, uniformNumbers, uniformVector } from "./random.mjs";

const { add, conv, gelu, matmul, maxPool, mean, mul, permute, relu, reshape, softmax, standardize, tanh } = primitives;

/** @typedef {import("onnx-curvature").Value} Value */
/** @typedef {import("onnx-curvature").Model} Model */
/** @typedef {{ readonly [name: string]: Value }} Values */

/** Weights by name, drawn as PyTorch's layers do. */
class Weights {
  /** @param {number} seed */
  constructor(seed) {
    this.random = uniformNumbers(seed);
    /** @type {Record<string, { data: Float32Array, dims: readonly number[] }>} */
    this.parameters = {};
  }

  /**
   * Weight [outputs, inputs] and bias of an affine layer.
   *
   * @param {string} name
   * @param {number} inputs
   * @param {number} outputs
   */
  linear(name, inputs, outputs) {
    const bound = 1 / Math.sqrt(inputs);
    const drawn = (/** @type {number} */ size) => uniformVector(this.random, size, bound);
    this.parameters[`${name}.weight`] = { data: drawn(inputs * outputs), dims: [outputs, inputs] };
    this.parameters[`${name}.bias`] = { data: drawn(outputs), dims: [outputs] };
  }

  /**
   * Scale 1 and shift 0 of a normalization.
   *
   * @param {string} name
   * @param {number} size
   */
  normalization(name, size) {
    this.parameters[`${name}.weight`] = { data: new Float32Array(size).fill(1), dims: [size] };
    this.parameters[`${name}.bias`] = { data: new Float32Array(size), dims: [size] };
  }

  /**
   * Weight of a convolution without bias.
   *
   * @param {string} name
   * @param {readonly [outputs: number, inputs: number, kernel: number]} sizes
   */
  convolution(name, [outputs, inputs, kernel]) {
    const deviation = Math.sqrt(2 / (outputs * kernel * kernel));
    const data = normalVector(this.random, outputs * inputs * kernel * kernel, deviation);
    this.parameters[`${name}.weight`] = { data, dims: [outputs, inputs, kernel, kernel] };
  }
}

/**
 * @param {Values} p
 * @param {string} name
 * @param {Value} x
 */
function linear(p, name, x) {
  return add(matmul(x, p[`${name}.weight`], { transposeB: true }), p[`${name}.bias`]);
}

/**
 * Multilayer perceptron, affine layers of these sizes with an activation between.
 *
 * @param {readonly number[]} sizes
 * @param {"tanh" | "relu"} activation
 * @returns {Model}
 */
export function perceptron(sizes, activation) {
  const weights = new Weights(1);
  for (let i = 0; i + 1 < sizes.length; i++) weights.linear(`${i}`, sizes[i], sizes[i + 1]);
  const apply = activation === "tanh" ? tanh : relu;
  return functionModel({
    name: `perceptron ${sizes.join("-")} ${activation}`,
    parameters: weights.parameters,
    inputs: { x: { dims: [sizes[0]] } },
    apply(p, { x }) {
      let y = x;
      for (let i = 0; i + 1 < sizes.length; i++) {
        y = linear(p, `${i}`, y);
        if (i + 2 < sizes.length) y = apply(y);
      }
      return y;
    },
  });
}

/** Channels and first stride of the two blocks in each of the four stages. */
const STAGES = /** @type {const} */ ([
  [64, 1],
  [128, 2],
  [256, 2],
  [512, 2],
]);

/**
 * ResNet-18 (He et al., 2016) for 10 classes as torchvision builds it: 7x7 convolution of stride 2 and max-pooling first.
 * BatchNorm is in inference mode with mean 0 and variance 1, its scale and shift are parameters.
 *
 * @returns {Model}
 */
export function resnet18() {
  const weights = new Weights(2);
  const unit = (/** @type {string} */ name, /** @type {readonly [number, number, number]} */ sizes) => {
    weights.convolution(`${name}.conv`, sizes);
    weights.normalization(`${name}.norm`, sizes[0]);
  };
  unit("stem", [64, 3, 7]);
  let channels = 64;
  STAGES.forEach(([size, stride], stage) => {
    for (const block of [0, 1]) {
      const name = `stage${stage + 1}.${block}`;
      unit(`${name}.first`, [size, channels, 3]);
      unit(`${name}.second`, [size, size, 3]);
      if (block === 0 && stride !== 1) unit(`${name}.shortcut`, [size, channels, 1]);
      channels = size;
    }
  });
  weights.linear("head", 512, 10);
  return functionModel({
    name: "ResNet-18",
    parameters: weights.parameters,
    inputs: { x: { dims: [3, 32, 32] } },
    apply: (p, { x }) => resnetOutput(p, x),
  });
}

/**
 * @param {Values} p
 * @param {Value} x
 */
function resnetOutput(p, x) {
  let y = relu(normalizedConv(p, "stem", { x, stride: 2 }));
  y = maxPool(y, { kernel: [3, 3], strides: [2, 2], padsBefore: [1, 1], padsAfter: [1, 1] });
  STAGES.forEach(([, firstStride], stage) => {
    for (const block of [0, 1]) {
      const name = `stage${stage + 1}.${block}`;
      const stride = block === 0 ? firstStride : 1;
      const inner = relu(normalizedConv(p, `${name}.first`, { x: y, stride }));
      const residual = normalizedConv(p, `${name}.second`, { x: inner, stride: 1 });
      const shortcut = stride === 1 ? y : normalizedConv(p, `${name}.shortcut`, { x: y, stride });
      y = relu(add(residual, shortcut));
    }
  });
  return linear(p, "head", mean(y, [2, 3]));
}

/**
 * Convolution that keeps the size but for its stride, then normalization by channel.
 *
 * @param {Values} p
 * @param {string} name
 * @param {{ x: Value, stride: number }} options
 */
function normalizedConv(p, name, { x, stride }) {
  const w = p[`${name}.conv.weight`];
  const pad = (w.shape[2] - 1) / 2;
  const y = conv(x, w, { strides: [stride, stride], padsBefore: [pad, pad], padsAfter: [pad, pad] });
  const channelwise = (/** @type {string} */ kind) => {
    const value = p[`${name}.norm.${kind}`];
    return reshape(value, [value.shape[0], 1, 1]);
  };
  const gain = mul(channelwise("weight"), scalar(1 / Math.sqrt(1 + 1e-5)));
  return add(mul(y, gain), channelwise("bias"));
}

const WIDTH = 64;
const HEADS = 4;
const POSITIONS = 50;
const FEATURES = 16;

/**
 * Transformer that classifies sequences: pre-norm blocks of width 64 with 4 heads, GELU and LayerNorm, sequences of 50
 * positions with 16 features, mean over positions before the last layer.
 *
 * @param {number} [blocks]
 * @returns {Model}
 */
export function transformer(blocks = 2) {
  const weights = new Weights(3);
  weights.linear("embed", FEATURES, WIDTH);
  for (let block = 0; block < blocks; block++) {
    for (const norm of ["norm1", "norm2"]) weights.normalization(`${block}.${norm}`, WIDTH);
    for (const name of ["query", "key", "value", "out"]) weights.linear(`${block}.${name}`, WIDTH, WIDTH);
    weights.linear(`${block}.up`, WIDTH, 4 * WIDTH);
    weights.linear(`${block}.down`, 4 * WIDTH, WIDTH);
  }
  weights.normalization("norm", WIDTH);
  weights.linear("head", WIDTH, 10);
  const position = constant({
    data: normalVector(uniformNumbers(4), POSITIONS * WIDTH, 0.1),
    dims: [POSITIONS, WIDTH],
  });
  return functionModel({
    name: "transformer classifier",
    parameters: weights.parameters,
    inputs: { x: { dims: [POSITIONS, FEATURES] } },
    apply(p, { x }) {
      let y = add(linear(p, "embed", x), position);
      for (let block = 0; block < blocks; block++) {
        y = add(y, attention(p, `${block}`, layerNorm(p, `${block}.norm1`, y)));
        const hidden = gelu(linear(p, `${block}.up`, layerNorm(p, `${block}.norm2`, y)));
        y = add(y, linear(p, `${block}.down`, hidden));
      }
      return linear(p, "head", mean(layerNorm(p, "norm", y), [1]));
    },
  });
}

/**
 * @param {Values} p
 * @param {string} name
 * @param {Value} x [rows, positions, width]
 */
function attention(p, name, x) {
  const [rows] = x.shape;
  const heads = (/** @type {string} */ which) =>
    permute(reshape(linear(p, `${name}.${which}`, x), [rows, POSITIONS, HEADS, WIDTH / HEADS]), [0, 2, 1, 3]);
  const scores = matmul(heads("query"), heads("key"), { transposeB: true });
  const shares = softmax(mul(scores, scalar(1 / Math.sqrt(WIDTH / HEADS))), 3);
  const mixed = permute(matmul(shares, heads("value")), [0, 2, 1, 3]);
  return linear(p, `${name}.out`, reshape(mixed, [rows, POSITIONS, WIDTH]));
}

/**
 * @param {Values} p
 * @param {string} name
 * @param {Value} x
 */
function layerNorm(p, name, x) {
  return add(mul(standardize(x), p[`${name}.weight`]), p[`${name}.bias`]);
}
