export type { EvaluationCost } from "../evaluations.ts";
export {
  type ComparePruningOptions,
  type ComparisonState,
  comparePruning,
  comparePruningSteps,
  type PruningComparison,
  type PruningCurve,
  type PruningPoint,
} from "./comparePruning.ts";
export { type CompensateOptions, type Compensation, compensate } from "./compensate.ts";
export type { CurvatureModel, InverseOptions } from "./curvatureModel.ts";
export { type DenseBlock, type DenseBlockOperator, type DenseCurvatureOptions, denseCurvature } from "./denseBlocks.ts";
export type { PruningMatrix } from "./matrixChoice.ts";
export type { NamedPruningMethod } from "./namedMethods.ts";
export { prune, pruneSteps } from "./prune.ts";
export type { PruneOptions } from "./prunePlan.ts";
export type { PrunedTensor, PruneResult, PruneState, PruneStep } from "./pruneResult.ts";
export type { PruningUnit } from "./pruningUnit.ts";
export { type Saliency, type SaliencyOptions, saliency } from "./saliency.ts";
export type { SaliencyMethod } from "./scores.ts";
export { type WoodFisherOptions, woodFisher } from "./woodFisher.ts";
