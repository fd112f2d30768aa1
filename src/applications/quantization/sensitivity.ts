import type { Estimate } from "../../linalg/index.ts";
import type { EvaluationCost } from "../evaluations.ts";
import type { RoundingScheme } from "../uniformGrid.ts";
import type { ChannelAxis } from "./channelAxis.ts";
import type { PredictedChange } from "./quadraticRange.ts";

/** How much the loss minds rounding each tensor. */
export interface QuantizationSensitivity extends EvaluationCost {
  /** The loss at the weights. */
  readonly loss: number;
  readonly bits: readonly number[];
  readonly scheme: RoundingScheme;
  readonly scale: "max" | "mse";
  readonly tensors: readonly TensorSensitivity[];
  /** One sentence each: predictions outside the quadratic range, negative traces, estimates that say little. */
  readonly warnings: readonly string[];
}

/** How much the loss minds rounding one tensor. */
export interface TensorSensitivity extends ChannelAxis {
  /** Name of the parameter. */
  readonly name: string;
  readonly dims: readonly number[];
  readonly size: number;
  /** Trace of the tensor's block of the matrix. */
  readonly trace: Estimate;
  /** The largest eigenvalue of that block, with its residual norm; absent with `eigenvalues: false`. */
  readonly largestEigenvalue?: { readonly value: number; readonly residualNorm: number };
  /** HAWQ (Dong et al., 2019): the largest eigenvalue over the number of weights. Orders tensors, says nothing on bits. */
  readonly hawq?: number;
  readonly choices: readonly BitChoice[];
}

/** What rounding one tensor to some bits does. */
export interface BitChoice extends PredictedChange {
  readonly bits: number;
  /** Sum of the squared rounding errors |d|^2. */
  readonly squaredError: number;
  /** HAWQ-V2 (Dong et al., 2020): trace / size * |d|^2, as if the errors pointed everywhere alike. Twice a predicted increase of the loss. */
  readonly omega: Estimate;
}
