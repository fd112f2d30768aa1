import { CurvatureError } from "../errors/index.ts";
import { scalar, type Value } from "../graph/index.ts";
import { add, concat, exp, mul, neg, reduceSum, scale, slice, square, sub } from "../primitives/index.ts";
import { formatDims } from "../tensors/index.ts";
import { checkedReduction, fitsRows, positionsOf } from "./layout.ts";
import type { Loss, Reduction } from "./loss.ts";

/** Options of `gaussianNll`. */
export interface GaussianNllOptions {
  /** Default "mean": divided by the number of elements of the targets. */
  readonly reduction?: Reduction;
  /** Names of the model's outputs for mean and log-variance, where they are two; else the last axis holds [mean(d), logVariance(d)]. */
  readonly outputs?: readonly [mean: string, logVariance: string];
}

/**
 * Negative log-likelihood of a Gaussian whose mean m and log-variance s are both predicted,
 * l = sum_d (s_d + (y_d - m_d)^2 e^-s_d) / 2. Not convex: its Gauss-Newton matrix is indefinite, its Fisher matrices are not.
 *
 * @throws CurvatureError "argument" for names that are not two
 */
export function gaussianNll({ reduction = "mean", outputs }: GaussianNllOptions = {}): Loss {
  if (outputs !== undefined && (outputs.length as number) !== 2) {
    throw new CurvatureError(
      "argument",
      `gaussianNll: outputs must be two names, of mean and log-variance, got ${outputs.join(", ") || "none"}`,
    );
  }
  const terms = (f: Value, y: Value) => {
    const [mean, logVariance] = halves(f);
    const precise = mul(square(sub(y, mean)), exp(neg(logVariance)));
    return scale(reduceSum(add(logVariance, precise), [1]), 0.5);
  };
  return {
    name: "gaussianNll",
    reduction: checkedReduction("gaussianNll", reduction),
    convex: false,
    cut: [],
    ...(outputs === undefined ? {} : { outputNames: outputs }),
    layout(output, targets) {
      const axis = output.length - 1;
      const size = output[axis];
      if (output.length < 2 || size % 2 !== 0 || !fitsRows(targets.dims, [...output.slice(0, -1), size / 2])) {
        throw new CurvatureError(
          "shape",
          `gaussianNll: outputs must be [..., 2 d], mean then log-variance, for targets [..., d]; got outputs ${formatDims(output)} and targets ${formatDims(targets.dims)}`,
        );
      }
      return { positions: positionsOf(output, axis), outputs: size, axis };
    },
    terms,
    denominator: ({ data }) => data.length,
    likelihood: {
      label: "vector",
      labelSize: (size) => size / 2,
      negativeLogLikelihood: terms,
      // Second derivatives: e^-s in m, r^2 e^-s / 2 in s (expectation 1/2), r e^-s mixed (expectation 0).
      expectedHessian(f, u) {
        const [, logVariance] = halves(f);
        const [mean, spread] = halves(u);
        return concat([mul(exp(neg(logVariance)), mean), scale(spread, 0.5)], 1);
      },
      // Scores: -r e^-s in m, (1 - z^2) / 2 in s with z = r e^(-s/2) standard normal: E[(1 - z^2)^2] / 4 = (1 - 2 + 3) / 4.
      scoreMoment(f, u) {
        const [, logVariance] = halves(f);
        const [mean, spread] = halves(u);
        return concat([mul(exp(neg(logVariance)), mean), mul(scalar((1 - 2 + 3) / 4), spread)], 1);
      },
      sample(f, random, label) {
        const d = f.length / 2;
        for (let i = 0; i < d; i++) label[i] = f[i] + Math.exp(f[d + i] / 2) * random.normal();
      },
    },
  };
}

function halves(f: Value): readonly [Value, Value] {
  const size = f.shape[1];
  return [slice(f, { axis: 1, start: 0, limit: size / 2 }), slice(f, { axis: 1, start: size / 2, limit: size })];
}
