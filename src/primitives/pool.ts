import { CurvatureError } from "../errors/index.ts";
import { apply, constant, type Primitive, type Shape, type Value } from "../graph/index.ts";
import { formatDims, sizeOf } from "../tensors/index.ts";
import { mul, scale } from "./arithmetic.ts";
import { broadcast, reduceSum, zeros } from "./broadcast.ts";
import { joinLeading, splitLeading } from "./leading.ts";
import { reshape } from "./movement.ts";
import { and, equal, indicator, not, or } from "./select.ts";
import { concat, slice } from "./slice.ts";
import { extents, fold, unfold, type Windows, windowCounts, windowOffsets } from "./windows.ts";

/** Settings of a pooling over the spatial axes of [N, C, ...spatial]; one number a spatial axis. */
export interface PoolOptions {
  readonly kernel: readonly number[];
  /** Default 1, as in ONNX; PyTorch's is the kernel. */
  readonly strides?: readonly number[];
  /** Default 1. */
  readonly dilations?: readonly number[];
  /** Default 0. */
  readonly padsBefore?: readonly number[];
  /** Default 0. */
  readonly padsAfter?: readonly number[];
  /** Whether a last window that begins within the input but reaches beyond its padding counts. Default false. */
  readonly ceilMode?: boolean;
}

/** The settings as windows; those beyond the end that ceil mode asks for become padding. */
function poolWindows(operation: string, { shape }: Value, options: PoolOptions): Windows {
  const spatial = shape.slice(2);
  if (spatial.length < 1 || spatial.length > 3) {
    throw new CurvatureError("shape", `${operation}: needs 1, 2 or 3 spatial axes, got ${formatDims(shape)}`);
  }
  const all = (value: number) => spatial.map(() => value);
  const { kernel, strides = all(1), dilations = all(1), padsBefore = all(0), padsAfter = all(0) } = options;
  const windows = { kernel, strides, dilations, padsBefore, padsAfter };
  const counts = windowCounts(operation, spatial, windows);
  if (!options.ceilMode) return windows;
  const beyond = extents(windows).map((extent, axis) => {
    const end = spatial[axis] + padsBefore[axis];
    const room = end + padsAfter[axis] - extent;
    const partial = counts[axis] * strides[axis] < Math.min(room + strides[axis], end) ? 1 : 0;
    return padsAfter[axis] + Math.max(0, (counts[axis] + partial - 1) * strides[axis] - room);
  });
  return { ...windows, padsAfter: beyond };
}

/** For each position in a window and each window whether it lies within the input: [P, ...counts] of 0 and 1. */
function insideInput(spatial: Shape, windows: Windows, counts: Shape): Uint8Array {
  const { kernel, strides, dilations, padsBefore } = windows;
  const places = windowOffsets(counts);
  return Uint8Array.from(
    windowOffsets(kernel).flatMap((offset) =>
      places.map((place) => {
        const inside = place.every((j, axis) => {
          const position = j * strides[axis] + offset[axis] * dilations[axis] - padsBefore[axis];
          return position >= 0 && position < spatial[axis];
        });
        return inside ? 1 : 0;
      }),
    ),
  );
}

const maxPoolPrimitive: Primitive<Windows> = {
  name: "maxPool",
  output([x], windows) {
    return { shape: [...x.shape.slice(0, 2), ...windowCounts("maxPool", x.shape.slice(2), windows)], type: x.type };
  },
  jvp: (node, [dx]) => reduceSum(mul(indicator(firstMaximum(node)), unfold(dx!, node.params)), [2]),
  vectorize: ({ params }, [x], _, size) =>
    splitLeading(apply(maxPoolPrimitive, [joinLeading(x, 0)], params), 0, { size }),
  lower({ inputs: [x], params }, context) {
    const { kernel, strides, dilations, padsBefore, padsAfter } = params;
    const attributes = {
      kernel_shape: { ints: kernel },
      strides: { ints: strides },
      dilations: { ints: dilations },
    };
    const pads = [...padsBefore, ...padsAfter];
    // The kernel refuses padding that a window without its dilation would not leave.
    if (pads.every((amount, i) => amount < kernel[i % kernel.length])) {
      return context.node("MaxPool", [context.name(x)], { ...attributes, pads: { ints: pads } });
    }
    const amounts = context.integers([0, 0, ...padsBefore, 0, 0, ...padsAfter]);
    const padded = context.node("Pad", [context.name(x), amounts, context.float(-Infinity)]);
    return context.node("MaxPool", [padded], attributes);
  },
};

/** Which position in each window holds its maximum, the first one if several do: booleans [N, C, P, ...counts]. */
function firstMaximum(y: Value<Windows>): Value {
  const { params: windows } = y;
  const [x] = y.inputs;
  const [N, C, ...counts] = y.shape;
  const P = sizeOf(windows.kernel);
  const largest = equal(unfold(x, windows), reshape(y, [N, C, 1, ...counts]));
  const inside = insideInput(x.shape.slice(2), windows, counts);
  const candidates = inside.every((bit) => bit === 1)
    ? largest
    : and(largest, constant({ data: inside, dims: [P, ...counts], dtype: "bool" }));
  const first: Value[] = [];
  let found: Value | undefined;
  for (let p = 0; p < P; p++) {
    const candidate = slice(candidates, { axis: 2, start: p, limit: p + 1 });
    first.push(found === undefined ? candidate : and(candidate, not(found)));
    found = found === undefined ? candidate : or(found, candidate);
  }
  return concat(first, 2);
}

/**
 * Maximum of every window, [N, C, ...spatial] -> [N, C, ...counts]; padding never wins. The derivative goes to the first of
 * equal maxima, row-major, as in PyTorch. ONNX Runtime passes over a NaN that is not the first element of its window.
 *
 * @throws CurvatureError "shape"
 */
export function maxPool(x: Value, options: PoolOptions): Value {
  return apply(maxPoolPrimitive, [x], poolWindows("maxPool", x, options));
}

/** Mean of every window, zeros of the padding included. */
const windowMeanPrimitive: Primitive<Windows> = {
  name: "windowMean",
  output([x], windows) {
    const counts = windowCounts("averagePool", x.shape.slice(2), windows);
    return { shape: [...x.shape.slice(0, 2), ...counts], type: x.type };
  },
  simplify: ([x], _, { shape }) => (x.uniform === 0 ? zeros(shape) : undefined),
  jvp: ({ params }, [dx]) => windowMean(dx!, params),
  transpose({ inputs: [x], params }, c) {
    const [N, C, ...counts] = c.shape;
    const P = sizeOf(params.kernel);
    const shares = broadcast(reshape(scale(c, 1 / P), [N, C, 1, ...counts]), [N, C, P, ...counts]);
    return [fold(shares, { ...params, spatial: x.shape.slice(2) })];
  },
  vectorize: ({ params }, [x], _, size) => splitLeading(windowMean(joinLeading(x, 0), params), 0, { size }),
  alternative({ inputs: [x], params }, precision) {
    const { kernel, dilations, padsBefore, padsAfter } = params;
    const pads = [...padsBefore, ...padsAfter];
    // Dilations came with a later operator set, and the kernel refuses padding as wide as a window.
    const kernelTakes =
      dilations.every((dilation) => dilation === 1) && pads.every((amount, i) => amount < kernel[i % kernel.length]);
    if (precision === "float32" && kernelTakes) return undefined;
    return scale(reduceSum(unfold(x, params), [2]), 1 / sizeOf(kernel));
  },
  lower: ({ inputs: [x], params: { kernel, strides, padsBefore, padsAfter } }, context) =>
    context.node("AveragePool", [context.name(x)], {
      kernel_shape: { ints: kernel },
      strides: { ints: strides },
      pads: { ints: [...padsBefore, ...padsAfter] },
      count_include_pad: { int: 1 },
    }),
};

function windowMean(x: Value, windows: Windows): Value {
  return apply(windowMeanPrimitive, [x], windows);
}

/**
 * Mean of every window, [N, C, ...spatial] -> [N, C, ...counts]. Padding does not count unless `countIncludePad`; what ceil
 * mode reaches beyond the padding never counts.
 *
 * @throws CurvatureError "shape"
 */
export function averagePool(x: Value, options: PoolOptions & { readonly countIncludePad?: boolean }): Value {
  const windows = poolWindows("averagePool", x, options);
  const spatial = x.shape.slice(2);
  const { countIncludePad = false, padsBefore = spatial.map(() => 0), padsAfter = spatial.map(() => 0) } = options;
  const mean = windowMean(x, windows);
  const counts = mean.shape.slice(2);
  const P = sizeOf(windows.kernel);
  // Where padding counts it is as if it were input.
  const counted = countIncludePad
    ? insideInput(
        spatial.map((dim, axis) => dim + padsBefore[axis] + padsAfter[axis]),
        { ...windows, padsBefore: spatial.map(() => 0) },
        counts,
      )
    : insideInput(spatial, windows, counts);
  if (counted.every((bit) => bit === 1)) return mean;
  const places = sizeOf(counts);
  const factors = Float64Array.from({ length: places }, (_, j) => {
    let inside = 0;
    for (let p = 0; p < P; p++) inside += counted[p * places + j];
    return P / inside;
  });
  return mul(mean, constant({ data: factors, dims: counts }));
}
