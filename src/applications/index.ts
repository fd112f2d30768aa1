export { accuracy } from "./accuracy.ts";
export { type CurvatureReportOptions, curvatureReport } from "./curvatureReport.ts";
export { dataSummary } from "./dataSummary.ts";
export { type DataEvidence, dataWarnings } from "./dataWarnings.ts";
export { layerBlocks } from "./layerBlocks.ts";
export { type LayerRoundingOptions, layerRounding } from "./layerRounding.ts";
export type { MatrixPlan } from "./matrixPlan.ts";
export { matrixReport, plannedProducts } from "./matrixReport.ts";
export { rankCorrelation } from "./rankCorrelation.ts";
export type {
  ApproximationName,
  BlockPicture,
  CurvatureReport,
  DataSummary,
  EqualMatrix,
  InputSummary,
  LayerRounding,
  MatrixName,
  MatrixWords,
  Quantity,
  RelativeCurvature,
  RelativeDisturbance,
  ReportedApproximation,
  ReportedDensity,
  ReportedEigenvalue,
  ReportedLayer,
  ReportedMatrix,
  RoundedLayer,
  RoundingChange,
  SolvedSystem,
  StructuredReport,
} from "./report.ts";
export { matrixNamed, matrixNames } from "./reportedMatrices.ts";
export { stages } from "./stages.ts";
export { approximationNames } from "./structuredReport.ts";
export { type RoundedWeights, type UniformRoundingOptions, uniformRounding } from "./uniformRounding.ts";
export { version } from "./version.ts";
