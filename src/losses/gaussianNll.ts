import { CurvatureError } from "../errors/index.ts";
import { formatDims } from "../tensors/index.ts";
import { gaussian, gaussianLoss } from "./gaussian.ts";
import { checkedReduction, fitsRows, positionsOf } from "./layout.ts";
import type { Loss, Reduction } from "./loss.ts";

/** Options of `gaussianNll`. */
export interface GaussianNllOptions {
  /** Default "mean": divided by the number of elements of the targets. */
  readonly reduction?: Reduction;
  /**
   * Names of the model's outputs for mean and log-variance, if these are two outputs. Otherwise the last axis holds [mean(d),
   * logVariance(d)].
   */
  readonly outputs?: readonly [mean: string, logVariance: string];
}

/**
 * Negative log-likelihood of a Gaussian whose mean m and log-variance s are both predicted, l = sum_d (s_d + (y_d - m_d)^2 e^-s_d) / 2. The
 * loss is not convex: its Gauss-Newton matrix is indefinite, while its Fisher matrices are positive semidefinite.
 *
 * @throws CurvatureError "argument" unless there are two names
 */
export function gaussianNll({ reduction = "mean", outputs }: GaussianNllOptions = {}): Loss {
  if (outputs !== undefined && (outputs.length as number) !== 2) {
    throw new CurvatureError(
      "argument",
      `gaussianNll: outputs must be two names, of mean and log-variance, got ${outputs.join(", ") || "none"}`,
    );
  }
  return {
    name: "gaussianNll",
    reduction: checkedReduction("gaussianNll", reduction),
    convex: false,
    absorbs: [],
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
    terms: gaussianLoss,
    denominator: ({ data }) => data.length,
    likelihood: gaussian,
  };
}
/** Short names that the command line takes as well. */
gaussianNll.aliases = ["gaussian"];
