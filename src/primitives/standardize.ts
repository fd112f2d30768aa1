import { CurvatureError } from "../errors/index.ts";
import { apply, type Lowering, type Primitive, type Shape, sameShape, scalar, type Value } from "../graph/index.ts";
import { formatDims, sizeOf } from "../tensors/index.ts";
import { add, arithmeticPrimitives, div, mul, neg, scale, sub } from "./arithmetic.ts";
import { broadcast, broadcastPrimitive, reduceSumKeeping, withOnes } from "./broadcast.ts";
import { productWith } from "./matmul.ts";
import { reshape, reshapedFrom } from "./movement.ts";
import { sqrt, square } from "./unary.ts";

/** Axes over which a tensor is standardized. */
export interface StandardizeOptions {
  /** Number of axes, counted from the last, over which mean and variance are taken; default 1. */
  readonly trailing?: number;
  /** Added to the variance; default 1e-5. */
  readonly epsilon?: number;
}

type StandardizeParams = Required<StandardizeOptions>;

const standardizePrimitive: Primitive<StandardizeParams> = {
  name: "standardize",
  output([x], { trailing }) {
    checkTrailing("standardize", x, trailing);
    return { shape: x.shape, type: x.type };
  },
  jvp: (y, [dx]) =>
    standardizeTangent(dx!, { standardized: y, inverse: inverseDeviation(y.inputs[0], y.params) }, y.params.trailing),
  vectorize: ({ params }, [x]) => standardize(x, params),
  // In float64 the kernel takes as long as the pieces, and its deviation is float32.
  alternative: ({ inputs: [x], params }, precision) =>
    precision === "float64" ? mul(centered(x, params.trailing), inverseDeviation(x, params)) : undefined,
  lower: (node, context) => layerNormalization(node, context)[0],
};

/**
 * (x - mean) / sqrt(variance + epsilon) over the last axes, the variance being the mean square of the centered values: mean 0
 * and variance 1 (LayerNorm without scale and shift; Ba, Kiros and Hinton, 2016).
 *
 * @throws CurvatureError "shape" if x has fewer axes than are averaged over
 */
export function standardize(x: Value, { trailing = 1, epsilon = 1e-5 }: StandardizeOptions = {}): Value {
  return apply(standardizePrimitive, [x], { trailing, epsilon });
}

const inverseDeviationPrimitive: Primitive<StandardizeParams> = {
  name: "inverseDeviation",
  output([x], { trailing }) {
    checkTrailing("inverseDeviation", x, trailing);
    return { shape: withOnes(x.shape, lastAxes(x.shape, trailing)), type: x.type };
  },
  // With s = (mean(c^2) + epsilon)^(-1/2), c = x - mean(x), y = c s: ds = -s^3 mean(c dx) = -s^2 mean(y dx).
  jvp(s, [dx]) {
    const y = standardize(s.inputs[0], s.params);
    return neg(mul(square(s), meanKeeping(mul(y, dx!), s.params.trailing)));
  },
  vectorize: ({ params }, [x]) => inverseDeviation(x, params),
  alternative({ inputs: [x], params: { trailing, epsilon } }, precision) {
    if (precision !== "float64") return undefined;
    const variance = meanKeeping(square(centered(x, trailing)), trailing);
    return div(scalar(1), sqrt(add(variance, scalar(epsilon))));
  },
  lower: (node, context) => layerNormalization(node, context)[2],
};

/**
 * 1 / sqrt(variance + epsilon) over the last axes, which stay with size 1: the factor of `standardize`.
 *
 * @throws CurvatureError "shape" if x has fewer axes than are averaged over
 */
export function inverseDeviation(x: Value, { trailing = 1, epsilon = 1e-5 }: StandardizeOptions = {}): Value {
  return apply(inverseDeviationPrimitive, [x], { trailing, epsilon });
}

/** Result, mean and 1 / deviation, by one node for a tensor. */
function layerNormalization(
  { inputs: [x], params: { trailing, epsilon } }: Value<StandardizeParams>,
  context: Lowering,
) {
  const axes = lastAxes(x.shape, trailing);
  const name = context.name(x);
  const ones = context.node("Expand", [context.float(1), context.integers(axes.map((axis) => x.shape[axis]))]);
  return context.nodes(`standardize ${name} ${trailing} ${epsilon}`, {
    op: "LayerNormalization",
    inputs: [name, ones],
    attributes: { axis: { int: -trailing }, epsilon: { float: epsilon } },
    outputs: 3,
  });
}

interface TangentParams {
  readonly trailing: number;
}

/*
 * With y = standardize(x), s its factor and m = mean(y v): S = s (v - mean(v) - y m). For each row S is a symmetric matrix times v, so
 * that it is its own transpose. In all three
 *   dS = s (dv - mean(dv) - dy m - y mean(y dv + dy v)) + S ds / s.
 */
const tangentPrimitive: Primitive<TangentParams> = {
  name: "standardizeTangent",
  output: ([v]) => ({ shape: v.shape, type: v.type }),
  jvp(node, [dv, dy, ds]) {
    const { trailing } = node.params;
    const [v, standardized, inverse] = node.inputs;
    const moved =
      dy === null ? dv && standardizeTangent(dv, { standardized, inverse }, trailing) : turned(node, dv, dy);
    const stretched = ds && mul(node, div(ds, inverse));
    return broadcast(moved && stretched ? add(moved, stretched) : (moved ?? stretched)!, v.shape);
  },
  transpose: ({ inputs: [, standardized, inverse], params: { trailing } }, c, [linear]) => [
    linear ? standardizeTangent(c, { standardized, inverse }, trailing) : null,
    null,
    null,
  ],
  vectorize: ({ params: { trailing }, inputs: [v0] }, [v, standardized, inverse], [batched], size) =>
    standardizeTangent(batched ? v : broadcast(v, [size, ...v0.shape]), { standardized, inverse }, trailing),
  // mean(y v) is mean(y (v - mean(v))), as y has mean 0.
  alternative({ inputs: [v, y, s], params: { trailing } }) {
    const w = center(v, trailing);
    return mul(s, sub(w, mul(y, meanKeeping(mul(y, w), trailing))));
  },
};

/**
 * dS without its part in ds. As y and dy have mean 0, v and dv count without their means only, and nothing reads them with these.
 */
function turned({ inputs: [v, y, s], params: { trailing } }: Value<TangentParams>, dv: Value | null, dy: Value): Value {
  const w = center(v, trailing);
  const dw = dv && center(dv, trailing);
  const along = [mul(dy, w), ...(dw ? [mul(y, dw)] : [])].map((product) => meanKeeping(product, trailing)).reduce(add);
  const sheared = add(mul(dy, meanKeeping(mul(y, w), trailing)), mul(y, along));
  return mul(s, dw ? sub(dw, sheared) : neg(sheared));
}

/** Tangent of `standardize` for a tangent v of its operand. */
function standardizeTangent(
  v: Value,
  { standardized, inverse }: { readonly standardized: Value; readonly inverse: Value },
  trailing: number,
): Value {
  return apply(tangentPrimitive, [v, standardized, inverse], { trailing });
}

const centerPrimitive: Primitive<TangentParams> = {
  name: "center",
  output: ([x]) => ({ shape: x.shape, type: x.type }),
  jvp: ({ params: { trailing } }, [dx]) => center(dx!, trailing),
  transpose: ({ params: { trailing } }, c) => [center(c, trailing)],
  vectorize: ({ params: { trailing } }, [x]) => center(x, trailing),
  alternative: ({ inputs: [x], params: { trailing } }) =>
    (trailing === 1 && centeredInside(x)) || centered(x, trailing),
};

/** x - mean(x) over the last axes, for values that nothing else reads. */
function center(x: Value, trailing: number): Value {
  return apply(centerPrimitive, [x], { trailing });
}

/** Size of x over that of a factor or a repeated operand from which on the mean is taken of the smaller one. */
const WORTH_CENTERING = 4;

/** x - mean(x) over the last axis where that is a mean of something smaller: A (B - mean(B)) for x = A B; undefined where it is not. */
function centeredInside(x: Value): Value | undefined {
  const last = (value: Value) => value.shape[value.shape.length - 1];
  const isSmall = (value: Value) => WORTH_CENTERING * sizeOf(value.shape) <= sizeOf(x.shape);
  const source = reshapedFrom(x);
  if (source !== undefined) {
    const inner = last(source) === last(x) ? centeredInside(source) : undefined;
    return inner && reshape(inner, x.shape);
  }
  const [a, b] = x.inputs;
  switch (x.primitive) {
    case arithmeticPrimitives.add: {
      const parts = [a, b].map((part) => (sameShape(part.shape, x.shape) ? centeredInside(part) : undefined));
      return parts[0] && parts[1] && add(parts[0], parts[1]);
    }
    case broadcastPrimitive:
      return last(a) === last(x) && isSmall(a) ? broadcast(centered(a, 1), x.shape) : undefined;
    default:
      return isSmall(b ?? x) ? productWith(x, (columns, axis) => sub(columns, meanOver(columns, [axis]))) : undefined;
  }
}

function centered(x: Value, trailing: number): Value {
  return sub(x, meanKeeping(x, trailing));
}

function meanKeeping(x: Value, trailing: number): Value {
  return meanOver(x, lastAxes(x.shape, trailing));
}

function meanOver(x: Value, axes: readonly number[]): Value {
  const sum = reduceSumKeeping(x, axes);
  return scale(sum, sizeOf(sum.shape) / sizeOf(x.shape));
}

function lastAxes(shape: Shape, trailing: number): number[] {
  return shape.map((_, axis) => axis).slice(shape.length - trailing);
}

function checkTrailing(name: string, { shape }: Value, trailing: number): void {
  if (trailing >= 1 && trailing <= shape.length) return;
  throw new CurvatureError(
    "shape",
    `${name}: cannot average over the last ${trailing} axes of ${formatDims(shape)}; give a number of axes that it has`,
  );
}
