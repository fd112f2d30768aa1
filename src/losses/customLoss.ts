import { CurvatureError } from "../errors/index.ts";
import type { Value } from "../graph/index.ts";
import { formatDims, sizeOf } from "../tensors/index.ts";
import { checkedReduction, positionsOf } from "./layout.ts";
import type { Likelihood, Loss, Reduction } from "./loss.ts";

/** A loss written with primitives. */
export interface CustomLossOptions {
  readonly name?: string;
  /** Default "mean": divided by the number of terms. */
  readonly reduction?: Reduction;
  /** l of each term: outputs [T, C] and targets ([T] integers or [T, ...] floats) -> [T]. */
  readonly terms: (f: Value, y: Value) => Value;
  /** Whether l is convex in the outputs; false if you do not know. */
  readonly convex?: boolean;
  /** The distribution of labels whose negative log-likelihood the loss is; needed for Fisher matrices. */
  readonly likelihood?: Likelihood;
  /** Final activations that the loss contains itself; the model is cut before them. */
  readonly absorbs?: readonly ("Softmax" | "LogSoftmax" | "Sigmoid")[];
  /** Names of the outputs that the loss reads, joined along their last axis. */
  readonly outputNames?: readonly string[];
}

/**
 * Defines your own loss. The last axis of the output holds the outputs of a term, and all other axes enumerate terms. The numbers of a row
 * of targets are divided evenly among its terms.
 *
 * @throws CurvatureError "argument" for an unknown reduction; when a risk is made, "shape" for targets that cannot be divided or `terms`
 *   that do not return one number per term
 */
export function customLoss(options: CustomLossOptions): Loss {
  const {
    name = "customLoss",
    reduction = "mean",
    terms,
    convex = false,
    likelihood,
    absorbs = [],
    outputNames,
  } = options;
  return {
    name,
    reduction: checkedReduction(name, reduction),
    convex,
    absorbs,
    keepsIntegers: true,
    ...(outputNames && { outputNames }),
    ...(likelihood && { likelihood }),
    layout(output, targets) {
      const axis = Math.max(output.length - 1, 1);
      const positions = positionsOf(output, axis);
      const perRow = sizeOf(targets.dims.slice(1));
      if (perRow % positions !== 0) {
        throw new CurvatureError(
          "shape",
          `${name}: outputs of shape ${formatDims(output)} make ${positions} terms a row, among which the ${perRow} numbers of a row of targets ${formatDims(targets.dims)} cannot be divided`,
        );
      }
      return { positions, outputs: output[axis] ?? 1, axis };
    },
    terms(f, y) {
      const result = terms(f, y);
      if (result.shape.length === 1 && result.shape[0] === f.shape[0]) return result;
      throw new CurvatureError(
        "shape",
        `${name}: terms must return one number a term, shape ${formatDims([f.shape[0]])}, got ${formatDims(result.shape)}`,
      );
    },
    denominator: ({ dims }, { layout }) => dims[0] * layout.positions,
  };
}
