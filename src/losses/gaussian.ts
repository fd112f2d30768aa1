import { scalar, type Value } from "../graph/index.ts";
import { add, concat, exp, mul, neg, reduceSum, scale, slice, square, sub } from "../primitives/index.ts";
import type { Likelihood } from "./loss.ts";

/** sum_d (s_d + (y_d - m_d)^2 e^-s_d) / 2 of each term, for outputs [mean m(d), log-variance s(d)]. */
export function gaussianLoss(f: Value, y: Value): Value {
  const [mean, logVariance] = halves(f);
  const precise = mul(square(sub(y, mean)), exp(neg(logVariance)));
  return scale(reduceSum(add(logVariance, precise), [1]), 0.5);
}

/** N(m, e^s) for each number of a label, for outputs [m(d), s(d)]. */
export const gaussian: Likelihood = {
  family: "heteroscedastic",
  label: "vector",
  labelSize: (size) => size / 2,
  negativeLogLikelihood: gaussianLoss,
  // Second derivatives: e^-s with respect to m, r^2 e^-s / 2 with respect to s (expectation 1/2), r e^-s mixed (expectation 0).
  expectedHessian(f, u) {
    const [, logVariance] = halves(f);
    const [mean, spread] = halves(u);
    return concat([mul(exp(neg(logVariance)), mean), scale(spread, 0.5)], 1);
  },
  expectedHessianRoot(f, u) {
    const [, logVariance] = halves(f);
    const [mean, spread] = halves(u);
    return concat([mul(exp(scale(logVariance, -0.5)), mean), scale(spread, Math.SQRT1_2)], 1);
  },
  // Scores: -r e^-s with respect to m, (1 - z^2) / 2 with respect to s, with z = r e^(-s/2) standard normal: E[(1 - z^2)^2] / 4 = (1 - 2 +
  // 3) / 4.
  scoreMoment(f, u) {
    const [, logVariance] = halves(f);
    const [mean, spread] = halves(u);
    return concat([mul(exp(neg(logVariance)), mean), mul(scalar((1 - 2 + 3) / 4), spread)], 1);
  },
  sample(f, random, label) {
    const d = f.length / 2;
    for (let i = 0; i < d; i++) label[i] = f[i] + Math.exp(f[d + i] / 2) * random.normal();
  },
};

function halves(f: Value): readonly [Value, Value] {
  const size = f.shape[1];
  return [slice(f, { axis: 1, start: 0, limit: size / 2 }), slice(f, { axis: 1, start: size / 2, limit: size })];
}
