import { constant, scalar, type Value } from "../../../graph/index.ts";
import { broadcast, matmul, moveAxis, or, reshape, where } from "../../../primitives/index.ts";
import { sizeOf } from "../../../tensors/index.ts";
import {
  float,
  floats,
  type ImportedNode,
  int,
  ints,
  knownNumbers,
  operand,
  outputShape,
  string,
  unsupported,
} from "./importedNode.ts";
import { type InterpolationOptions, interpolation } from "./interpolation.ts";
import type { OperatorTraits } from "./traits.ts";

/**
 * Interpolation along each axis whose size changes, nearest, linear or cubic: a product with a constant matrix, in whose rows the
 * weights of the neighbours stand.
 */
export function Resize(node: ImportedNode): Value {
  return resized(node, { scales: knownNumbers(node, node.opset < 11 ? 1 : 2) ?? [] });
}
Resize.traits = {
  withoutDerivative: [1, 2],
  formSince: 11,
  sizedBy: [
    { position: 2, kind: "factors", type: "float32" },
    { position: 3, kind: "sizes", type: "int64" },
  ],
} satisfies OperatorTraits;

/** Resize under the name it had before opset 10. */
export function Upsample(node: ImportedNode): Value {
  return resized(node, { scales: knownNumbers(node, 1) ?? floats(node, "scales") });
}
Upsample.traits = {
  withoutDerivative: [1],
  formSince: 10,
  sizedBy: [{ position: 1, kind: "factors", type: "float32" }],
} satisfies OperatorTraits;

function resized(node: ImportedNode, { scales }: { readonly scales: readonly number[] }): Value {
  const x = operand(node, 0);
  const shape = outputShape(node);
  const axes = (ints(node, "axes") ?? x.shape.map((_, axis) => axis)).map((axis) =>
    axis < 0 ? axis + x.shape.length : axis,
  );
  const region = regions(node, axes.length);
  const given = scales.length > 0 ? scales : keptRatio(node, { x, axes });
  const crops = region !== undefined;
  let outside: Value | undefined;
  const result = axes.reduce((before, axis, i) => {
    const [from, to] = [x.shape[axis], shape[axis]];
    const factor = given?.[i] ?? to / from;
    if (from === to && factor === 1 && !crops) return before;
    const sizes = { from, to, scale: factor, ...(crops && { region: region[i] }) };
    const weights = weightsOf(node, sizes);
    const missing = crops ? rowsOfZeros(weights, to) : [];
    if (missing.some((row) => row === 1)) {
      const mask = constant({ data: Uint8Array.from(missing), dims: withSize(x.shape, axis, to), dtype: "bool" });
      outside = outside === undefined ? mask : or(outside, mask);
    }
    return along(before, { axis, to, weights });
  }, x);
  return outside === undefined ? result : where(outside, scalar(float(node, "extrapolation_value", 0)), result);
}

function withSize(shape: readonly number[], axis: number, size: number): number[] {
  return shape.map((_, i) => (i === axis ? size : 1));
}

/** 1 for the elements of the result that come from outside of the input. */
function rowsOfZeros(weights: Float64Array, rows: number): number[] {
  const columns = weights.length / rows;
  return Array.from({ length: rows }, (_, i) =>
    Number(weights.subarray(i * columns, (i + 1) * columns).every((weight) => weight === 0)),
  );
}

/** Start and end of the part that is looked at, along each axis, in parts of the whole; undefined in all modes but one. */
function regions(node: ImportedNode, count: number): (readonly [number, number])[] | undefined {
  if (string(node, "coordinate_transformation_mode", "") !== "tf_crop_and_resize") return undefined;
  const roi = knownNumbers(node, 1) ?? [];
  if (roi.length !== 2 * count) throw unsupported(node, "crops without saying where (roi)");
  return Array.from({ length: count }, (_, i) => [roi[i], roi[i + count]]);
}

/** The one scale of all axes, where sizes are asked for but the aspect ratio is to stay. */
function keptRatio(
  node: ImportedNode,
  { x, axes }: { readonly x: Value; readonly axes: readonly number[] },
): readonly number[] | undefined {
  const policy = string(node, "keep_aspect_ratio_policy", "stretch");
  const sizes = knownNumbers(node, 3);
  if (policy === "stretch" || sizes === undefined) return undefined;
  const ratios = axes.map((axis, i) => sizes[i] / x.shape[axis]);
  const ratio = policy === "not_larger" ? Math.min(...ratios) : Math.max(...ratios);
  return axes.map(() => ratio);
}

function weightsOf(
  node: ImportedNode,
  sizes: Pick<InterpolationOptions, "from" | "to" | "scale" | "region">,
): Float64Array {
  // Before opset 11 there was one transformation and one way to round.
  const old = node.opset < 11;
  const weights = interpolation({
    ...sizes,
    mode: string(node, "mode", "nearest"),
    transformation: old ? "asymmetric" : string(node, "coordinate_transformation_mode", "half_pixel"),
    rounding: old ? "floor" : string(node, "nearest_mode", "round_prefer_floor"),
    cubic: float(node, "cubic_coeff_a", -0.75),
    excludeOutside: int(node, "exclude_outside", 0) !== 0,
    antialias: int(node, "antialias", 0) !== 0,
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
