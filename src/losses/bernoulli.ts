import { scalar, type Value } from "../graph/index.ts";
import { add, mul, neg, reduceSum, sigmoid, softplus, sqrt, sub } from "../primitives/index.ts";
import type { Likelihood } from "./loss.ts";

/** sum_c y_c log(1 + e^-f_c) + (1 - y_c) log(1 + e^f_c) of each term, the first part passed through `weigh`. */
export function coinLoss(f: Value, y: Value, weigh: (positive: Value) => Value = (positive) => positive): Value {
  return reduceSum(add(weigh(mul(y, softplus(neg(f)))), mul(sub(scalar(1), y), softplus(f))), [1]);
}

/** An independent Bernoulli distribution for each output, with probability sigmoid(f_c). */
export const bernoulli: Likelihood = {
  family: "bernoulli",
  label: "vector",
  labelSize: (outputs) => outputs,
  negativeLogLikelihood: (f, y) => coinLoss(f, y),
  expectedHessian(f, u) {
    const p = sigmoid(f);
    return mul(mul(p, sub(scalar(1), p)), u);
  },
  expectedHessianRoot: (f, u) => mul(sqrt(mul(sigmoid(f), sigmoid(neg(f)))), u),
  // The score of an output is p - 1 with probability p, p with probability 1 - p; scores of outputs are independent with mean 0.
  scoreMoment(f, u) {
    const p = sigmoid(f);
    const q = sigmoid(neg(f));
    return mul(add(mul(p, mul(q, q)), mul(q, mul(p, p))), u);
  },
  sample(f, random, label) {
    for (let c = 0; c < f.length; c++) label[c] = random.uniform() < 1 / (1 + Math.exp(-f[c])) ? 1 : 0;
  },
};
