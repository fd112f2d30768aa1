import { apply, normalizeAxis, type Primitive, type Value } from "../graph/index.ts";
import { add, mul, neg, sub } from "./arithmetic.ts";
import { broadcast, reduceSumKeeping, zeros } from "./broadcast.ts";
import { matmul, rightTransposed } from "./matmul.ts";
import { isNaN, where } from "./select.ts";

interface SoftmaxParams {
  readonly axis: number;
}

const softmaxRules: Pick<Primitive<SoftmaxParams>, "takesMasks" | "output" | "lower"> = {
  takesMasks: true,
  output: ([x]) => ({ shape: x.shape, type: x.type }),
  lower: ({ inputs: [x], params: { axis } }, context) =>
    context.node("Softmax", [context.name(x)], { axis: { int: axis } }),
};

const softmaxPrimitive: Primitive<SoftmaxParams> = {
  ...softmaxRules,
  name: "softmax",
  jvp: (p, [dx]) => softmaxTangent(dx!, p, p.params.axis),
  vectorize: ({ params: { axis } }, [x]) => softmax(x, axis + 1),
  logarithm: ({ inputs: [x], params: { axis } }) => logSoftmax(x, axis),
};

/** e^x / sum(e^x) along an axis, stable for any x. */
export function softmax(x: Value, axis: number): Value {
  return apply(softmaxPrimitive, [x], { axis: normalizeAxis("softmax", axis, x.shape.length) });
}

const maskedSoftmaxPrimitive: Primitive<SoftmaxParams> = {
  ...softmaxRules,
  name: "maskedSoftmax",
  jvp(p, [dx]) {
    const { axis } = p.params;
    return softmaxTangent(dx!, where(isNaN(p), zeros([]), p), axis);
  },
  vectorize: ({ params: { axis } }, [x]) => maskedSoftmax(x, axis + 1),
};

/**
 * Softmax of rows that may be masked out altogether (every x is minus infinity): such a row is NaN, as in ONNX Runtime, but
 * its derivative is zero, so that a `Where(IsNaN(p), 0, p)` after it does not leak NaN into derivatives.
 */
export function maskedSoftmax(x: Value, axis: number): Value {
  return apply(maskedSoftmaxPrimitive, [x], { axis: normalizeAxis("softmax", axis, x.shape.length) });
}

/*
 * T = p (v - sum(p v)) with the sum along the axis. For each row it is a symmetric matrix times v, so that it is its own transpose. In both
 *   dT = p (dv - sum(p dv + dp v)) + dp (v - sum(p v)).
 */
const tangentPrimitive: Primitive<SoftmaxParams> = {
  name: "softmaxTangent",
  output: ([v]) => ({ shape: v.shape, type: v.type }),
  jvp({ inputs: [v, p], params: { axis } }, [dv, dp]) {
    if (dp === null) return softmaxTangent(dv!, p, axis);
    const sums = [mul(dp, v), ...(dv ? [mul(p, dv)] : [])]
      .map((product) => reduceSumKeeping(product, [axis]))
      .reduce(add);
    return add(mul(p, dv ? sub(dv, sums) : neg(sums)), mul(dp, sub(v, rowSums(p, v, axis))));
  },
  transpose: ({ inputs: [, p], params: { axis } }, c, [linear]) => [linear ? softmaxTangent(c, p, axis) : null, null],
  vectorize: ({ params: { axis }, inputs: [v0] }, [v, p], [batched], size) =>
    softmaxTangent(batched ? v : broadcast(v, [size, ...v0.shape]), p, axis + 1),
  alternative: ({ inputs: [v, p], params: { axis } }) => mul(p, sub(v, rowSums(p, v, axis))),
};

/** Tangent of a softmax p for a tangent v of its operand. */
function softmaxTangent(v: Value, p: Value, axis: number): Value {
  return apply(tangentPrimitive, [v, p], { axis });
}

/**
 * sum(p v) along an axis that is kept. In attention v = C B' for the cotangent C of P B, so that the sum is that of the smaller C (P B),
 * which is known already (Dao et al., FlashAttention, 2022).
 */
function rowSums(p: Value, v: Value, axis: number): Value {
  const last = v.shape.length - 1;
  const factors = axis === last && p.shape.length === v.shape.length ? rightTransposed(v) : undefined;
  if (factors === undefined || factors[0].shape[last] >= v.shape[last]) return reduceSumKeeping(mul(p, v), [axis]);
  return reduceSumKeeping(mul(factors[0], matmul(p, factors[1])), [last]);
}

const logSoftmaxPrimitive: Primitive<SoftmaxParams> = {
  name: "logSoftmax",
  takesMasks: true,
  output: ([x]) => ({ shape: x.shape, type: x.type }),
  // d log p = dx - sum(p dx)
  jvp({ inputs: [x], params: { axis } }, [dx]) {
    return sub(dx!, reduceSumKeeping(mul(softmax(x, axis), dx!), [axis]));
  },
  vectorize: ({ params: { axis } }, [x]) => logSoftmax(x, axis + 1),
  lower: ({ inputs: [x], params: { axis } }, context) =>
    context.node("LogSoftmax", [context.name(x)], { axis: { int: axis } }),
};

/** log(softmax(x)) along an axis: x - log(sum(e^x)), stable for any x. */
export function logSoftmax(x: Value, axis: number): Value {
  return apply(logSoftmaxPrimitive, [x], { axis: normalizeAxis("logSoftmax", axis, x.shape.length) });
}
