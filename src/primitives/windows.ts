import { CurvatureError } from "../errors/index.ts";
import { apply, type Primitive, type Shape, type Value } from "../graph/index.ts";
import { formatDims, sizeOf } from "../tensors/index.ts";
import { add } from "./arithmetic.ts";
import { zeros } from "./broadcast.ts";
import { spaceToDepth } from "./depthToSpace.ts";
import { joinLeading, splitLeading } from "./leading.ts";
import { reshape } from "./movement.ts";
import { foldAxis, type LineWindows, positionsBesideCounts, positionsFirst, unfoldAxis } from "./skewedWindows.ts";
import { concat, pad, slice, sliceAll } from "./slice.ts";

/** Windows that slide over the spatial axes of [N, C, ...spatial]; one number a spatial axis. */
export interface Windows {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  /** Distance of neighbours within a window. */
  readonly dilations: readonly number[];
  /** Zeros before the first element. */
  readonly padsBefore: readonly number[];
  /** Zeros after the last element. */
  readonly padsAfter: readonly number[];
}

/** Size of a window from its first to its last element, along each axis. */
export function extents({ kernel, dilations }: Windows): number[] {
  return kernel.map((size, axis) => (size - 1) * dilations[axis] + 1);
}

/**
 * Number of windows along each axis of a spatial shape.
 *
 * @throws CurvatureError "shape" for settings that do not fit the axes, and where no window fits
 */
export function windowCounts(operation: string, spatial: Shape, windows: Windows): number[] {
  const { kernel, strides, dilations, padsBefore, padsAfter } = windows;
  for (const [name, values, least] of [
    ["kernel", kernel, 1],
    ["strides", strides, 1],
    ["dilations", dilations, 1],
    ["padsBefore", padsBefore, 0],
    ["padsAfter", padsAfter, 0],
  ] as const) {
    if (values.length !== spatial.length || values.some((value) => !Number.isInteger(value) || value < least)) {
      throw new CurvatureError(
        "shape",
        `${operation}: ${name} must be ${spatial.length} integers of at least ${least}, got ${formatDims(values)}`,
      );
    }
  }
  return extents(windows).map((extent, axis) => {
    const room = spatial[axis] + padsBefore[axis] + padsAfter[axis] - extent;
    if (room < 0) {
      throw new CurvatureError(
        "shape",
        `${operation}: a window of ${extent} does not fit axis ${axis} of ${formatDims(spatial)} with ${padsBefore[axis] + padsAfter[axis]} of padding`,
      );
    }
    return Math.floor(room / strides[axis]) + 1;
  });
}

/** Positions within a window, row-major: [[0, 0], [0, 1], ...]. */
export function windowOffsets(kernel: readonly number[]): number[][] {
  let offsets: number[][] = [[]];
  for (const size of kernel) offsets = offsets.flatMap((o) => Array.from({ length: size }, (_, k) => [...o, k]));
  return offsets;
}

/**
 * One slice for each position within a window: its elements in every window, [N, C, ...counts]. x is padded. Slices by
 * steps are slow, so that square strides in two dimensions go through `spaceToDepth`, whose channels are sliced without steps.
 */
export function windowSlices(padded: Value, windows: Windows, counts: Shape): Value[] {
  const { kernel, strides, dilations } = windows;
  const outer = padded.shape.slice(0, 2);
  const stride = squareStride(strides);
  if (stride !== undefined) return phaseSlices(padded, { ...windows, counts, stride });
  return windowOffsets(kernel).map((offset) => {
    const starts = offset.map((k, axis) => k * dilations[axis]);
    return sliceAll(padded, {
      starts: [0, 0, ...starts],
      limits: [...outer, ...starts.map((start, axis) => start + (counts[axis] - 1) * strides[axis] + 1)],
      steps: [1, 1, ...strides],
    });
  });
}

/** The stride of both axes of an image, if it is the same and not 1. */
function squareStride([first, ...rest]: readonly number[]): number | undefined {
  return first > 1 && rest.length === 1 && rest[0] === first ? first : undefined;
}

function phaseSlices(
  padded: Value,
  { kernel, dilations, counts, stride }: Windows & { readonly counts: Shape; readonly stride: number },
): Value[] {
  const [N, C, ...spatial] = padded.shape;
  const coarse = spatial.map((dim) => Math.ceil(dim / stride));
  const whole = pad(padded, {
    before: [0, 0, 0, 0],
    after: [0, 0, ...coarse.map((dim, axis) => dim * stride - spatial[axis])],
  });
  const phases = reshape(spaceToDepth(whole, stride), [N, stride ** 2, C, ...coarse]);
  return windowOffsets(kernel).map((offset) => {
    const [row, column] = offset.map((k, axis) => k * dilations[axis]);
    const phase = (row % stride) * stride + (column % stride);
    const starts = [row, column].map((start) => Math.floor(start / stride));
    const part = sliceAll(phases, {
      starts: [0, phase, 0, ...starts],
      limits: [N, phase + 1, C, ...starts.map((start, axis) => start + counts[axis])],
      steps: [1, 1, 1, 1, 1],
    });
    return reshape(part, [N, C, ...counts]);
  });
}

/** x with the zeros around it that the windows ask for. */
export function padSpatial(x: Value, { padsBefore, padsAfter }: Windows): Value {
  const none = new Array<number>(x.shape.length - padsBefore.length).fill(0);
  return pad(x, { before: [...none, ...padsBefore], after: [...none, ...padsAfter] });
}

/**
 * Positions in a window from which on it is long: operations for each position (a slice, a sum) then take more time to prepare than to
 * run, and a form whose number of operations is fixed is used. From here on it is also the faster one in float32: gradients in 64 to 169
 * positions gain 10 to 60 % (1 to 64 channels, one and two axes, with and without groups).
 */
const LONG = 64;

/** Whether a window has so many positions that no operation may be spent on each. */
export function isLong(kernel: readonly number[]): boolean {
  return sizeOf(kernel) >= LONG;
}

/** The lines of a padded image, one a spatial axis. */
function linesOf({ kernel, strides, dilations }: Windows, padded: Shape, counts: Shape): LineWindows[] {
  return kernel.map((positions, axis) => ({
    length: padded[axis],
    positions,
    dilation: dilations[axis],
    stride: strides[axis],
    count: counts[axis],
  }));
}

/** `unfold` in as many operations for any number of positions. */
export function unfoldBySkew(x: Value, windows: Windows, shape: Shape): Value {
  const padded = padSpatial(x, windows);
  const lines = linesOf(windows, padded.shape.slice(2), shape.slice(3));
  // From the last axis on, each of which becomes two, so that the places of those before stay.
  const seen = lines.reduceRight((value, line, axis) => unfoldAxis(value, axis + 2, line), padded);
  return reshape(positionsFirst(seen, lines.length), shape);
}

/** `fold` in as many operations for any number of positions. */
export function foldBySkew(c: Value, params: FoldParams): Value {
  const { kernel, padsBefore, padsAfter, spatial } = params;
  const counts = c.shape.slice(3);
  const padded = spatial.map((dim, axis) => dim + padsBefore[axis] + padsAfter[axis]);
  const lines = linesOf(params, padded, counts);
  const apart = positionsBesideCounts(reshape(c, [...c.shape.slice(0, 2), ...kernel, ...counts]), lines.length);
  const image = lines.reduce((value, line, axis) => foldAxis(value, axis + 2, line), apart);
  return cropped(image, params);
}

const unfoldPrimitive: Primitive<Windows> = {
  name: "unfold",
  recompute: true,
  output([x], windows) {
    const counts = windowCounts("unfold", x.shape.slice(2), windows);
    return { shape: [...x.shape.slice(0, 2), sizeOf(windows.kernel), ...counts], type: x.type };
  },
  simplify: ([x], _, { shape }) => (x.uniform === 0 ? zeros(shape) : undefined),
  jvp: ({ params }, [dx]) => unfold(dx!, params),
  transpose: ({ inputs: [x], params }, c) => [fold(c, { ...params, spatial: x.shape.slice(2) })],
  vectorize: ({ params }, [x], _, size) => splitLeading(unfold(joinLeading(x, 0), params), 0, { size }),
  alternative({ inputs: [x], params, shape }) {
    if (isLong(params.kernel)) return unfoldBySkew(x, params, shape);
    const counts = shape.slice(3);
    const parts = windowSlices(padSpatial(x, params), params, counts);
    return concat(
      parts.map((part) => reshape(part, [...x.shape.slice(0, 2), 1, ...counts])),
      2,
    );
  },
};

/**
 * Contents of every window (im2col): [N, C, ...spatial] -> [N, C, P, ...counts], where P is the number of positions in a window,
 * row-major, and counts the number of windows along each axis.
 *
 * @throws CurvatureError "shape"
 */
export function unfold(x: Value, windows: Windows): Value {
  return apply(unfoldPrimitive, [x], windows);
}

interface FoldParams extends Windows {
  readonly spatial: Shape;
}

const foldPrimitive: Primitive<FoldParams> = {
  name: "fold",
  output([c], params) {
    const counts = windowCounts("fold", params.spatial, params);
    const expected = [...c.shape.slice(0, 2), sizeOf(params.kernel), ...counts];
    if (formatDims(c.shape) !== formatDims(expected)) {
      throw new CurvatureError("shape", `fold: expected windows ${formatDims(expected)}, got ${formatDims(c.shape)}`);
    }
    return { shape: [...c.shape.slice(0, 2), ...params.spatial], type: c.type };
  },
  simplify: ([c], _, { shape }) => (c.uniform === 0 ? zeros(shape) : undefined),
  jvp: ({ params }, [dc]) => fold(dc!, params),
  transpose: ({ params: { spatial: _, ...windows } }, c) => [unfold(c, windows)],
  vectorize: ({ params }, [c], _, size) => splitLeading(fold(joinLeading(c, 0), params), 0, { size }),
  alternative({ inputs: [c], params }) {
    if (isLong(params.kernel)) return foldBySkew(c, params);
    const outer = c.shape.slice(0, 2);
    const counts = c.shape.slice(3);
    const parts = windowOffsets(params.kernel).map((_, p) =>
      reshape(slice(c, { axis: 2, start: p, limit: p + 1 }), [...outer, ...counts]),
    );
    return cropped(interleaved(phases(parts, params), params.strides), params);
  },
};

/**
 * Sum of overlapping windows for each remainder of the padded position by the strides (row-major): positions r, r + stride, ... are a
 * coarse grid on which neighbouring windows are neighbours, so that no zeros have to be put between them.
 */
function phases(parts: readonly Value[], params: FoldParams): Value[] {
  const { kernel, strides, dilations, padsBefore, padsAfter, spatial } = params;
  const [N, C, ...counts] = parts[0].shape;
  const coarse = spatial.map((dim, axis) => Math.ceil((dim + padsBefore[axis] + padsAfter[axis]) / strides[axis]));
  const sums = new Map<string, Value>();
  windowOffsets(kernel).forEach((offset, p) => {
    const starts = offset.map((k, axis) => k * dilations[axis]);
    const before = starts.map((start, axis) => Math.floor(start / strides[axis]));
    const placed = pad(parts[p], {
      before: [0, 0, ...before],
      after: [0, 0, ...coarse.map((dim, axis) => dim - before[axis] - counts[axis])],
    });
    const phase = `${starts.map((start, axis) => start % strides[axis])}`;
    const sum = sums.get(phase);
    sums.set(phase, sum === undefined ? placed : add(sum, placed));
  });
  return windowOffsets(strides).map((phase) => sums.get(`${phase}`) ?? zeros([N, C, ...coarse]));
}

/** Interleaves tensors along the spatial axes: one for each place in a tile of this size, row-major. */
function interleaved(parts: readonly Value[], tile: readonly number[]): Value {
  let current = parts;
  for (let axis = tile.length - 1; axis >= 0; axis--) {
    const size = tile[axis];
    const at = axis + 2;
    current = Array.from({ length: current.length / size }, (_, group) => {
      const members = current.slice(group * size, (group + 1) * size);
      const { shape } = members[0];
      const stacked = concat(
        members.map((member) => reshape(member, [...shape.slice(0, at + 1), 1, ...shape.slice(at + 1)])),
        at + 1,
      );
      return reshape(
        stacked,
        shape.map((dim, i) => (i === at ? dim * size : dim)),
      );
    });
  }
  return current[0];
}

/** The input without its padding. */
function cropped(x: Value, { padsBefore, spatial }: FoldParams): Value {
  return sliceAll(x, {
    starts: [0, 0, ...padsBefore],
    limits: [...x.shape.slice(0, 2), ...padsBefore.map((before, axis) => before + spatial[axis])],
    steps: x.shape.map(() => 1),
  });
}

/**
 * Windows added back to where they were read (col2im), the transpose of `unfold`:
 * [N, C, P, ...counts] -> [N, C, ...spatial].
 *
 * @throws CurvatureError "shape"
 */
export function fold(windows: Value, params: FoldParams): Value {
  return apply(foldPrimitive, [windows], params);
}
