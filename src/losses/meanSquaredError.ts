import type { Value } from "../graph/index.ts";
import { reduceSum, scale, square, sub } from "../primitives/index.ts";
import { checkedReduction, lastAxisLayout } from "./layout.ts";
import type { Loss, Reduction } from "./loss.ts";

/**
 * Squared error, l = sum_c (f_c - y_c)^2 without a factor 1/2. "mean" divides by the number of elements of the targets, as in PyTorch. The
 * likelihood is N(f, I/2): its negative logarithm is l up to a constant.
 */
export function meanSquaredError({ reduction = "mean" }: { readonly reduction?: Reduction } = {}): Loss {
  const squares = (f: Value, y: Value) => reduceSum(square(sub(f, y)), [1]);
  return {
    name: "meanSquaredError",
    reduction: checkedReduction("meanSquaredError", reduction),
    convex: true,
    absorbs: [],
    layout: (output, targets) => lastAxisLayout("meanSquaredError", { output, targets }),
    terms: squares,
    denominator: ({ data }) => data.length,
    hessianRoot: (_f, _y, u) => scale(u, Math.SQRT2),
    likelihood: {
      family: "gaussian",
      label: "vector",
      labelSize: (outputs) => outputs,
      negativeLogLikelihood: squares,
      expectedHessian: (_, u) => scale(u, 2),
      expectedHessianRoot: (_, u) => scale(u, Math.SQRT2),
      // s = 2 (f - y) with y - f ~ N(0, I/2): E[s s'] = 4 I/2.
      scoreMoment: (_, u) => scale(u, 4 * 0.5),
      sample(f, random, label) {
        for (let c = 0; c < f.length; c++) label[c] = f[c] + Math.SQRT1_2 * random.normal();
      },
    },
  };
}
/** Short names that the command line takes as well. */
meanSquaredError.aliases = ["mse", "l2", "squaredError"];
