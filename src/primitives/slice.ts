import { CurvatureError } from "../errors/index.ts";
import { apply, type Lowering, normalizeAxis, type Primitive, type Value } from "../graph/index.ts";
import { formatDims } from "../tensors/index.ts";
import { broadcast, filled, zeros } from "./broadcast.ts";

/** For each axis: first index, index to stop before, step (positive). */
interface SliceParams {
  readonly starts: readonly number[];
  readonly limits: readonly number[];
  readonly steps: readonly number[];
}

const slicePrimitive: Primitive<SliceParams> = {
  name: "slice",
  moves: () => true,
  sums: true,
  output([x], { starts, limits, steps }) {
    const shape = x.shape.map((dim, axis) => {
      const [start, limit, step] = [starts[axis], limits[axis], steps[axis]];
      if (!(start >= 0 && start <= limit && limit <= dim && step >= 1)) {
        throw new CurvatureError(
          "shape",
          `slice: [${start}, ${limit}) by ${step} is not within axis ${axis} of ${formatDims(x.shape)}`,
        );
      }
      return Math.ceil((limit - start) / step);
    });
    return { shape, type: x.type };
  },
  simplify: ([x], _, { shape }) => (shape.every((dim, axis) => dim === x.shape[axis]) ? x : undefined),
  uniform: ([x]) => x.uniform,
  jvp: ({ params }, [dx]) => sliceAxes(dx!, params),
  // Element i of the result came from start + i step: put it back there, zeros elsewhere.
  transpose({ inputs: [x], params: { starts, steps }, shape }, c) {
    const spans = shape.map((dim, axis) => (dim === 0 ? 0 : (dim - 1) * steps[axis] + 1));
    return [
      pad(c, {
        before: starts,
        after: x.shape.map((dim, axis) => dim - starts[axis] - spans[axis]),
        between: steps.map((step) => step - 1),
      }),
    ];
  },
  vectorize: ({ params: { starts, limits, steps } }, [x], _, size) =>
    sliceAxes(x, { starts: [0, ...starts], limits: [size, ...limits], steps: [1, ...steps] }),
  lower({ inputs: [x], params: { starts, limits, steps } }, context) {
    const axes = x.shape
      .map((_, axis) => axis)
      .filter((axis) => starts[axis] !== 0 || limits[axis] !== x.shape[axis] || steps[axis] !== 1);
    const pick = (values: readonly number[]) => context.integers(axes.map((axis) => values[axis]));
    return context.node("Slice", [context.name(x), pick(starts), pick(limits), context.integers(axes), pick(steps)]);
  },
};

function sliceAxes(x: Value, params: SliceParams): Value {
  return apply(slicePrimitive, [x], params);
}

/** Elements start, start + step, ... before limit along one axis. */
export function slice(
  x: Value,
  {
    axis,
    start,
    limit,
    step = 1,
  }: { readonly axis: number; readonly start: number; readonly limit: number; readonly step?: number },
): Value {
  const at = normalizeAxis("slice", axis, x.shape.length);
  return sliceAxes(x, {
    starts: x.shape.map((_, i) => (i === at ? start : 0)),
    limits: x.shape.map((dim, i) => (i === at ? limit : dim)),
    steps: x.shape.map((_, i) => (i === at ? step : 1)),
  });
}

/** Elements start, start + step, ... before limit along every axis. */
export function sliceAll(x: Value, params: SliceParams): Value {
  return sliceAxes(x, params);
}

/** For each axis: zeros put before, after, and between neighbours. */
interface PadParams {
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly between: readonly number[];
}

const padPrimitive: Primitive<PadParams> = {
  name: "pad",
  sums: true,
  output([x], { before, after, between }) {
    if ([...before, ...after, ...between].some((amount) => !(amount >= 0))) {
      throw new CurvatureError(
        "shape",
        `pad: amounts must not be negative, got ${formatDims(before)} and ${formatDims(after)}`,
      );
    }
    const shape = x.shape.map((dim, axis) => before[axis] + after[axis] + dim + Math.max(dim - 1, 0) * between[axis]);
    return { shape, type: x.type };
  },
  simplify([x], _, { shape }) {
    if (shape.every((dim, axis) => dim === x.shape[axis])) return x;
    return x.uniform === 0 ? zeros(shape) : undefined;
  },
  jvp: ({ params }, [dx]) => pad(dx!, params),
  transpose: ({ inputs: [x], params: { before, between } }, c) => [
    sliceAxes(c, {
      starts: before,
      limits: x.shape.map((dim, axis) =>
        dim === 0 ? before[axis] : before[axis] + (dim - 1) * (between[axis] + 1) + 1,
      ),
      steps: between.map((gap) => gap + 1),
    }),
  ],
  vectorize: ({ params: { before, after, between } }, [x]) =>
    pad(x, { before: [0, ...before], after: [0, ...after], between: [0, ...between] }),
  lower({ inputs: [x], params: { before, after, between } }, context) {
    const spread = between.some((gap) => gap > 0) ? lowerSpread(x, between, context) : context.name(x);
    return before.some((n) => n > 0) || after.some((n) => n > 0)
      ? context.node("Pad", [spread, context.integers([...before, ...after])], {})
      : spread;
  },
};

/**
 * Zeros between neighbours: every axis of size d becomes [d, 1], is padded behind to [d, gap + 1], joined to d (gap + 1) and
 * cut after the last element.
 */
function lowerSpread(x: Value, between: readonly number[], context: Lowering): string {
  const { shape } = x;
  const pairs = context.node("Reshape", [context.name(x), context.integers(shape.flatMap((dim) => [dim, 1]))]);
  const behind = between.flatMap((gap) => [0, gap]);
  const padded = context.node("Pad", [pairs, context.integers([...behind.map(() => 0), ...behind])], {});
  const joined = context.node("Reshape", [
    padded,
    context.integers(shape.map((dim, axis) => dim * (between[axis] + 1))),
  ]);
  const axes = shape.map((_, axis) => axis).filter((axis) => between[axis] > 0);
  const ends = axes.map((axis) => Math.max(shape[axis] - 1, 0) * (between[axis] + 1) + Math.min(shape[axis], 1));
  return context.node("Slice", [
    joined,
    context.integers(axes.map(() => 0)),
    context.integers(ends),
    context.integers(axes),
  ]);
}

/** x with zeros before, after and between its elements along each axis. */
export function pad(
  x: Value,
  {
    before,
    after,
    between = before.map(() => 0),
  }: { readonly before: readonly number[]; readonly after: readonly number[]; readonly between?: readonly number[] },
): Value {
  return apply(padPrimitive, [x], { before, after, between });
}

interface ReverseParams {
  readonly axes: readonly number[];
}

const reversePrimitive: Primitive<ReverseParams> = {
  name: "reverse",
  moves: () => true,
  sums: true,
  output: ([x]) => ({ shape: x.shape, type: x.type }),
  simplify: ([x], { axes }) => (axes.every((axis) => x.shape[axis] === 1) || x.uniform !== undefined ? x : undefined),
  jvp: ({ params: { axes } }, [dx]) => reverse(dx!, axes),
  transpose: ({ params: { axes } }, c) => [reverse(c, axes)],
  vectorize: ({ params: { axes } }, [x]) =>
    reverse(
      x,
      axes.map((axis) => axis + 1),
    ),
  lower({ inputs: [x], params: { axes } }, context) {
    const same = (value: number) => context.integers(axes.map(() => value));
    // -1 means "the last", the far negative end for "past the first".
    return context.node("Slice", [context.name(x), same(-1), same(-(2 ** 31)), context.integers(axes), same(-1)]);
  },
};

/** x with the order along some axes turned round. Negative axes count from the end. */
export function reverse(x: Value, axes: readonly number[]): Value {
  const normalized = axes.map((axis) => normalizeAxis("reverse", axis, x.shape.length));
  return apply(reversePrimitive, [x], { axes: normalized });
}

interface ConcatParams {
  readonly axis: number;
}

const concatPrimitive: Primitive<ConcatParams> = {
  name: "concat",
  sums: true,
  output(inputs, { axis }) {
    const [first] = inputs;
    for (const { shape } of inputs) {
      if (shape.length !== first.shape.length || shape.some((dim, i) => i !== axis && dim !== first.shape[i])) {
        throw new CurvatureError(
          "shape",
          `concat: shapes ${formatDims(first.shape)} and ${formatDims(shape)} differ off axis ${axis}`,
        );
      }
    }
    const size = inputs.reduce((sum, { shape }) => sum + shape[axis], 0);
    return { shape: first.shape.map((dim, i) => (i === axis ? size : dim)), type: first.type };
  },
  simplify(inputs, _, { shape }) {
    if (inputs.length === 1) return inputs[0];
    const [{ uniform, type }] = inputs;
    const alike = uniform !== undefined && type === "float" && inputs.every((x) => x.uniform === uniform);
    return alike ? filled(shape, uniform) : undefined;
  },
  jvp: ({ inputs, params: { axis } }, tangents) =>
    concat(
      tangents.map((tangent, i) => tangent ?? zeros(inputs[i].shape)),
      axis,
    ),
  transpose({ inputs, params: { axis } }, c, linear) {
    let start = 0;
    return inputs.map(({ shape }, i) => {
      const part = linear[i] ? slice(c, { axis, start, limit: start + shape[axis] }) : null;
      start += shape[axis];
      return part;
    });
  },
  vectorize: ({ params: { axis } }, inputs, batched, size) =>
    concat(
      inputs.map((x, i) => (batched[i] ? x : broadcast(x, [size, ...x.shape]))),
      axis + 1,
    ),
  lower: ({ inputs, params: { axis } }, context) =>
    context.node(
      "Concat",
      inputs.map((x) => context.name(x)),
      { axis: { int: axis } },
    ),
};

/** Tensors one after the other along an axis. */
export function concat(inputs: readonly Value[], axis: number): Value {
  return apply(concatPrimitive, inputs, { axis: normalizeAxis("concat", axis, inputs[0].shape.length) });
}
