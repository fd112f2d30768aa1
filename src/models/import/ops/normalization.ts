import { areOperationsApart, constant, normalizeAxis, scalar, type Value } from "../../../graph/index.ts";
import {
  abs,
  add,
  cast,
  div,
  gather,
  greater,
  inverseDeviation,
  matmul,
  mean,
  mul,
  pow,
  range,
  reduceSum,
  reduceSumKeeping,
  reshape,
  scale,
  sqrt,
  square,
  standardize,
  sub,
  where,
  withOnes,
  zeros,
} from "../../../primitives/index.ts";
import { sizeOf } from "../../../tensors/index.ts";
import { float, type ImportedNode, int, ints, operand, unsupported } from "./importedNode.ts";
import { safeRoot } from "./reduce.ts";
import type { OperatorTraits } from "./traits.ts";

/**
 * Normalization of each channel by stored mean and variance, `(x - mean) / sqrt(variance + epsilon) scale + bias`: the
 * inference form, in which mean and variance are constants.
 */
export function BatchNormalization(node: ImportedNode): Value {
  const x = operand(node, 0);
  // Before opset 9, `spatial = 0` gave every position its own statistics, of shape x.shape without rows.
  const channelwise = (value: Value) =>
    value.shape.length === 1 ? reshape(value, [...value.shape, ...x.shape.slice(2).map(() => 1)]) : value;
  const [gain, bias, center, variance] = [1, 2, 3, 4].map((i) => channelwise(operand(node, i)));
  const deviation = sqrt(add(variance, scalar(float(node, "epsilon", 1e-5))));
  const centered = sub(x, center);
  // Fewer passes over x, unless the gain is to be seen where it enters.
  const scaled = areOperationsApart() ? mul(div(centered, deviation), gain) : mul(centered, div(gain, deviation));
  return add(scaled, bias);
}
BatchNormalization.traits = {
  normalizes: true,
  roles: [undefined, "scale", "bias", "statistics", "statistics"],
} satisfies OperatorTraits;

/** Mean 0 and variance 1 over the axes from `axis` on, then scale and bias; also the mean and 1 / deviation that were used. */
export function LayerNormalization(node: ImportedNode): readonly Value[] {
  const x = operand(node, 0);
  const { normal, average, inverse } = standardized(x, {
    axes: axesFrom(node, x),
    epsilon: float(node, "epsilon", 1e-5),
  });
  const bias = node.inputs[2];
  const scaled = mul(normal, operand(node, 1));
  return [bias === undefined ? scaled : add(scaled, bias), average, inverse];
}
LayerNormalization.traits = { normalizes: true, roles: [undefined, "scale", "bias"] } satisfies OperatorTraits;

/** x over the root of its mean square over the axes from `axis` on, times scale. */
export function RMSNormalization(node: ImportedNode): Value {
  return rootMeanSquare(node)[0];
}
RMSNormalization.traits = { normalizes: true, roles: [undefined, "scale"] } satisfies OperatorTraits;

/** RMSNormalization under the name that ONNX Runtime gives it, with 1 / root mean square as second output. */
export function SimplifiedLayerNormalization(node: ImportedNode): readonly Value[] {
  return rootMeanSquare(node);
}
SimplifiedLayerNormalization.traits = {
  microsoft: true,
  normalizes: true,
  roles: [undefined, "scale"],
} satisfies OperatorTraits;

/**
 * Mean 0 and variance 1 over some axes, `(x - mean) / (deviation + 1e-9)`; where the deviation is 0 it has derivative 0.
 */
export function MeanVarianceNormalization(node: ImportedNode): Value {
  const x = operand(node, 0);
  const axes = (ints(node, "axes") ?? [0, 2, 3]).map((axis) => normalizeAxis(node.op, axis, x.shape.length));
  const centered = sub(x, meanKeeping(x, axes));
  const deviation = safeRoot(meanKeeping(square(centered), axes));
  return div(centered, add(deviation, scalar(1e-9)));
}
MeanVarianceNormalization.traits = { normalizes: true } satisfies OperatorTraits;

/**
 * x over its norm along an axis, the sum of magnitudes or the root of the sum of squares; 0 with derivative 0 where the norm
 * is 0 (PyTorch's `normalize` divides by 1e-12 there).
 */
export function LpNormalization(node: ImportedNode): Value {
  const x = operand(node, 0);
  const axis = normalizeAxis(node.op, int(node, "axis", -1), x.shape.length);
  const norm =
    int(node, "p", 2) === 1 ? reduceSumKeeping(abs(x), [axis]) : safeRoot(reduceSumKeeping(square(x), [axis]));
  const positive = greater(norm, scalar(0));
  return where(positive, div(x, where(positive, norm, scalar(1))), scalar(0));
}
LpNormalization.traits = { normalizes: true } satisfies OperatorTraits;

/**
 * x over `(bias + alpha / size s)^beta`, with the sum s of squares over `size` neighbouring channels: a product with a
 * matrix of zeros and ones.
 */
export function LRN(node: ImportedNode): Value {
  const x = operand(node, 0);
  const [rows, channels, ...positions] = x.shape;
  const size = int(node, "size", 1);
  const [before, after] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
  const near = Float32Array.from({ length: channels ** 2 }, (_, i) => {
    const ahead = (i % channels) - Math.floor(i / channels);
    return Number(ahead >= -before && ahead <= after);
  });
  const squares = reshape(square(x), [rows, channels, sizeOf(positions)]);
  const sums = reshape(matmul(constant({ data: near, dims: [channels, channels] }), squares), x.shape);
  const base = add(scalar(float(node, "bias", 1)), scale(sums, float(node, "alpha", 1e-4) / size));
  return mul(x, pow(base, -float(node, "beta", 0.75)));
}

/**
 * LayerNormalization of the sum of two tensors and perhaps a bias; the fourth output is the sum (ONNX Runtime's own).
 */
export function SkipLayerNormalization(node: ImportedNode): readonly Value[] {
  const [gain, shift, bias] = [operand(node, 2), node.inputs[3], node.inputs[4]];
  const sum = skipSum(node, bias);
  const last = sum.shape.length - 1;
  const { normal, average, inverse } = standardized(sum, { axes: [last], epsilon: float(node, "epsilon", 1e-12) });
  const scaled = mul(normal, gain);
  return [shift === undefined ? scaled : add(scaled, shift), average, inverse, sum];
}
SkipLayerNormalization.traits = {
  microsoft: true,
  normalizes: true,
  roles: [undefined, undefined, "scale", "bias", "bias"],
} satisfies OperatorTraits;

/** SimplifiedLayerNormalization of the sum of two tensors and perhaps a bias; the fourth output is the sum. */
export function SkipSimplifiedLayerNormalization(node: ImportedNode): readonly (Value | undefined)[] {
  const sum = skipSum(node, node.inputs[3]);
  const meanSquare = meanKeeping(square(sum), [sum.shape.length - 1]);
  const inverse = div(scalar(1), sqrt(add(meanSquare, scalar(float(node, "epsilon", 1e-12)))));
  return [mul(mul(sum, inverse), operand(node, 2)), undefined, inverse, sum];
}
SkipSimplifiedLayerNormalization.traits = {
  microsoft: true,
  normalizes: true,
  roles: [undefined, undefined, "scale", "bias"],
} satisfies OperatorTraits;

function skipSum(node: ImportedNode, bias: Value | undefined): Value {
  const sum = add(operand(node, 0), operand(node, 1));
  return bias === undefined ? sum : add(sum, bias);
}

/**
 * Sum of the rows of three tables (words, positions, segments) by integers, normalized as by LayerNormalization; the third
 * output is the sum (ONNX Runtime's own). Positions are 0, 1, ... where none are given.
 */
export function EmbedLayerNormalization(node: ImportedNode): readonly (Value | undefined)[] {
  const tokens = operand(node, 0);
  const [rows, length] = tokens.shape;
  const [segments, segmentTable, mask] = [node.inputs[1], node.inputs[4], node.inputs[7]];
  const positions = node.inputs[8] ?? reshape(range(length), [1, length]);
  const placed = gather(operand(node, 3), positions, 0);
  const known = add(gather(operand(node, 2), tokens, 0), placed);
  const sum =
    segments === undefined || segmentTable === undefined ? known : add(known, gather(segmentTable, segments, 0));
  const { normal } = standardized(sum, { axes: [2], epsilon: float(node, "epsilon", 1e-12) });
  const lengths = mask === undefined ? zeros([rows]) : reduceSum(cast(mask, "float"), [1]);
  return [add(mul(normal, operand(node, 5)), operand(node, 6)), cast(lengths, "int32"), sum];
}
EmbedLayerNormalization.traits = {
  microsoft: true,
  normalizes: true,
  roles: [undefined, undefined, "table", "table", "table", "scale", "bias"],
} satisfies OperatorTraits;

function rootMeanSquare(node: ImportedNode): readonly [Value, Value] {
  const x = operand(node, 0);
  const meanSquare = meanKeeping(square(x), axesFrom(node, x));
  const inverse = div(scalar(1), sqrt(add(meanSquare, scalar(float(node, "epsilon", 1e-5)))));
  return [mul(mul(x, inverse), operand(node, 1)), inverse];
}

/** Mean 0 and variance 1 over the positions of each channel of each row, then scale and bias of the channel. */
export function InstanceNormalization(node: ImportedNode): Value {
  const x = operand(node, 0);
  const axes = x.shape.map((_, axis) => axis).slice(2);
  const { normal } = standardized(x, { axes, epsilon: float(node, "epsilon", 1e-5) });
  const channelwise = (value: Value) => reshape(value, [...value.shape, ...axes.map(() => 1)]);
  return add(mul(normal, channelwise(operand(node, 1))), channelwise(operand(node, 2)));
}
InstanceNormalization.traits = {
  normalizes: true,
  requiresAffine: true,
  roles: [undefined, "scale", "bias"],
} satisfies OperatorTraits;

/**
 * Mean 0 and variance 1 over each group of channels of each row, then scale and bias: of the channel from opset 21 on, of
 * the group before.
 */
export function GroupNormalization(node: ImportedNode): Value {
  const x = operand(node, 0);
  const groups = int(node, "num_groups", 0);
  const [rows, channels, ...positions] = x.shape;
  if (!(groups > 0) || channels % groups !== 0) {
    throw unsupported(node, `divides ${channels} channels into ${groups} groups`);
  }
  const members = channels / groups;
  const grouped = reshape(x, [rows, groups, members, sizeOf(positions)]);
  const { normal } = standardized(grouped, { axes: [2, 3], epsilon: float(node, "epsilon", 1e-5) });
  const spread = (value: Value) => reshape(value, node.opset >= 21 ? [groups, members, 1] : [groups, 1, 1]);
  return reshape(add(mul(normal, spread(operand(node, 1))), spread(operand(node, 2))), x.shape);
}
GroupNormalization.traits = { normalizes: true, roles: [undefined, "scale", "bias"] } satisfies OperatorTraits;

function axesFrom(node: ImportedNode, x: Value): number[] {
  const first = normalizeAxis(node.op, int(node, "axis", -1), x.shape.length);
  return x.shape.map((_, axis) => axis).slice(first);
}

/** Mean 0 and variance 1 over some axes, the last ones; with the mean and 1 / deviation that were used. */
function standardized(
  x: Value,
  { axes, epsilon }: { readonly axes: readonly number[]; readonly epsilon: number },
): { readonly normal: Value; readonly average: Value; readonly inverse: Value } {
  const over = { trailing: axes.length, epsilon };
  return { normal: standardize(x, over), average: meanKeeping(x, axes), inverse: inverseDeviation(x, over) };
}

function meanKeeping(x: Value, axes: readonly number[]): Value {
  return reshape(mean(x, axes), withOnes(x.shape, axes));
}
