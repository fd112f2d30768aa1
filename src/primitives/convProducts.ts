import { constant, type Shape, type Value } from "../graph/index.ts";
import { sizeOf } from "../tensors/index.ts";
import { mul } from "./arithmetic.ts";
import { reduceSum } from "./broadcast.ts";
import { matmul } from "./matmul.ts";
import { permute, reshape } from "./movement.ts";
import { concat, slice } from "./slice.ts";
import { fold, padSpatial, unfold, type Windows, windowOffsets, windowSlices } from "./windows.ts";

/*
 * The three maps of a convolution as matrix products. With U the windows of the input x and W the weights, in their own layout
 * a matrix of as many columns as a window has elements, the convolution is U W', its transpose in x puts C W back where the
 * windows were read, its transpose in W is C' U, for the outputs or their cotangents C.
 */

/** Windows of a convolution whose channels fall into groups. */
export interface ConvWindows extends Windows {
  readonly groups: number;
}

/** [g, n / g], or [n] for one group, where fewer axes make faster products. */
function perGroup({ groups }: ConvWindows, n: number): number[] {
  return groups === 1 ? [n] : [groups, n / groups];
}

/** Weights [O, C / g, ...kernel] as matrices [O, C / g P], one a group. */
function weightMatrix(w: Value, windows: ConvWindows): Value {
  const [O, members, ...kernel] = w.shape;
  return reshape(w, [...perGroup(windows, O), members * sizeOf(kernel)]);
}

/** Windows as columns, [N, g, C / g P, L] where L counts windows; without the axis of groups if there is one. */
function columns(x: Value, windows: ConvWindows): Value {
  const unfolded = unfold(x, windows);
  const [N, C, P, ...counts] = unfolded.shape;
  return reshape(unfolded, [N, ...perGroup(windows, C * P), sizeOf(counts)]);
}

/** y = W columns(x), of the given shape. */
export function convByColumns(x: Value, w: Value, { windows, shape }: Request): Value {
  return reshape(matmul(weightMatrix(w, windows), columns(x, windows)), shape);
}

/** Windows and the shape of the result. */
interface Request {
  readonly windows: ConvWindows;
  readonly shape: Shape;
}

/** x = fold(W' c). */
export function inputTransposeByColumns(c: Value, w: Value, { windows, shape }: Request): Value {
  const [N, O, ...counts] = c.shape;
  const outputs = reshape(c, [N, ...perGroup(windows, O), sizeOf(counts)]);
  const seen = matmul(weightMatrix(w, windows), outputs, { transposeA: true });
  const parts = reshape(seen, [N, shape[1], sizeOf(windows.kernel), ...counts]);
  return fold(parts, { ...windows, spatial: shape.slice(2) });
}

/** W = sum over n of c[n] columns(x[n])'. */
export function weightTransposeByColumns(x: Value, c: Value, { windows, shape }: Request): Value {
  const [N, O, ...counts] = c.shape;
  const outputs = reshape(c, [N, ...perGroup(windows, O), sizeOf(counts)]);
  const products = matmul(outputs, columns(x, windows), { transposeB: true });
  return reshape(reduceSum(products, [0]), shape);
}

/** One channel a group: sums of elementwise products, for each position in a window. */
export function weightTransposeDepthwise(x: Value, c: Value, { windows, shape }: Request): Value {
  const [, O, ...counts] = c.shape;
  const summed = [0, ...counts.map((_, axis) => axis + 2)];
  const sums = windowSlices(padSpatial(x, windows), windows, counts).map((part) =>
    reshape(reduceSum(mul(part, c), summed), [O, 1]),
  );
  return reshape(concat(sums, 1), shape);
}

/** One product [O, N L] [N L, C] for each position in a window: the batch is summed over within the product. */
export function weightTransposeByPositions(x: Value, c: Value, { windows, shape }: Request): Value {
  const swapFirst = (value: Value) => permute(value, [1, 0, ...value.shape.map((_, axis) => axis).slice(2)]);
  const [N, O, ...counts] = c.shape;
  const members = shape[1];
  const outputs = reshape(swapFirst(c), [...perGroup(windows, O), N * sizeOf(counts)]);
  const products = windowSlices(padSpatial(swapFirst(x), windows), windows, counts).map((part) => {
    const inputs = reshape(part, [...perGroup(windows, part.shape[0]), N * sizeOf(counts)]);
    return reshape(matmul(outputs, inputs, { transposeB: true }), [O, members, 1]);
  });
  return reshape(concat(products, 2), shape);
}

/**
 * The convolution of the images with the cotangents as kernels: images count as channels there and channels as images, strides and
 * dilations change places. One operation however many positions a window has.
 */
export function weightTransposeByConvolution(
  x: Value,
  c: Value,
  { windows, shape, convolve }: Request & { readonly convolve: Convolve },
): Value {
  const { groups, kernel, strides, dilations, padsBefore, padsAfter } = windows;
  const [N, C, ...spatial] = x.shape;
  const members = shape[1];
  const axes = spatial.map((_, axis) => axis);
  const apart = reshape(x, [N, groups, C / groups, ...spatial]);
  const images = permute(apart, [2, 1, 0, ...axes.map((axis) => axis + 3)]);
  const kernels = permute(c, [1, 0, ...axes.map((axis) => axis + 2)]);
  // The remainder of an axis that the strides do not reach would give further positions.
  const counts = c.shape.slice(2);
  const needed = axes.map((axis) => (kernel[axis] - 1) * dilations[axis] + (counts[axis] - 1) * strides[axis] + 1);
  const rest = axes.map((axis) => spatial[axis] + padsBefore[axis] + padsAfter[axis] - needed[axis]);
  const result = convolve(reshape(images, [members, groups * N, ...spatial]), kernels, {
    strides: dilations,
    dilations: strides,
    padsBefore,
    padsAfter: padsAfter.map((after, axis) => Math.max(after - rest[axis], 0)),
    groups,
  });
  const positions = kernel.reduce((value, limit, axis) => slice(value, { axis: axis + 2, start: 0, limit }), result);
  return permute(positions, [1, 0, ...axes.map((axis) => axis + 2)]);
}

/** The convolution of x and w. */
type Convolve = (x: Value, w: Value, options: Omit<ConvWindows, "kernel">) => Value;

/** Sizes of the two maps and their channels. */
interface MapSizes {
  readonly spatial: Shape;
  readonly counts: Shape;
  readonly channels: number;
  readonly outputs: number;
}

/**
 * Whether the transpose in the weights is faster with windows as rows of one matrix than position by position. Windows are read
 * by products with 0 and 1, whose cost grows with the sizes of both maps; nothing is gained where there is nothing to read (one
 * element a window) and images are not tiny.
 */
export function weightRowsPay({ kernel, strides, groups }: ConvWindows, sizes: MapSizes): boolean {
  const [pixels, L] = [sizes.spatial, sizes.counts].map(sizeOf);
  if (pixels * L > 1024 || sizes.channels / groups < 8) return false;
  return sizeOf(kernel) > 1 || L <= 4 || (strides.some((stride) => stride > 1) && pixels <= 16);
}

/**
 * Whether a convolution and its transpose in the input are faster with windows as rows than by the engine's convolution, which
 * multiplies image by image and so has few columns a product on small maps. It has enough on medium ones, unless output channels
 * are so many that reading the windows costs little beside the product.
 */
export function rowsPay(windows: ConvWindows, sizes: MapSizes): boolean {
  const pixels = sizeOf(sizes.spatial);
  return weightRowsPay(windows, sizes) && (pixels <= 25 || 2 * pixels <= sizes.outputs / windows.groups);
}

/** y = U W', of the given shape. */
export function convByRows(x: Value, w: Value, { windows, shape }: Request): Value {
  const rows = matmul(windowRows(x, windows, shape.slice(2)), weightMatrix(w, windows), { transposeB: true });
  return fromChannelRows(rows, shape, windows);
}

/** x = sum over windows of the products C W. */
export function inputTransposeByRows(c: Value, w: Value, { windows, shape }: Request): Value {
  const seen = matmul(channelRows(c, windows), weightMatrix(w, windows));
  return foldRows(joinGroups(seen, windows), { windows, shape, counts: c.shape.slice(2) });
}

/** W = C' U. */
export function weightTransposeByRows(x: Value, c: Value, { windows, shape }: Request): Value {
  const rows = windowRows(x, windows, c.shape.slice(2));
  return reshape(matmul(channelRows(c, windows), rows, { transposeA: true }), shape);
}

/** [R, g m] as [g, R, m]; unchanged for one group. */
function splitGroups(rows: Value, { groups }: ConvWindows): Value {
  const [R, n] = rows.shape;
  return groups === 1 ? rows : permute(reshape(rows, [R, groups, n / groups]), [1, 0, 2]);
}

/** Undoes `splitGroups`. */
function joinGroups(rows: Value, { groups }: ConvWindows): Value {
  if (groups === 1) return rows;
  const [, R, m] = rows.shape;
  return reshape(permute(rows, [1, 0, 2]), [R, groups * m]);
}

/** [N, O, ...counts] as [L N, O], one matrix a group. */
function channelRows(c: Value, windows: ConvWindows): Value {
  const [N, O, ...counts] = c.shape;
  const L = sizeOf(counts);
  return splitGroups(reshape(permute(reshape(c, [N, O, L]), [2, 0, 1]), [L * N, O]), windows);
}

/** Undoes `channelRows`. A product with the identity is a transpose that the engine does not make slower by merging it. */
function fromChannelRows(rows: Value, shape: Shape, windows: ConvWindows): Value {
  const [N, O, ...counts] = shape;
  const L = sizeOf(counts);
  const places = reshape(joinGroups(rows, windows), [L, N * O]);
  if (L === 1) return reshape(places, shape);
  const identity = Float64Array.from({ length: L * L }, (_, i) => (i % (L + 1) === 0 ? 1 : 0));
  return reshape(matmul(places, constant({ data: identity, dims: [L, L] }), { transposeA: true }), shape);
}

/** Windows as rows, [L N, C P], one matrix a group: each window's elements are picked from all pixels by a product. */
function windowRows(x: Value, windows: ConvWindows, counts: Shape): Value {
  const [N, C, ...spatial] = x.shape;
  if (isPixelwise(windows)) return channelRows(x, windows);
  const [pixels, L, P] = [spatial, counts, windows.kernel].map(sizeOf);
  const picked = isWhole(windows, spatial)
    ? x
    : matmul(reshape(x, [1, N * C, pixels]), selectors(windows, { spatial, counts, pixelsLast: false }));
  return splitGroups(reshape(picked, [L * N, C * P]), windows);
}

/** The transpose of `windowRows` for one matrix of all groups, [L N, C P] -> [N, C, ...spatial]. */
function foldRows(rows: Value, { windows, shape, counts }: Request & { readonly counts: Shape }): Value {
  const [N, C, ...spatial] = shape;
  if (isPixelwise(windows)) return fromChannelRows(rows, shape, { ...windows, groups: 1 });
  if (isWhole(windows, spatial)) return reshape(rows, shape);
  const [pixels, L, P] = [spatial, counts, windows.kernel].map(sizeOf);
  const parts = reshape(rows, [L, N * C, P]);
  const all = selectors(windows, { spatial, counts, pixelsLast: true });
  // Adding up all windows' images is cheaper than gathering the windows' elements where there are few pixels.
  if (pixels <= 2 * P) return reshape(reduceSum(matmul(parts, all), [0]), shape);
  return reshape(matmul(reshape(permute(parts, [1, 0, 2]), [N * C, L * P]), reshape(all, [L * P, pixels])), shape);
}

/** Whether windows are single pixels, one for each. */
function isPixelwise({ kernel, strides, padsBefore, padsAfter }: Windows): boolean {
  return [...kernel, ...strides].every((n) => n === 1) && [...padsBefore, ...padsAfter].every((n) => n === 0);
}

/** Whether there is one window, which is the whole image. */
function isWhole({ kernel, dilations, padsBefore, padsAfter }: Windows, spatial: Shape): boolean {
  return (
    kernel.every((size, axis) => size === spatial[axis] && (size === 1 || dilations[axis] === 1)) &&
    [...padsBefore, ...padsAfter].every((n) => n === 0)
  );
}

/** For each window which pixel (1) is at which of its positions: [L, pixels, P], or [L, P, pixels]. */
function selectors(
  { kernel, strides, dilations, padsBefore }: Windows,
  layout: { readonly spatial: Shape; readonly counts: Shape; readonly pixelsLast: boolean },
): Value {
  const { spatial, counts, pixelsLast } = layout;
  const [pixels, L, P] = [spatial, counts, kernel].map(sizeOf);
  const data = new Float64Array(L * pixels * P);
  const offsets = windowOffsets(kernel);
  windowOffsets(counts).forEach((place, l) => {
    offsets.forEach((offset, p) => {
      const position = place.map((j, axis) => j * strides[axis] + offset[axis] * dilations[axis] - padsBefore[axis]);
      if (position.some((at, axis) => at < 0 || at >= spatial[axis])) return;
      const pixel = position.reduce((flat, at, axis) => flat * spatial[axis] + at, 0);
      data[l * pixels * P + (pixelsLast ? p * pixels + pixel : pixel * P + p)] = 1;
    });
  });
  return constant({ data, dims: pixelsLast ? [L, P, pixels] : [L, pixels, P] });
}
