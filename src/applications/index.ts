export { accuracy } from "./accuracy.ts";
export { type CurvatureReportOptions, curvatureReport } from "./curvatureReport.ts";
export { layerBlocks } from "./layerBlocks.ts";
export { type MatrixPlan, matrixReport, plannedProducts } from "./matrixReport.ts";
export type {
  CurvatureReport,
  MatrixName,
  MatrixWords,
  Quantity,
  ReportedDensity,
  ReportedEigenvalue,
  ReportedLayer,
  ReportedMatrix,
} from "./report.ts";
export { matrixNamed, matrixNames } from "./reportedMatrices.ts";
export { stages } from "./stages.ts";
export { version } from "./version.ts";
