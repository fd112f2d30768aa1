import { apply, normalizeAxis, type Primitive, type Value } from "../graph/index.ts";
import { mul, sub } from "./arithmetic.ts";
import { reduceSumKeeping, zeros } from "./broadcast.ts";
import { isNaN, where } from "./select.ts";

interface SoftmaxParams {
  readonly axis: number;
}

const softmaxPrimitive: Primitive<SoftmaxParams> = {
  name: "softmax",
  output: ([x]) => ({ shape: x.shape, type: x.type }),
  // dp = p (dx - sum(p dx))
  jvp(p, [dx]) {
    const { axis } = p.params;
    return mul(p, sub(dx!, reduceSumKeeping(mul(p, dx!), [axis])));
  },
  vectorize: ({ params: { axis } }, [x]) => softmax(x, axis + 1),
  lower: ({ inputs: [x], params: { axis } }, context) =>
    context.node("Softmax", [context.name(x)], { axis: { int: axis } }),
};

/** e^x / sum(e^x) along an axis, stable for any x. */
export function softmax(x: Value, axis: number): Value {
  return apply(softmaxPrimitive, [x], { axis: normalizeAxis("softmax", axis, x.shape.length) });
}

const maskedSoftmaxPrimitive: Primitive<SoftmaxParams> = {
  ...softmaxPrimitive,
  name: "maskedSoftmax",
  jvp(p, [dx]) {
    const { axis } = p.params;
    const safe = where(isNaN(p), zeros([]), p);
    return mul(safe, sub(dx!, reduceSumKeeping(mul(safe, dx!), [axis])));
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

const logSoftmaxPrimitive: Primitive<SoftmaxParams> = {
  name: "logSoftmax",
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
