import type { CurvatureReport, MatrixName, ReportedMatrix } from "../applications/report.ts";

/** Names of a matrix in text and formulas, with the anchor of its definition. */
export interface MatrixText {
  /** In a sentence: "the Hessian". */
  readonly noun: string;
  /** In a formula: "H". */
  readonly symbol: string;
  /** Anchor of its definition. */
  readonly definition: "hessian" | "ggn" | "fisher" | "empirical-fisher";
  /** Style class that gives it its colour in figures and tables. */
  readonly series: string;
  /** The meaning of its eigenvalues, as a sentence. */
  readonly measures: string;
  /** True if its eigenvalues are curvatures of the loss, of the original or of the linearized network. */
  readonly lossCurvature: boolean;
}

/** Words and symbols of each matrix, in the order in which reports show them. */
export const MATRIX_TEXTS: Readonly<Record<MatrixName, MatrixText>> = {
  hessian: {
    noun: "the Hessian",
    symbol: "H",
    definition: "hessian",
    series: "series-1",
    measures: "It measures the curvature of the loss.",
    lossCurvature: true,
  },
  ggn: {
    noun: "the Gauss-Newton matrix",
    symbol: "G",
    definition: "ggn",
    series: "series-2",
    measures: "It measures the curvature of the loss with the network linearized at its weights.",
    lossCurvature: true,
  },
  fisher2: {
    noun: "the Fisher matrix (type II)",
    symbol: "F₂",
    definition: "fisher",
    series: "series-3",
    measures: "It measures how much the predictions move with the weights, not the curvature of the loss.",
    lossCurvature: false,
  },
  fisher1: {
    noun: "the Fisher matrix (type I)",
    symbol: "F₁",
    definition: "fisher",
    series: "series-4",
    measures: "It measures how much the predictions move with the weights, not the curvature of the loss.",
    lossCurvature: false,
  },
  ef: {
    noun: "the empirical Fisher matrix",
    symbol: "E",
    definition: "empirical-fisher",
    series: "series-5",
    measures: "It measures the size of the gradients of single terms, not the curvature of the loss.",
    lossCurvature: false,
  },
};

/** A matrix of the report together with its words. */
export interface NamedMatrix {
  readonly name: MatrixName;
  readonly text: MatrixText;
  readonly matrix: ReportedMatrix;
}

/** The matrices of the report, the Hessian first. The report uses the first one for its explanations. */
export function presentMatrices(report: CurvatureReport): readonly NamedMatrix[] {
  const names = Object.keys(MATRIX_TEXTS) as MatrixName[];
  return names.flatMap((name) => {
    const matrix = report.matrices[name];
    return matrix ? [{ name, text: MATRIX_TEXTS[name], matrix }] : [];
  });
}

/** Largest known |eigenvalue| in the report, 0 if there is none. */
export function spectralRadius(matrix: ReportedMatrix): number {
  const { largest, smallest, exact } = matrix.eigenvalues;
  const values = [...largest, ...smallest].map(({ value }) => value);
  return Math.max(0, ...[...values, ...(exact?.largest ?? []), ...(exact?.smallest ?? [])].map(Math.abs));
}

/**
 * Size below which an eigenvalue is not distinguished from rounding errors: 1e-9 (float64) or 1e-4 (float32) of the largest one. These are
 * the accuracies required of this library's products.
 */
export function roundingLevel(matrix: ReportedMatrix, dtype: CurvatureReport["dtype"]): number {
  return spectralRadius(matrix) * (dtype === "float64" ? 1e-9 : 1e-4);
}

/** Trace from the dense matrix, if it was formed and the reported trace is an estimate. */
export function exactTrace(matrix: ReportedMatrix): number | undefined {
  if (matrix.trace.exact) return undefined;
  return matrix.trace.exactValue ?? matrix.density.exactEigenvalues?.reduce((sum, value) => sum + value, 0);
}

/** Frobenius norm from the dense matrix, if it was formed and the reported norm is an estimate. */
export function exactFrobenius(matrix: ReportedMatrix): number | undefined {
  if (matrix.frobenius.exact) return undefined;
  return matrix.frobenius.exactValue ?? norm(matrix.density.exactEigenvalues);
}

function norm(values: readonly number[] | undefined): number | undefined {
  return values && Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}
