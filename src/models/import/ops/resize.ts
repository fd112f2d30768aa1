import { constant, type Value } from "../../../graph/index.ts";
import { broadcast, matmul, moveAxis, reshape } from "../../../primitives/index.ts";
import { sizeOf } from "../../../tensors/index.ts";
import {
  float,
  type ImportedNode,
  int,
  ints,
  knownNumbers,
  operand,
  outputShape,
  string,
  unsupported,
} from "../importedNode.ts";
import { type InterpolationOptions, interpolation } from "../interpolation.ts";

/**
 * Interpolation along each axis whose size changes, nearest, linear or cubic: a product with a constant matrix, in whose rows the
 * weights of the neighbours stand.
 */
export function Resize(node: ImportedNode): Value {
  return resized(node, { scales: knownNumbers(node, node.opset < 11 ? 1 : 2) ?? [] });
}

/** Resize under the name it had before opset 10. */
export function Upsample(node: ImportedNode): Value {
  return resized(node, { scales: knownNumbers(node, 1) ?? floats(node, "scales") });
}

function floats(node: ImportedNode, name: string): readonly number[] {
  const value = node.attributes[name];
  return value !== undefined && "floats" in value ? value.floats : [];
}

function resized(node: ImportedNode, { scales }: { readonly scales: readonly number[] }): Value {
  const x = operand(node, 0);
  const shape = outputShape(node);
  if (int(node, "antialias", 0) !== 0) throw unsupported(node, "smoothes while it shrinks (antialias)");
  if (string(node, "keep_aspect_ratio_policy", "stretch") !== "stretch")
    throw unsupported(node, "keeps the aspect ratio");
  const axes = ints(node, "axes") ?? x.shape.map((_, axis) => axis);
  return axes.reduce((result, given, i) => {
    const axis = given < 0 ? given + x.shape.length : given;
    const [from, to] = [x.shape[axis], shape[axis]];
    const scale = scales[i] ?? to / from;
    return from === to && scale === 1
      ? result
      : along(result, { axis, to, weights: weightsOf(node, { from, to, scale }) });
  }, x);
}

function weightsOf(node: ImportedNode, sizes: Pick<InterpolationOptions, "from" | "to" | "scale">): Float64Array {
  // Before opset 11 there was one transformation and one way to round.
  const old = node.opset < 11;
  const weights = interpolation({
    ...sizes,
    mode: string(node, "mode", "nearest"),
    transformation: old ? "asymmetric" : string(node, "coordinate_transformation_mode", "half_pixel"),
    rounding: old ? "floor" : string(node, "nearest_mode", "round_prefer_floor"),
    cubic: float(node, "cubic_coeff_a", -0.75),
    excludeOutside: int(node, "exclude_outside", 0) !== 0,
  });
  if (weights === undefined) {
    const form = [string(node, "mode", "nearest"), string(node, "coordinate_transformation_mode", "half_pixel")];
    throw unsupported(node, `interpolates in mode "${form[0]}" with coordinates "${form[1]}"`);
  }
  return weights;
}

function along(
  x: Value,
  { axis, to, weights }: { readonly axis: number; readonly to: number; readonly weights: Float64Array },
): Value {
  const from = x.shape[axis];
  const factor = to / from;
  const repeats = weights.every(
    (weight, i) => weight === Number(Math.floor(Math.floor(i / from) / factor) === i % from),
  );
  const shape = x.shape.map((dim, i) => (i === axis ? to : dim));
  if (Number.isInteger(factor) && repeats) {
    const split = reshape(x, [...x.shape.slice(0, axis + 1), 1, ...x.shape.slice(axis + 1)]);
    return reshape(broadcast(split, [...x.shape.slice(0, axis + 1), factor, ...x.shape.slice(axis + 1)]), shape);
  }
  const last = x.shape.length - 1;
  const rows = reshape(moveAxis(x, axis, last), [sizeOf(x.shape) / from, from]);
  const product = matmul(rows, constant({ data: weights, dims: [to, from] }), { transposeB: true });
  return moveAxis(reshape(product, [...x.shape.filter((_, i) => i !== axis), to]), last, axis);
}
