import type { ReportedEigenvalue, ReportedMatrix } from "../applications/report.ts";
import { capitalized } from "./finding.ts";
import { formatNumber } from "./format.ts";
import { type NamedMatrix, spectralRadius } from "./matrixText.ts";

/** Residuals up to this share of the largest |eigenvalue| are negligible. */
const NEGLIGIBLE = 1e-3;

/** Advice for more accurate eigenvalues. */
export const MORE_PRODUCTS =
  "Asking for more eigenvalues (eigenvalues, or --eigenvalues on the command line) spends more products on them.";

/** Largest residual among some eigenvalues. */
function worst(values: readonly ReportedEigenvalue[]): number {
  return Math.max(0, ...values.map(({ residualNorm }) => residualNorm));
}

/** Accuracy of the eigenvalues at both ends of a spectrum, as a sentence. */
export function accuracySentence({ text, matrix }: NamedMatrix): string {
  const { largest, smallest } = matrix.eigenvalues;
  const ends = [
    largest.length > 0 ? `the largest to within ${formatNumber(worst(largest), 2)}` : undefined,
    smallest.length > 0 ? `the smallest to within ${formatNumber(worst(smallest), 2)}` : undefined,
  ].filter((end) => end !== undefined);
  if (ends.length === 0) return `No eigenvalue of ${text.noun} is known.`;
  return `${capitalized(text.noun)}: ${ends.join(", ")}.`;
}

/** Whether some eigenvalue of a matrix is inaccurate relative to the largest one. */
export function isRough(matrix: ReportedMatrix): boolean {
  const { largest, smallest, status } = matrix.eigenvalues;
  if (status === "converged") return false;
  return largest.length === 0 || worst([...largest, ...smallest]) > NEGLIGIBLE * spectralRadius(matrix);
}
