import type { CurvatureReport, MatrixName, MatrixWords, ReportedMatrix } from "../applications/report.ts";

/** What a matrix is called, and how it is drawn. */
export interface MatrixText extends MatrixWords {
  /** Style class that gives it its colour in figures and tables. */
  readonly series: string;
}

/** A matrix of the report together with its words. */
export interface NamedMatrix {
  readonly name: string;
  readonly text: MatrixText;
  readonly matrix: ReportedMatrix;
}

/** Colours that the page has for matrices. */
const COLOURS = 5;

/** Names that files of earlier versions have. */
const FORMER_NAMES: Readonly<Record<string, MatrixName>> = { ef: "empiricalFisher" };

/** The report with its matrices under the names that they have today. */
export function withPresentNames(report: CurvatureReport): CurvatureReport {
  const entries = Object.entries(report.matrices).map(([name, matrix]) => [
    Object.hasOwn(FORMER_NAMES, name) ? FORMER_NAMES[name] : name,
    matrix,
  ]);
  return { ...report, matrices: Object.fromEntries(entries) as CurvatureReport["matrices"] };
}

/** The matrices of the report, the Hessian first. The report uses the first one for its explanations. */
export function presentMatrices(report: CurvatureReport): readonly NamedMatrix[] {
  return Object.entries(report.matrices)
    .map(([name, matrix]) => ({ name, text: textOf(matrix), matrix }))
    .sort((a, b) => placeOf(a.matrix) - placeOf(b.matrix));
}

/** Files of earlier versions have a title alone. */
function textOf(matrix: ReportedMatrix): MatrixText {
  const { words, title }: Partial<ReportedMatrix> = matrix;
  const known = words ?? { noun: `the matrix "${title}"`, symbol: "A", measures: "" };
  return { ...known, series: `series-${(placeOf(matrix) % COLOURS) + 1}` };
}

/** Place of a matrix among all that a report can have, from 0. */
export function placeOf({ place }: Partial<ReportedMatrix>): number {
  return place ?? 0;
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
