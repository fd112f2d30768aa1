import { CurvatureError } from "../../errors/index.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { formatDims, sizeOf, type Vector } from "../../tensors/index.ts";
import { checkGrid, nearestLevel, type RoundingScheme, type UniformGrid, uniformGrid } from "../uniformGrid.ts";
import { leastSquaresGrid } from "./leastSquaresGrid.ts";
import { roundToFloat16 } from "./roundToFloat16.ts";

/** How the weights of a network are rounded, whatever the number of bits. */
export interface QuantizerOptions {
  /** "symmetric", the default: levels -(2^(b-1) - 1), ..., 2^(b-1) - 1. "asymmetric": 2^b levels with a whole zero point. Both represent 0. */
  readonly scheme?: RoundingScheme | undefined;
  /**
   * "max", the default: the grid spans all weights. "mse": the step with the least squared error among 96 shares of that one, each improved by
   * least squares; weights beyond the grid are clipped to its ends.
   */
  readonly scale?: "max" | "mse" | undefined;
}

/** Options of `quantizeTensor`. */
export interface QuantizeTensorOptions extends QuantizerOptions {
  readonly dims: readonly number[];
  /** Bits of one weight: 2 to 8, or 16 for float16. */
  readonly bits: number;
  /** Axis each of whose indices has a step of its own; default: one step for the whole tensor. Without effect for float16. */
  readonly axis?: number | undefined;
}

/** A tensor of weights on a uniform grid, or in float16. */
export interface QuantizedTensor {
  readonly dims: readonly number[];
  readonly bits: number;
  readonly scheme: RoundingScheme;
  /** Axis of the steps; absent where one step serves the whole tensor. */
  readonly axis?: number;
  /** The rounded weights `step * level`, row-major, in the precision of those given. */
  readonly values: Vector;
  /** Whole levels of the weights; empty for float16. A file stores `level + zeroPoint`. */
  readonly levels: Int32Array;
  /** Steps: one, or one for each index of `axis`; empty for float16. 0 where all weights are 0. */
  readonly steps: Float64Array;
  /** The stored integer that means 0, for each step; 0 for "symmetric". */
  readonly zeroPoints: Int32Array;
  /** Sum of the squared rounding errors, `|Q(w) - w|^2`. */
  readonly squaredError: number;
}

const NAME = "quantizeTensor";

/** The largest number of bits of a grid. */
export const MOST_BITS = 8;

/** The number of bits that stands for float16. */
export const FLOAT16_BITS = 16;

/**
 * Rounds the weights of one tensor to b bits: `step round(w / step)`, halves to even, as ONNX `QuantizeLinear` rounds, with one step for the
 * tensor or one for each index of an axis. Steps of float32 weights are float32 numbers, as files store them. Time is linear in the number of
 * weights, about 200 times as long with scale "mse".
 *
 * @throws CurvatureError "argument" for bits, axes or names out of range, "shape" where weights and dimensions do not fit
 */
export function quantizeTensor(weights: Vector, options: QuantizeTensorOptions): QuantizedTensor {
  checkOptions(NAME, options, "dims bits axis scheme scale");
  const { dims, bits, scheme = "symmetric", axis } = options;
  checkQuantizer(NAME, { ...options, bits: [bits] });
  checkPlace(weights, { dims, axis });
  if (bits === FLOAT16_BITS) return float16Tensor(weights, { dims, scheme });
  const grids = gridsOf(weights, options);
  return tensorOn(grids, weights, { dims, bits, scheme, ...(axis !== undefined && { axis }) });
}

/**
 * Refuses bits, schemes and scales that no quantizer has.
 *
 * @throws CurvatureError "argument"
 */
export function checkQuantizer(
  name: string,
  { bits, scheme = "symmetric", scale = "max" }: QuantizerOptions & { readonly bits: readonly number[] },
): void {
  for (const each of bits) {
    if (each === FLOAT16_BITS) continue;
    if (!(Number.isInteger(each) && each >= 2 && each <= MOST_BITS)) {
      throw new CurvatureError(
        "argument",
        `${name} expects bits from 2 to ${MOST_BITS}, or ${FLOAT16_BITS} for float16, got ${String(each)}`,
      );
    }
  }
  checkGrid(name, { bits: 2, scheme, most: MOST_BITS });
  if (scale === "max" || scale === "mse") return;
  throw new CurvatureError("argument", `${name} expects scale "max" or "mse", got ${String(scale)}`);
}

function checkPlace(
  weights: Vector,
  { dims, axis }: { readonly dims: readonly number[]; readonly axis: number | undefined },
): void {
  if (weights.length !== sizeOf(dims)) {
    throw new CurvatureError(
      "shape",
      `${NAME} expects ${sizeOf(dims)} weights for dimensions ${formatDims(dims)}, got ${weights.length}`,
    );
  }
  if (axis === undefined || (Number.isInteger(axis) && axis >= 0 && axis < dims.length)) return;
  throw new CurvatureError(
    "argument",
    `${NAME} expects axis from 0 to ${dims.length - 1} for dimensions ${formatDims(dims)}, got ${String(axis)}`,
  );
}

function float16Tensor(weights: Vector, { dims, scheme }: Pick<QuantizedTensor, "dims" | "scheme">): QuantizedTensor {
  const values = weights.map((weight) => roundToFloat16(weight));
  const lost = values.findIndex((value) => !Number.isFinite(value));
  if (lost >= 0) {
    throw new CurvatureError(
      "argument",
      `${NAME} cannot store ${weights[lost]} in float16, whose largest number is 65504; choose 2 to ${MOST_BITS} bits`,
    );
  }
  return {
    dims,
    bits: FLOAT16_BITS,
    scheme,
    values,
    levels: new Int32Array(0),
    steps: new Float64Array(0),
    zeroPoints: new Int32Array(0),
    squaredError: squaredDistance(values, weights),
  };
}

/** Strides of the channels of an axis: the entry at (o, c, i) of [outer, channels, inner] has channel c. */
export function channelsOf(dims: readonly number[], axis: number | undefined): (entry: number) => number {
  if (axis === undefined) return () => 0;
  const inner = sizeOf(dims.slice(axis + 1));
  const channels = dims[axis]!;
  return (entry) => Math.floor(entry / inner) % channels;
}

/** The grids of a tensor, one for each channel. */
export function gridsOf(weights: Vector, options: QuantizeTensorOptions): readonly UniformGrid[] {
  const { dims, bits, axis, scheme = "symmetric", scale = "max" } = options;
  const narrow = weights instanceof Float32Array;
  return channelWeights(weights, { dims, axis }).map((own) => {
    const spanning = uniformGrid(own, { bits, scheme });
    const grid = scale === "mse" ? leastSquaresGrid(own, spanning) : spanning;
    return narrow ? { ...grid, step: Math.fround(grid.step) } : grid;
  });
}

function channelWeights(
  weights: Vector,
  { dims, axis }: { readonly dims: readonly number[]; readonly axis: number | undefined },
): readonly Float64Array[] {
  const channel = channelsOf(dims, axis);
  const count = axis === undefined ? 1 : dims[axis]!;
  const parts = Array.from({ length: count }, () => new Float64Array(weights.length / count));
  const filled = new Int32Array(count);
  weights.forEach((weight, entry) => {
    const c = channel(entry);
    parts[c]![filled[c]!++] = weight;
  });
  return parts;
}

/** The weights on grids, one for each channel: rounded to the nearest points, or at the levels given. Errors are distances to the weights. */
export function tensorOn(
  grids: readonly UniformGrid[],
  weights: Vector,
  {
    levels: given,
    ...shape
  }: Pick<QuantizedTensor, "dims" | "bits" | "scheme" | "axis"> & { readonly levels?: Int32Array },
): QuantizedTensor {
  const channel = channelsOf(shape.dims, shape.axis);
  const levels = given ?? Int32Array.from(weights, (weight, i) => nearestLevel(weight, grids[channel(i)]!));
  const values = weights.map((_, i) => grids[channel(i)]!.step * levels[i]!);
  return {
    ...shape,
    values,
    levels,
    steps: Float64Array.from(grids, ({ step }) => step),
    zeroPoints: Int32Array.from(grids, ({ from }) => (shape.scheme === "symmetric" ? 0 : -from)),
    squaredError: squaredDistance(values, weights),
  };
}

function squaredDistance(a: Vector, b: Vector): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum;
}
