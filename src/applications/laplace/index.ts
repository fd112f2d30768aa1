export { type Calibration, type CalibrationOptions, calibration, type PredictiveScores } from "./calibration.ts";
export type { ClassScores, ReliabilityBin } from "./classScores.ts";
export type { FitSummary } from "./fitSummary.ts";
export { jointCovariance } from "./jointCovariance.ts";
export { type LaplaceOptions, laplace } from "./laplace.ts";
export type { Structure, StructureName } from "./laplaceCurvature.ts";
export type { LaplacePosterior, PriorChange } from "./laplacePosterior.ts";
export type { LaplaceLikelihood } from "./likelihood.ts";
export { type LogMarginalLikelihood, logMarginalLikelihood } from "./logMarginalLikelihood.ts";
export type { EstimationOptions } from "./matrixFreeCurvature.ts";
export { type OptimizedPrior, type OptimizePriorOptions, optimizePrior } from "./optimizePrior.ts";
export type {
  EstimatedNumber,
  PosteriorCurvature,
  PosteriorPrecision,
  PrecisionRequest,
  PreparedColumns,
} from "./posteriorPrecision.ts";
export { type PredictOptions, predict } from "./predict.ts";
export type { PredictedValues } from "./predictedValues.ts";
export type { Link, Predictions } from "./predictions.ts";
export type { Prior, PriorMean, PriorPrecision, WeightGroup } from "./prior.ts";
export { type PriorCurveOptions, type PriorPoint, priorCurve } from "./priorCurve.ts";
export { type LoadLaplaceOptions, loadLaplace, saveLaplace } from "./saved.ts";
export type { Stationarity } from "./stationarity.ts";
export {
  type ReportedPosterior,
  type UncertaintyReport,
  type UncertaintyReportOptions,
  type UncertaintyState,
  uncertaintyReport,
  uncertaintyReportSteps,
} from "./uncertaintyReport.ts";
export type { IntervalCoverage, ValueScores } from "./valueScores.ts";
export type { Subnetwork, WeightChoice } from "./weightChoice.ts";
export type { WeightOptimum } from "./weightOptimum.ts";
