import type { Value } from "../graph/index.ts";
import { exp, mul, reduceSum, scale, sub } from "../primitives/index.ts";
import { checkedReduction, lastAxisLayout } from "./layout.ts";
import type { Loss, Reduction } from "./loss.ts";
import { samplePoisson } from "./samplePoisson.ts";

/**
 * Poisson negative log-likelihood of counts y with rate e^f, l = sum_c e^f_c - y_c f_c (without the term log y!). "mean"
 * divides by the number of elements of the targets, as in PyTorch.
 */
export function poissonNll({ reduction = "mean" }: { readonly reduction?: Reduction } = {}): Loss {
  const terms = (f: Value, y: Value) => reduceSum(sub(exp(f), mul(y, f)), [1]);
  return {
    name: "poissonNll",
    reduction: checkedReduction("poissonNll", reduction),
    convex: true,
    absorbs: [],
    layout: (output, targets) => lastAxisLayout("poissonNll", { output, targets }),
    terms,
    denominator: ({ data }) => data.length,
    hessianRoot: (f, _, u) => rateRoot(f, u),
    targetRange: { from: 0, to: Number.POSITIVE_INFINITY },
    likelihood: {
      family: "poisson",
      label: "vector",
      labelSize: (outputs) => outputs,
      negativeLogLikelihood: terms,
      expectedHessian: (f, u) => mul(exp(f), u),
      expectedHessianRoot: rateRoot,
      // The score s = e^f - y has the variance of y, which is the rate.
      scoreMoment: (f, u) => mul(exp(f), u),
      sample(f, random, label) {
        for (let c = 0; c < f.length; c++) label[c] = samplePoisson(Math.exp(f[c]), random);
      },
    },
  };
}
/** Short names that the command line takes as well. */
poissonNll.aliases = ["poisson"];

/** diag(e^(f/2)) u: the root of the second derivative, the rate. */
function rateRoot(f: Value, u: Value): Value {
  return mul(exp(scale(f, 0.5)), u);
}
