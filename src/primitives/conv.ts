import { CurvatureError } from "../errors/index.ts";
import { apply, type Primitive, type Shape, type Value } from "../graph/index.ts";
import { formatDims, sizeOf } from "../tensors/index.ts";
import { add } from "./arithmetic.ts";
import { zeros } from "./broadcast.ts";
import {
  type ConvWindows,
  convByColumns,
  convByRows,
  inputTransposeByColumns,
  inputTransposeByRows,
  rowsPay,
  weightRowsPay,
  weightTransposeByColumns,
  weightTransposeByConvolution,
  weightTransposeByPositions,
  weightTransposeByRows,
  weightTransposeDepthwise,
} from "./convProducts.ts";
import { joinLeading, splitLeading } from "./leading.ts";
import { permute, reshape } from "./movement.ts";
import { reachedPositions, selectPositions, unselectPositions } from "./positions.ts";
import { reverse } from "./slice.ts";
import { extents, isLong, windowCounts } from "./windows.ts";

/*
 * One trilinear form, T(x, w, c) = sum over n, o, j, i, k of c[n, o, j] w[o, i, k] x[n, i, stride j + dilation k - padsBefore],
 * gives three bilinear maps: its derivative in c is the convolution of x and w, in x the transpose that takes c and w to an input,
 * in w the transpose that takes x and c to weights. Each is the transpose of the others in each of its operands.
 */

/** Settings of a convolution; one number a spatial axis. */
export interface ConvOptions {
  /** Default 1. */
  readonly strides?: readonly number[];
  /** Default 1. */
  readonly dilations?: readonly number[];
  /** Default 0. */
  readonly padsBefore?: readonly number[];
  /** Default 0. */
  readonly padsAfter?: readonly number[];
  /** Default 1. */
  readonly groups?: number;
}

type ConvParams = Required<ConvOptions>;

function withDefaults(spatialRank: number, options: ConvOptions): ConvParams {
  const all = (value: number) => new Array<number>(Math.max(spatialRank, 0)).fill(value);
  const { strides = all(1), dilations = all(1), padsBefore = all(0), padsAfter = all(0), groups = 1 } = options;
  return { strides, dilations, padsBefore, padsAfter, groups };
}

function windowsOf({ strides, dilations, padsBefore, padsAfter, groups }: ConvParams, kernel: Shape): ConvWindows {
  return { kernel, strides, dilations, padsBefore, padsAfter, groups };
}

/** Sizes that all three maps share, checked: x [N, C, ...spatial], w [O, C / groups, ...kernel], c [N, O, ...counts]. */
interface Sizes {
  readonly N: number;
  readonly C: number;
  readonly O: number;
  readonly spatial: Shape;
  readonly kernel: Shape;
  readonly counts: Shape;
}

function checkedSizes(
  operation: string,
  shapes: {
    readonly x?: Shape;
    readonly w?: Shape;
    readonly c?: Shape;
    readonly spatial?: Shape;
    readonly kernel?: Shape;
  },
  params: ConvParams,
): Sizes {
  const { x, w, c } = shapes;
  const { groups } = params;
  const shown = [x, w, c].flatMap((shape) => (shape === undefined ? [] : [formatDims(shape)])).join(" and ");
  const fail = (problem: string): never => {
    throw new CurvatureError("shape", `${operation}: ${problem}, got ${shown} with ${groups} groups`);
  };
  const spatial = x?.slice(2) ?? shapes.spatial!;
  const kernel = w?.slice(2) ?? shapes.kernel!;
  if (spatial.length < 1 || spatial.length > 3) fail("needs 1, 2 or 3 spatial axes");
  if (spatial.length !== kernel.length || (c !== undefined && c.length !== spatial.length + 2))
    fail("operands must have the same number of axes");
  const O = (w ?? c)![c === undefined || w !== undefined ? 0 : 1];
  const C = x?.[1] ?? w![1] * groups;
  if (!(Number.isInteger(groups) && groups >= 1) || C % groups !== 0 || O % groups !== 0)
    fail("groups must divide the channels of both sides");
  if (w !== undefined && w[1] !== C / groups) fail(`weights must have ${C / groups} input channels a group`);
  if (c !== undefined && w !== undefined && c[1] !== w[0]) fail("output channels must agree");
  const counts = windowCounts(operation, spatial, windowsOf(params, kernel));
  if (c !== undefined && formatDims(c.slice(2)) !== formatDims(counts)) fail(`outputs must be ${formatDims(counts)}`);
  if (x !== undefined && c !== undefined && x[0] !== c[0]) fail("batch sizes must agree");
  return { N: (x ?? c)![0], C, O, spatial, kernel, counts };
}

/** Sum of the parts that are there. */
function sumPresent(a: Value | null, b: Value | null): Value | null {
  return a && b ? add(a, b) : (a ?? b);
}

function convolutionForm(params: ConvParams, { shape }: Value) {
  return { kind: "convolution", transposed: false, geometry: windowsOf(params, shape.slice(2)) } as const;
}

/** Only the rows of the first operand are rows of the result. */
function onlyRows({ inputs: [x, w] }: Value): readonly (readonly (number | null)[])[] {
  return [x.shape.map((_, axis) => (axis === 0 ? 0 : null)), w.shape.map(() => null)];
}

const convPrimitive: Primitive<ConvParams> = {
  name: "conv",
  output([x, w], params) {
    const { N, O, counts } = checkedSizes("conv", { x: x.shape, w: w.shape }, params);
    return { shape: [N, O, ...counts], type: x.type };
  },
  affine: ({ inputs: [, w], params }) => convolutionForm(params, w),
  axes: onlyRows,
  simplify: ([x, w], _, { shape }) => (x.uniform === 0 || w.uniform === 0 ? zeros(shape) : undefined),
  jvp: ({ inputs: [x, w], params }, [dx, dw]) => sumPresent(dx && conv(dx, w, params), dw && conv(x, dw, params)),
  transpose: ({ inputs: [x, w], params }, c, [lx, lw]) => [
    lx ? convInputTranspose(c, w, { ...params, spatial: x.shape.slice(2) }) : null,
    lw ? convWeightTranspose(x, c, { ...params, kernel: w.shape.slice(2) }) : null,
  ],
  vectorize({ params }, [x, w], [xBatched, wBatched], size) {
    const { groups } = params;
    if (!wBatched) return splitLeading(conv(joinLeading(x, 0), w, params), 0, { size });
    if (!xBatched) return splitLeading(conv(x, joinLeading(w, 0, groups), params), 1, { size, groups });
    const joined = conv(joinLeading(x, 1), joinLeading(w, 0), { ...params, groups: groups * size });
    return splitLeading(joined, 1, { size });
  },
  alternative({ inputs: [x, w], params, shape }, precision) {
    const windows = windowsOf(params, w.shape.slice(2));
    const request = { windows, shape };
    const [, channels, ...spatial] = x.shape;
    const [, outputs, ...counts] = shape;
    if (rowsPay(windows, { spatial, counts, channels, outputs })) return convByRows(x, w, request);
    return precision === "float64" ? convByColumns(x, w, request) : undefined;
  },
  lower: ({ inputs: [x, w], params }, context) =>
    context.node("Conv", [context.name(x), context.name(w)], attributes(params, w.shape.slice(2))),
};

function attributes({ strides, dilations, padsBefore, padsAfter, groups }: ConvParams, kernel: Shape) {
  return {
    kernel_shape: { ints: kernel },
    strides: { ints: strides },
    dilations: { ints: dilations },
    pads: { ints: [...padsBefore, ...padsAfter] },
    group: { int: groups },
  };
}

/**
 * Convolution (cross-correlation, as in all networks) of x [N, C, ...spatial] with weights w [O, C / groups, ...kernel]:
 * y[n, o, j] = sum over i, k of w[o, i, k] x[n, i, stride j + dilation k - padsBefore], of shape [N, O, ...counts].
 *
 * @throws CurvatureError "shape"
 */
export function conv(x: Value, w: Value, options: ConvOptions = {}): Value {
  const params = withDefaults(x.shape.length - 2, options);
  const { spatial, kernel } = checkedSizes("conv", { x: x.shape, w: w.shape }, params);
  const reached = reachedPositions(spatial, windowsOf(params, kernel));
  return apply(convPrimitive, [x, selectPositions(w, reached)], { ...params, ...reached.pads });
}

interface InputTransposeParams extends ConvParams {
  readonly spatial: Shape;
}

const convInputTransposePrimitive: Primitive<InputTransposeParams> = {
  name: "convInputTranspose",
  output([c, w], params) {
    const { spatial } = params;
    const { N, C } = checkedSizes("convInputTranspose", { c: c.shape, w: w.shape, spatial }, params);
    return { shape: [N, C, ...spatial], type: c.type };
  },
  affine: ({ inputs: [, w], params }) => ({ ...convolutionForm(params, w), transposed: true }),
  axes: onlyRows,
  simplify: ([c, w], _, { shape }) => (c.uniform === 0 || w.uniform === 0 ? zeros(shape) : undefined),
  jvp: ({ inputs: [c, w], params }, [dc, dw]) =>
    sumPresent(dc && convInputTranspose(dc, w, params), dw && convInputTranspose(c, dw, params)),
  transpose: ({ inputs: [c, w], params }, x, [lc, lw]) => [
    lc ? conv(x, w, params) : null,
    lw ? convWeightTranspose(x, c, { ...params, kernel: w.shape.slice(2) }) : null,
  ],
  vectorize({ params }, [c, w], [cBatched, wBatched], size) {
    const { groups } = params;
    if (!wBatched) return splitLeading(convInputTranspose(joinLeading(c, 0), w, params), 0, { size });
    if (!cBatched) {
      return splitLeading(convInputTranspose(c, joinLeading(w, 1), params), 1, { size, groups });
    }
    const joined = { ...params, groups: groups * size };
    return splitLeading(convInputTranspose(joinLeading(c, 1), joinLeading(w, 0), joined), 1, { size });
  },
  alternative(node, precision) {
    const { inputs, params, shape } = node;
    const [c, w] = inputs;
    const request = { windows: windowsOf(params, w.shape.slice(2)), shape };
    const [, outputs, ...counts] = c.shape;
    const sizes = { spatial: params.spatial, counts, channels: shape[1], outputs };
    if (rowsPay(request.windows, sizes)) return inputTransposeByRows(c, w, request);
    return flippedConv(node) ?? (precision === "float64" ? inputTransposeByColumns(c, w, request) : undefined);
  },
  lower({ inputs: [c, w], params }, context) {
    const kernel = w.shape.slice(2);
    const windows = windowsOf(params, kernel);
    // Remainder of the padded input that the strides do not reach.
    const rest = extents(windows).map((extent, axis) => {
      const padded = params.spatial[axis] + params.padsBefore[axis] + params.padsAfter[axis];
      return padded - extent - (c.shape[axis + 2] - 1) * params.strides[axis];
    });
    return context.node("ConvTranspose", [context.name(c), context.name(w)], {
      ...attributes(params, kernel),
      output_padding: { ints: rest },
    });
  },
};

/**
 * For stride 1 the convolution of c with the weights turned round and transposed, which is faster than ConvTranspose.
 * Undefined for other strides, and where more was padded than a window reaches.
 */
function flippedConv({ inputs: [c, w], params }: Value<InputTransposeParams>): Value | undefined {
  const { strides, dilations, groups, spatial: _, ...pads } = params;
  const [O, members, ...kernel] = w.shape;
  const reach = extents(windowsOf(params, kernel)).map((extent) => extent - 1);
  const padsBefore = pads.padsBefore.map((before, axis) => reach[axis] - before);
  const padsAfter = pads.padsAfter.map((after, axis) => reach[axis] - after);
  if (strides.some((stride) => stride !== 1) || [...padsBefore, ...padsAfter].some((amount) => amount < 0)) {
    return undefined;
  }
  const spatialAxes = kernel.map((_, axis) => axis + 2);
  const split = reshape(reverse(w, spatialAxes), [groups, O / groups, members, ...kernel]);
  const swapped = permute(split, [0, 2, 1, ...spatialAxes.map((axis) => axis + 1)]);
  const weights = reshape(swapped, [groups * members, O / groups, ...kernel]);
  return conv(c, weights, { strides, dilations, padsBefore, padsAfter, groups });
}

/**
 * Transpose of a convolution in its input (ONNX ConvTranspose): x[n, i, p] = sum over o, j, k with
 * p = stride j + dilation k - padsBefore of c[n, o, j] w[o, i, k], for c [N, O, ...counts] and w [O, C / groups, ...kernel];
 * [N, C, ...spatial].
 *
 * @throws CurvatureError "shape", also where a convolution of an input of this spatial shape would not give c's
 */
export function convInputTranspose(
  c: Value,
  w: Value,
  { spatial, ...options }: ConvOptions & { readonly spatial: Shape },
): Value {
  const params = withDefaults(spatial.length, options);
  const { kernel } = checkedSizes("convInputTranspose", { c: c.shape, w: w.shape, spatial }, params);
  const reached = reachedPositions(spatial, windowsOf(params, kernel));
  return apply(convInputTransposePrimitive, [c, selectPositions(w, reached)], { ...params, ...reached.pads, spatial });
}

/**
 * Positions in a window from which on the transpose in the weights takes all of them in one product in float64, for which the engine has
 * no convolution. A product for each runs up to three times as fast (8 images of 16 channels and 1,000 elements, 64 positions), but
 * thousands of them take seconds to prepare.
 */
const COLUMN_POSITIONS = 256;

interface WeightTransposeParams extends ConvParams {
  readonly kernel: Shape;
}

const convWeightTransposePrimitive: Primitive<WeightTransposeParams> = {
  name: "convWeightTranspose",
  output([x, c], params) {
    const { kernel } = params;
    const { O, C } = checkedSizes("convWeightTranspose", { x: x.shape, c: c.shape, kernel }, params);
    return { shape: [O, C / params.groups, ...kernel], type: x.type };
  },
  simplify: ([x, c], _, { shape }) => (x.uniform === 0 || c.uniform === 0 ? zeros(shape) : undefined),
  jvp: ({ inputs: [x, c], params }, [dx, dc]) =>
    sumPresent(dx && convWeightTranspose(dx, c, params), dc && convWeightTranspose(x, dc, params)),
  transpose: ({ inputs: [x, c], params }, w, [lx, lc]) => [
    lx ? convInputTranspose(c, w, { ...params, spatial: x.shape.slice(2) }) : null,
    lc ? conv(x, w, params) : null,
  ],
  vectorize({ params }, [x, c], [xBatched, cBatched], size) {
    const { groups } = params;
    if (!cBatched) return splitLeading(convWeightTranspose(joinLeading(x, 1, groups), c, params), 1, { size });
    if (!xBatched) {
      return splitLeading(convWeightTranspose(x, joinLeading(c, 1, groups), params), 0, { size, groups });
    }
    const joined = { ...params, groups: groups * size };
    return splitLeading(convWeightTranspose(joinLeading(x, 1), joinLeading(c, 1), joined), 0, { size });
  },
  alternative({ inputs: [x, c], params, shape }, precision) {
    const { groups, kernel } = params;
    const [, C, ...spatial] = x.shape;
    const [, O, ...counts] = c.shape;
    const request = { windows: windowsOf(params, kernel), shape };
    if (isLong(kernel) && precision === "float32") {
      return weightTransposeByConvolution(x, c, { ...request, convolve: conv });
    }
    if (sizeOf(kernel) >= COLUMN_POSITIONS) return weightTransposeByColumns(x, c, request);
    if (C === groups && O === groups) return weightTransposeDepthwise(x, c, request);
    if (weightRowsPay(request.windows, { spatial, counts, channels: C, outputs: O })) {
      return weightTransposeByRows(x, c, request);
    }
    // One product a row of the batch pays where channels are few, or windows many and of one element.
    return C / groups <= 4 || (sizeOf(kernel) === 1 && sizeOf(counts) >= 64)
      ? weightTransposeByColumns(x, c, request)
      : weightTransposeByPositions(x, c, request);
  },
};

/**
 * Transpose of a convolution in its weights: w[o, i, k] = sum over n, j of c[n, o, j] x[n, i, stride j + dilation k - padsBefore]
 * for x [N, C, ...spatial] and c [N, O, ...counts]; [O, C / groups, ...kernel].
 *
 * @throws CurvatureError "shape", also where a convolution with a kernel of this shape would not give c's
 */
export function convWeightTranspose(
  x: Value,
  c: Value,
  { kernel, ...options }: ConvOptions & { readonly kernel: Shape },
): Value {
  const params = withDefaults(kernel.length, options);
  const { spatial } = checkedSizes("convWeightTranspose", { x: x.shape, c: c.shape, kernel }, params);
  const reached = reachedPositions(spatial, windowsOf(params, kernel));
  const cropped = { ...params, ...reached.pads, kernel: reached.kernel };
  return unselectPositions(apply(convWeightTransposePrimitive, [x, c], cropped), reached, kernel);
}
