export { accuracy } from "./accuracy.ts";
export { type CurvatureReportOptions, curvatureReport, matrixNames } from "./curvatureReport.ts";
export type {
  CurvatureReport,
  MatrixName,
  Quantity,
  ReportedDensity,
  ReportedEigenvalue,
  ReportedLayer,
  ReportedMatrix,
} from "./report.ts";
export { version } from "./version.ts";
