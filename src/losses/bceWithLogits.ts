import { CurvatureError } from "../errors/index.ts";
import { constant, scalar, type Value } from "../graph/index.ts";
import { add, mul, sqrt, sub } from "../primitives/index.ts";
import { bernoulli, coinLoss } from "./bernoulli.ts";
import { checkedReduction, lastAxisLayout } from "./layout.ts";
import type { Loss, Reduction } from "./loss.ts";

/** Options of `bceWithLogits`; defaults and meanings are PyTorch's. */
export interface BceWithLogitsOptions {
  /** Default "mean": divided by the number of elements of the targets. */
  readonly reduction?: Reduction;
  /** Weight of the positive part of each output's loss, [C], or one number for all. */
  readonly positiveWeights?: ArrayLike<number> | number;
}

/**
 * Binary cross-entropy of logits, l = sum_c q_c y_c log(1 + e^-f_c) + (1 - y_c) log(1 + e^f_c), with targets in [0, 1] and positive weights
 * q. The likelihood is an independent Bernoulli distribution with probability sigmoid(f_c) for each output.
 *
 * @throws CurvatureError "argument" for weights that are not positive
 */
export function bceWithLogits({ reduction = "mean", positiveWeights }: BceWithLogitsOptions = {}): Loss {
  const weights = positiveWeights === undefined ? undefined : checkedWeights(positiveWeights);
  const scaled = (positive: Value) =>
    weights === undefined
      ? positive
      : mul(positive, weights.length === 1 ? scalar(weights[0]) : constant({ data: weights, dims: [weights.length] }));
  return {
    name: "bceWithLogits",
    reduction: checkedReduction("bceWithLogits", reduction),
    convex: true,
    absorbs: ["Sigmoid"],
    binary: true,
    layout(output, targets) {
      const layout = lastAxisLayout("bceWithLogits", { output, targets });
      if (weights !== undefined && weights.length !== 1 && weights.length !== layout.outputs) {
        throw new CurvatureError(
          "shape",
          `bceWithLogits: the model has ${layout.outputs} outputs, but ${weights.length} positiveWeights were given`,
        );
      }
      return layout;
    },
    terms: (f, y) => coinLoss(f, y, scaled),
    denominator: ({ data }) => data.length,
    targetRange: { from: 0, to: 1 },
    // The second derivative of the positive part is weighted: (q y + 1 - y) p (1 - p).
    hessianRoot: (f, y, u) => mul(sqrt(add(scaled(y), sub(scalar(1), y))), bernoulli.expectedHessianRoot!(f, u)),
    likelihood: bernoulli,
  };
}

function checkedWeights(given: ArrayLike<number> | number): Float64Array {
  const weights = Float64Array.from(typeof given === "number" ? [given] : given);
  if (weights.some((weight) => !(weight > 0 && Number.isFinite(weight)))) {
    throw new CurvatureError(
      "argument",
      `bceWithLogits: positiveWeights must be positive and finite, got ${weights.join(", ")}`,
    );
  }
  if (weights.length > 0) return weights;
  throw new CurvatureError(
    "argument",
    "bceWithLogits: positiveWeights must be one number or one for each output, got none",
  );
}

/** Short names that the command line takes as well. */
bceWithLogits.aliases = ["bce", "binaryCrossEntropy", "binaryCrossEntropyWithLogits", "sigmoidCrossEntropy"];
