import { constant, type Value } from "../graph/index.ts";
import {
  broadcast,
  equal,
  logSoftmax,
  matmul,
  mul,
  neg,
  range,
  reduceSum,
  reduceSumKeeping,
  reshape,
  softmax,
  sqrt,
  sub,
  where,
  zeros,
} from "../primitives/index.ts";
import type { Likelihood } from "./loss.ts";

/** Whether class c is the label of term t: labels [T] -> booleans [T, C]. */
export function isLabel(y: Value, classes: number): Value {
  const index =
    y.type === "int64"
      ? range(classes)
      : constant({ data: Int32Array.from({ length: classes }, (_, c) => c), dims: [classes] });
  return equal(reshape(y, [y.shape[0], 1]), index);
}

/** -log softmax(f)_y of each term; 0 for a label that is not a class. */
export function labelLogLoss(f: Value, y: Value): Value {
  // Select instead of multiplying, because 0 times a logit of minus infinity would be NaN.
  return neg(reduceSum(where(isLabel(y, f.shape[1]), logSoftmax(f, 1), zeros([])), [1]));
}

/** Class labels with probabilities softmax(f). */
export const categorical: Likelihood = {
  family: "categorical",
  label: "class",
  labelSize: () => 1,
  negativeLogLikelihood: labelLogLoss,
  // diag(p) - p p'
  expectedHessian(f, u) {
    const p = softmax(f, 1);
    return sub(mul(p, u), mul(p, reduceSumKeeping(mul(p, u), [1])));
  },
  expectedHessianDiagonal(f) {
    const p = softmax(f, 1);
    return mul(p, sub(constant({ data: Float64Array.of(1), dims: [] }), p));
  },
  // sum_t w_t (diag(p_t) - p_t p_t')
  expectedHessianSum(f, weights) {
    const p = softmax(f, 1);
    const weighted = weights === undefined ? p : mul(p, reshape(weights, [f.shape[0], 1]));
    return { diagonal: reduceSum(weighted, [0]), rest: matmul(p, weighted, { transposeA: true }) };
  },
  // S = diag(sqrt p) - p sqrt(p)': S S' = diag(p) - 2 p p' + p (sum_c p_c) p'.
  expectedHessianRoot(f, u) {
    const p = softmax(f, 1);
    const scaled = mul(sqrt(p), u);
    return sub(scaled, mul(p, reduceSumKeeping(scaled, [1])));
  },
  // The score at label k is p - e_k, with probability p_k: sum_k p_k (p - e_k) a_k with a_k = (p - e_k)' u = p' u - u_k.
  scoreMoment(f, u) {
    const p = softmax(f, 1);
    const a = sub(reduceSumKeeping(mul(p, u), [1]), u);
    const weighted = mul(p, a);
    return sub(mul(p, reduceSumKeeping(weighted, [1])), broadcast(weighted, f.shape));
  },
  sample(f, random, label) {
    let largest = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < f.length; c++) if (f[c] > largest) largest = f[c];
    let total = 0;
    for (let c = 0; c < f.length; c++) total += Math.exp(f[c] - largest);
    let left = random.uniform() * total;
    let drawn = 0;
    for (let c = 0; c < f.length; c++) {
      const p = Math.exp(f[c] - largest);
      if (p > 0) drawn = c;
      left -= p;
      if (left < 0) break;
    }
    label[0] = drawn;
  },
};
