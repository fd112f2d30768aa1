import { CurvatureError } from "../errors/index.ts";
import { apply, type Primitive, type Shape, sameShape, type Value } from "../graph/index.ts";
import { formatDims, sizeOf } from "../tensors/index.ts";

interface ReshapeParams {
  readonly shape: Shape;
}

const reshapePrimitive: Primitive<ReshapeParams> = {
  name: "reshape",
  view: true,
  moves: () => true,
  sums: true,
  recompute: true,
  output([x], { shape }) {
    if (sizeOf(x.shape) !== sizeOf(shape)) {
      throw new CurvatureError(
        "shape",
        `reshape: ${formatDims(x.shape)} has not as many elements as ${formatDims(shape)}`,
      );
    }
    return { shape, type: x.type };
  },
  simplify([x], { shape }) {
    if (sameShape(x.shape, shape)) return x;
    return x.primitive === (reshapePrimitive as Primitive) ? reshape(x.inputs[0], shape) : undefined;
  },
  uniform: ([x]) => x.uniform,
  jvp: ({ shape }, [dx]) => reshape(dx!, shape),
  transpose: ({ inputs: [x] }, cotangent) => [reshape(cotangent, x.shape)],
  vectorize: ({ shape }, [x], _, size) => reshape(x, [size, ...shape]),
  lower: ({ inputs: [x], shape }, context) =>
    context.node(
      "Reshape",
      [context.name(x), context.integers(shape)],
      shape.includes(0) ? { allowzero: { int: 1 } } : {},
    ),
  lowerScaled({ inputs: [x], shape }, factor, context) {
    if (context.uses(x) !== 1 || shape.includes(0)) return undefined;
    const scaled = x.primitive.lowerScaled?.(x, factor, context);
    return scaled && context.node("Reshape", [scaled, context.integers(shape)]);
  },
  format: ({ shape }) => formatDims(shape),
};

/** The same elements, row-major, in another shape. */
export function reshape(x: Value, shape: Shape): Value {
  return apply(reshapePrimitive, [x], { shape });
}

/** Operand and order of axes of a permutation; undefined for any other value. */
export function permutedFrom(x: Value): { readonly value: Value; readonly axes: readonly number[] } | undefined {
  if (x.primitive !== (permutePrimitive as Primitive)) return undefined;
  return { value: x.inputs[0], axes: (x.params as PermuteParams).axes };
}

/** Operand of a reshape; undefined for any other value. */
export function reshapedFrom(x: Value): Value | undefined {
  return x.primitive === (reshapePrimitive as Primitive) ? x.inputs[0] : undefined;
}

interface PermuteParams {
  /** Axis of the input that becomes axis i of the result. */
  readonly axes: readonly number[];
}

const permutePrimitive: Primitive<PermuteParams> = {
  name: "permute",
  moves: () => true,
  axes: ({ params: { axes } }) => [axes.map((_, axis) => axes.indexOf(axis))],
  sums: true,
  output([x], { axes }) {
    if (axes.length !== x.shape.length || x.shape.some((_, axis) => !axes.includes(axis))) {
      throw new CurvatureError(
        "shape",
        `permute: ${formatDims(axes)} is no order of the axes of ${formatDims(x.shape)}`,
      );
    }
    return { shape: axes.map((axis) => x.shape[axis]), type: x.type };
  },
  simplify([x], { axes }, output) {
    if (axes.every((axis, i) => axis === i)) return x;
    if (x.primitive === (permutePrimitive as Primitive)) {
      const first = (x.params as PermuteParams).axes;
      return permute(
        x.inputs[0],
        axes.map((axis) => first[axis]),
      );
    }
    // Moving axes of size 1 moves no element.
    const moved = axes.filter((axis) => x.shape[axis] !== 1);
    return moved.every((axis, i) => i === 0 || moved[i - 1] < axis) ? reshape(x, output.shape) : undefined;
  },
  uniform: ([x]) => x.uniform,
  jvp: ({ params: { axes } }, [dx]) => permute(dx!, axes),
  transpose: ({ params: { axes } }, cotangent) => [permute(cotangent, inverseOrder(axes))],
  vectorize: ({ params: { axes } }, [x]) => permute(x, [0, ...axes.map((axis) => axis + 1)]),
  lower: ({ inputs: [x], params: { axes } }, context) =>
    context.node("Transpose", [context.name(x)], { perm: { ints: axes } }),
  format: ({ axes }) => formatDims(axes),
};

/** The same tensor with its axes in another order: axis i of the result is axis `axes[i]` of x (ONNX Transpose). */
export function permute(x: Value, axes: readonly number[]): Value {
  return apply(permutePrimitive, [x], { axes });
}

/** The order that undoes an order of axes. */
export function inverseOrder(axes: readonly number[]): number[] {
  const inverse = new Array<number>(axes.length);
  axes.forEach((axis, i) => {
    inverse[axis] = i;
  });
  return inverse;
}

/** x with axis `from` moved to position `to`, the others keeping their order. */
export function moveAxis(x: Value, from: number, to: number): Value {
  const axes = x.shape.map((_, axis) => axis).filter((axis) => axis !== from);
  axes.splice(to, 0, from);
  return permute(x, axes);
}

/** Matrix transpose of the last two axes. */
export function swapLastAxes(x: Value): Value {
  const rank = x.shape.length;
  return permute(x, [...Array.from({ length: rank - 2 }, (_, axis) => axis), rank - 1, rank - 2]);
}
