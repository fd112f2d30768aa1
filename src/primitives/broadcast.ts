import { CurvatureError } from "../errors/index.ts";
import {
  apply,
  constant,
  normalizeAxis,
  type Primitive,
  type Shape,
  sameShape,
  scalar,
  type Value,
} from "../graph/index.ts";
import { formatDims, sizeOf } from "../tensors/index.ts";
import { reshape } from "./movement.ts";

interface BroadcastParams {
  readonly shape: Shape;
}

const broadcastRules: Primitive<BroadcastParams> = {
  name: "broadcast",
  broadcasts: true,
  sums: true,
  recompute: true,
  output([x], { shape }) {
    const offset = shape.length - x.shape.length;
    if (offset < 0 || x.shape.some((dim, axis) => dim !== 1 && dim !== shape[axis + offset])) {
      throw new CurvatureError("shape", `broadcast: ${formatDims(x.shape)} does not broadcast to ${formatDims(shape)}`);
    }
    return { shape, type: x.type };
  },
  simplify([x], { shape }) {
    if (sameShape(x.shape, shape)) return x;
    if (x.uniform !== undefined && x.type === "float" && x.shape.length > 0) return filled(shape, x.uniform);
    if (sizeOf(x.shape) === sizeOf(shape)) return reshape(x, shape);
    return x.primitive === broadcastPrimitive ? broadcast(x.inputs[0], shape) : undefined;
  },
  uniform: ([x]) => x.uniform,
  jvp: ({ shape }, [dx]) => broadcast(dx!, shape),
  transpose: ({ inputs: [x] }, cotangent) => [sumTo(cotangent, x.shape)],
  vectorize: ({ shape, inputs: [x0] }, [x], _, size) =>
    broadcast(reshape(x, [size, ...shape.slice(x0.shape.length).map(() => 1), ...x0.shape]), [size, ...shape]),
  lower: ({ inputs: [x], shape }, context) => context.node("Expand", [context.name(x), context.integers(shape)]),
  format: ({ shape }) => formatDims(shape),
};

/** The primitive behind `broadcast`, for passes that look through it. */
export const broadcastPrimitive = broadcastRules as Primitive;

/** x repeated along axes of size 1 and along new leading axes, by NumPy's rule (ONNX Expand, one-sided). */
export function broadcast(x: Value, shape: Shape): Value {
  return apply(broadcastRules, [x], { shape });
}

interface ReduceParams {
  /** Axes that are summed over, ascending. */
  readonly axes: readonly number[];
  /** Whether these axes stay, with size 1. */
  readonly keep: boolean;
}

const reduceSumPrimitive: Primitive<ReduceParams> = {
  name: "reduceSum",
  axes({ inputs: [x], params: { axes, keep } }) {
    const left = (axis: number) => axis - axes.filter((other) => other < axis).length;
    return [x.shape.map((_, axis) => (axes.includes(axis) ? null : keep ? axis : left(axis)))];
  },
  sums: true,
  output: ([x], { axes, keep }) => ({
    shape: keep ? withOnes(x.shape, axes) : x.shape.filter((_, axis) => !axes.includes(axis)),
    type: x.type,
  }),
  simplify([x], { axes }, { shape }) {
    if (axes.every((axis) => x.shape[axis] === 1)) return reshape(x, shape);
    return x.uniform === 0 && x.type === "float" ? zeros(shape) : undefined;
  },
  jvp: ({ params }, [dx]) => apply(reduceSumPrimitive, [dx!], params),
  transpose({ inputs: [x], params: { axes } }, cotangent) {
    return [broadcast(reshape(cotangent, withOnes(x.shape, axes)), x.shape)];
  },
  vectorize: ({ params: { axes, keep } }, [x]) =>
    apply(reduceSumPrimitive, [x], { axes: axes.map((axis) => axis + 1), keep }),
  lower({ inputs: [x], params: { axes, keep }, shape }, context) {
    const leading = axes.every((axis, i) => axis === i);
    const rows = sizeOf(x.shape.slice(0, axes.length));
    const columns = sizeOf(shape);
    if (!leading || rows < 2 || columns < 2 || x.type !== "float") {
      const attributes = { keepdims: { int: Number(keep) } };
      return context.node("ReduceSum", [context.name(x), context.integers(axes)], attributes);
    }
    // A sum over rows as a product with ones is several times faster than ReduceSum, and ten times more accurate in float32.
    const shaped = (name: string, from: Shape, to: Shape) =>
      sameShape(from, to) ? name : context.node("Reshape", [name, context.integers(to)]);
    const matrix = shaped(context.name(x), x.shape, [rows, columns]);
    const ones = context.node("Expand", [context.float(1), context.integers([1, rows])]);
    return shaped(context.node("MatMul", [ones, matrix]), [1, columns], shape);
  },
  format: ({ axes }) => formatDims(axes),
};

/** Sum over some axes, which are removed; over all axes by default. Negative axes count from the end. */
export function reduceSum(x: Value, axes: readonly number[] = x.shape.map((_, axis) => axis)): Value {
  return summed(x, axes, false);
}

/** Sum over some axes, which stay with size 1. */
export function reduceSumKeeping(x: Value, axes: readonly number[]): Value {
  return summed(x, axes, true);
}

function summed(x: Value, axes: readonly number[], keep: boolean): Value {
  const normalized = axes.map((axis) => normalizeAxis("reduceSum", axis, x.shape.length)).sort((a, b) => a - b);
  return apply(reduceSumPrimitive, [x], { axes: normalized, keep });
}

/** Sum of x over everything along which a tensor of this shape was repeated to get x's shape: the transpose of broadcasting. */
export function sumTo(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  const offset = x.shape.length - shape.length;
  const axes = x.shape
    .map((_, axis) => axis)
    .filter((axis) => axis < offset || (shape[axis - offset] === 1 && x.shape[axis] !== 1));
  return reshape(offset === 0 ? reduceSumKeeping(x, axes) : reduceSum(x, axes), shape);
}

/** The shape with the given axes of size 1. */
export function withOnes(shape: Shape, axes: readonly number[]): Shape {
  return shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim));
}

/** Tensor of one number. */
export function filled(shape: Shape, value: number): Value {
  return broadcast(scalar(value), shape);
}

/** Tensor of zeros. */
export function zeros(shape: Shape): Value {
  return filled(shape, 0);
}

/** 1-D constant 0, 1, ..., length - 1 as int64. */
export function range(length: number): Value {
  return constant({ data: BigInt64Array.from({ length }, (_, i) => BigInt(i)), dims: [length] });
}
