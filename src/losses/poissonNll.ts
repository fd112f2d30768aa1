import type { Value } from "../graph/index.ts";
import { exp, mul, reduceSum, sub } from "../primitives/index.ts";
import type { Stream } from "../random/index.ts";
import { checkedReduction, lastAxisLayout } from "./layout.ts";
import type { Loss, Reduction } from "./loss.ts";

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
    cut: [],
    layout: (output, targets) => lastAxisLayout("poissonNll", { output, targets }),
    terms,
    denominator: ({ data }) => data.length,
    targetRange: { from: 0, to: Number.POSITIVE_INFINITY },
    likelihood: {
      label: "vector",
      labelSize: (outputs) => outputs,
      negativeLogLikelihood: terms,
      expectedHessian: (f, u) => mul(exp(f), u),
      // s = e^f - y, whose variance is that of y, the rate.
      scoreMoment: (f, u) => mul(exp(f), u),
      sample(f, random, label) {
        for (let c = 0; c < f.length; c++) label[c] = samplePoisson(Math.exp(f[c]), random);
      },
    },
  };
}

/**
 * A Poisson count. Below a rate of 30 by counting products of uniforms (Knuth, 1969); above, by splitting: the sum of
 * independent Poisson counts of rates that add up is one of their sum.
 */
function samplePoisson(rate: number, random: Stream): number {
  let count = 0;
  let left = rate;
  while (left > 0) {
    const part = Math.min(left, 30);
    const limit = Math.exp(-part);
    let product = random.uniform();
    while (product > limit) {
      count++;
      product *= random.uniform();
    }
    left -= part;
  }
  return count;
}
