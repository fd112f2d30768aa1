import type { Value } from "../graph/index.ts";
import { log, logSoftmax, reduceSum, softmax, sub, where, zeros } from "../primitives/index.ts";
import { isLabel } from "./categorical.ts";
import { customLoss } from "./customLoss.ts";
import type { Loss } from "./loss.ts";

/**
 * The margin of the label, a measurement of a prediction and no loss: `log p_y - log(1 - p_y)` with p = softmax(f), the log odds of the label (Park et al., 2023).
 * Unlike the loss it does not flatten where the prediction is sure. Higher is better. Targets are class indices.
 */
export function margin(): Loss {
  return customLoss({
    name: "margin",
    absorbs: ["Softmax", "LogSoftmax"],
    // 1 - p_y as the sum of the other classes' probabilities, which keeps its digits where p_y is near 1.
    terms: (f, y) =>
      sub(ofLabel(logSoftmax(f, 1), y), log(reduceSum(where(labelOf(f, y), zeros([]), softmax(f, 1)), [1]))),
  });
}

/** The logit of the label, a measurement of a prediction and no loss: f_y. Higher is better. Targets are class indices. */
export function logit(): Loss {
  return customLoss({ name: "logit", absorbs: ["Softmax", "LogSoftmax"], terms: ofLabel });
}

function labelOf(f: Value, y: Value): Value {
  return isLabel(y, f.shape[1]);
}

function ofLabel(values: Value, y: Value): Value {
  return reduceSum(where(labelOf(values, y), values, zeros([])), [1]);
}
