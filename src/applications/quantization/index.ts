export {
  type QuantizedModelFile,
  type QuantizedWeight,
  quantizedModelFile,
  type SavedQuantizedModel,
  type SavedQuantizedTensor,
  saveQuantizedModel,
} from "../../models/index.ts";
export type { EvaluationCost } from "../evaluations.ts";
export type { RoundingScheme } from "../uniformGrid.ts";
export {
  type BitPlan,
  type BitPlanOptions,
  bitPlan,
  type FrontPoint,
  type PlanObjective,
  type PlanSums,
  uniformPlan,
} from "./bitPlan.ts";
export type { ChannelAxis } from "./channelAxis.ts";
export type { ChosenTensors } from "./chosenTensors.ts";
export { type ComparePlansOptions, comparePlans, type PlanComparison } from "./comparePlans.ts";
export type { CompensatedLayer, CompensationOrder } from "./compensatedTensors.ts";
export { type FileLoss, type MeasureFileOptions, measureFile } from "./measureFile.ts";
export { type MeasuredLoss, type MeasurePlanOptions, measurePlan, type PlanLoss } from "./measurePlan.ts";
export type { PlanStability } from "./planStability.ts";
export type { PredictedChange } from "./quadraticRange.ts";
export type { PlannedTensor, QuantizationPlan } from "./quantizationPlan.ts";
export {
  type QuantizationSensitivityOptions,
  type QuantizationSensitivityState,
  quantizationSensitivity,
  quantizationSensitivitySteps,
} from "./quantizationSensitivity.ts";
export { type QuantizedWeights, type QuantizedWeightsOptions, quantizedWeights } from "./quantizedWeights.ts";
export {
  type QuantizedTensor,
  type QuantizerOptions,
  type QuantizeTensorOptions,
  quantizeTensor,
} from "./quantizeTensor.ts";
export type { BitChoice, QuantizationSensitivity, TensorSensitivity } from "./sensitivity.ts";
export { checkBudget, type SizeBudget } from "./sizeBudget.ts";
export type { BlockCurvatureState } from "./tensorCurvature.ts";
