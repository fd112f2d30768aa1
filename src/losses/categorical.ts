import { constant, type Value } from "../graph/index.ts";
import {
  add,
  broadcast,
  concat,
  div,
  equal,
  filled,
  logSoftmax,
  matmul,
  mul,
  neg,
  range,
  reduceSum,
  reduceSumKeeping,
  reshape,
  slice,
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
  // R = diag(q) - p q' for q = sqrt(p): R R' = diag(p) - 2 p p' + p (sum_c p_c) p', and R q = 0. The reflection that takes q to the first unit
  // vector (Householder, 1958) makes the first of its columns 0; the others become R_j - q_j / (1 + q_1) R_1, so that R u = w - p (sum_c w_c) with
  // w_j = q_j u_j and w_1 = -q_1 / (1 + q_1) sum_j q_j u_j.
  expectedHessianRoot(f, u) {
    const [terms, classes] = f.shape;
    const p = softmax(f, 1);
    const q = sqrt(p);
    if (classes === 1) return mul(sub(p, p), u);
    const first = slice(q, { axis: 1, start: 0, limit: 1 });
    const others = mul(slice(q, { axis: 1, start: 1, limit: classes }), u);
    const share = div(first, add(first, filled([terms, 1], 1)));
    const w = concat([neg(mul(share, reduceSumKeeping(others, [1]))), others], 1);
    return sub(w, mul(p, reduceSumKeeping(w, [1])));
  },
  expectedHessianRootColumns: (classes) => Math.max(classes - 1, 1),
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
