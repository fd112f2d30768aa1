import { normalizeAxis, scalar, type Value } from "../../../graph/index.ts";
import { add, div, mean, mul, reshape, sqrt, square, sub, withOnes } from "../../../primitives/index.ts";
import { sizeOf } from "../../../tensors/index.ts";
import { float, type ImportedNode, int, operand, unsupported } from "../importedNode.ts";

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
  return add(mul(sub(x, center), div(gain, deviation)), bias);
}

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

/** x over the root of its mean square over the axes from `axis` on, times scale. */
export function RMSNormalization(node: ImportedNode): Value {
  return rootMeanSquare(node)[0];
}

/** RMSNormalization under the name that ONNX Runtime gives it, with 1 / root mean square as second output. */
export function SimplifiedLayerNormalization(node: ImportedNode): readonly Value[] {
  return rootMeanSquare(node);
}

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

function axesFrom(node: ImportedNode, x: Value): number[] {
  const first = normalizeAxis(node.op, int(node, "axis", -1), x.shape.length);
  return x.shape.map((_, axis) => axis).slice(first);
}

/** (x - mean) / deviation, with the variance taken of what is centered already: no difference of large squares. */
function standardized(
  x: Value,
  { axes, epsilon }: { readonly axes: readonly number[]; readonly epsilon: number },
): { readonly normal: Value; readonly average: Value; readonly inverse: Value } {
  const average = meanKeeping(x, axes);
  const centered = sub(x, average);
  const inverse = div(scalar(1), sqrt(add(meanKeeping(square(centered), axes), scalar(epsilon))));
  return { normal: mul(centered, inverse), average, inverse };
}

function meanKeeping(x: Value, axes: readonly number[]): Value {
  return reshape(mean(x, axes), withOnes(x.shape, axes));
}
