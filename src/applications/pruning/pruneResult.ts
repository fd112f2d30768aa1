import type { Outcome } from "../../linalg/index.ts";
import type { Vector } from "../../tensors/index.ts";
import type { EvaluationCost } from "../evaluations.ts";
import type { CurvatureModel } from "./curvatureModel.ts";
import type { SaliencyMethod } from "./scores.ts";

/** One step of pruning: predicted and measured. */
export interface PruneStep {
  readonly step: number;
  /** Weights removed so far, over the candidates. */
  readonly sparsity: number;
  /** Weights removed so far. */
  readonly removed: number;
  /** Loss before the step. */
  readonly lossBefore: number;
  /** `g'd + d'A d / 2` of the change d of this step: the increase of the loss that the quadratic model predicts, without damping. */
  readonly predictedIncrease: number;
  /** What the compensation has minimized: the same with damping, and without `g'd` unless the gradient was taken into account. Absent without compensation. */
  readonly modelIncrease?: number;
  /** Loss after the step. */
  readonly loss: number;
  /** Share of right classes after the step; absent where targets are no classes. */
  readonly accuracy?: number;
  readonly validationLoss?: number;
  readonly validationAccuracy?: number;
  /** Whether the measured increase is so far from the predicted one that the quadratic model has no say: by more than half of the larger, and by more than 5 % of the loss. */
  readonly beyondQuadratic: boolean;
  /** Largest residual of the compensation over its right-hand side. */
  readonly residual: number;
  /** Whether the compensation took the gradient of the loss into account. */
  readonly usedGradient: boolean;
  readonly matvecs: number;
  readonly route?: CurvatureModel["route"];
}

/** What was removed of a tensor. */
export interface PrunedTensor {
  readonly name: string;
  readonly layer: string;
  readonly weights: number;
  readonly removed: number;
  /** Largest absolute value among the weights that were removed, before. */
  readonly largestRemoved: number;
}

/** Everything that the next step needs: plain data, from which the run can go on. */
export interface PruneState {
  readonly method: "prune";
  readonly columns: number;
  readonly matvecs: number;
  readonly gradients: number;
  readonly losses: number;
  /** Shares of the steps. */
  readonly shares: readonly number[];
  readonly theta: Vector;
  /** `[size]`, 1 for weights that are there, 0 for those removed. */
  readonly mask: Uint8Array;
  /** Removed weights in their order. */
  readonly order: Int32Array;
  /** Of sequential elimination: sum of the saliencies up to each. */
  readonly costs: Float64Array;
  readonly loss: number;
  readonly accuracy: number | undefined;
  readonly records: readonly PruneStep[];
}

/** Pruned weights. */
export interface PruneResult extends Outcome, EvaluationCost {
  /** `[size]`, exactly zero where the mask is 0. */
  readonly theta: Vector;
  /** `[size]`, 1 for weights that are kept, 0 for removed ones. */
  readonly mask: Uint8Array;
  /** Removed weights, by position, in the order of removal: by saliency within a step. */
  readonly removed: Int32Array;
  /** Sum of the saliencies up to each removed weight; of sequential elimination. */
  readonly costs?: Float64Array;
  readonly method: SaliencyMethod;
  /** Loss and accuracy before. */
  readonly lossBefore: number;
  readonly accuracyBefore?: number;
  /** Loss and accuracy after. */
  readonly loss: number;
  readonly accuracy?: number;
  readonly damping?: number;
  readonly steps: readonly PruneStep[];
  readonly tensors: readonly PrunedTensor[];
}
