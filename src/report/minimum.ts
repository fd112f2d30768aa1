import type { CurvatureReport, ReportedEigenvalue, ReportedMatrix } from "../applications/report.ts";
import { MORE_PRODUCTS } from "./eigenvalueAccuracy.ts";
import { caution, eigenvalue, type Finding, finding, maximal, minimal, RESIDUALS } from "./finding.ts";
import { formatCount, formatNumber, formatShare } from "./format.ts";
import { roundingLevel } from "./matrixText.ts";

/**
 * Finding on whether the weights are at a minimum: compares the smallest eigenvalue of the Hessian with its residual and with rounding
 * errors.
 */
export function minimum(report: CurvatureReport): Finding {
  const hessian = report.matrices.hessian;
  if (!hessian) {
    const why =
      "Only the Hessian shows whether the loss falls along some direction, and this report was made without it.";
    const add = "Add hessian to the matrices (matrices, or --matrices on the command line).";
    return caution("minimum", "This report cannot tell whether it is a minimum.", [why, add]);
  }
  const lowest = minimal(hessian.eigenvalues.smallest);
  const exact = hessian.density.exactEigenvalues?.slice(0, 1) ?? hessian.eigenvalues.exact?.smallest;
  const bottom = exact ? { value: Math.min(...exact), residualNorm: 0 } : lowest;
  if (!bottom) return caution("minimum", "No smallest eigenvalue is known.", [MORE_PRODUCTS]);
  const level = roundingLevel(hessian, report.dtype);
  const margin = RESIDUALS * bottom.residualNorm;
  if (level === 0 && bottom.value === 0) {
    return finding("minimum", "The Hessian is zero: to second order the loss is flat in every direction.");
  }
  if (bottom.value + margin < -level) return clearlyNegative(report, hessian, bottom);
  if (bottom.value - margin < -level) {
    const found = `The smallest eigenvalue found is ${eigenvalue(bottom)} with a residual of ${formatNumber(bottom.residualNorm, 2)}: its sign is not certain.`;
    return caution("minimum", "It cannot be told whether there is negative curvature.", [found, MORE_PRODUCTS]);
  }
  return notNegative(bottom, level, exact !== undefined);
}

function clearlyNegative(report: CurvatureReport, hessian: ReportedMatrix, bottom: ReportedEigenvalue): Finding {
  const top = maximal(hessian.eigenvalues.largest)?.value ?? 0;
  const level = roundingLevel(hessian, report.dtype);
  const exact = hessian.density.exactEigenvalues;
  const weak = top > 0 && -bottom.value < 0.01 * top;
  const answer = weak
    ? "Strictly not a minimum, but the negative curvature is weak."
    : "Not a minimum: the loss falls along some directions.";
  const certainty =
    exact || hessian.eigenvalues.exact
      ? "read off the dense Hessian"
      : bottom.residualNorm > 0
        ? `more than ${formatNumber(Math.floor(-bottom.value / bottom.residualNorm), 2)} times its residual`
        : "with a residual of 0";
  const relative = top > 0 ? ` It is ${formatShare(-bottom.value / top)} of the largest in size.` : "";
  const below = exact ? exact.filter((value) => value < -level).length : undefined;
  const many =
    below !== undefined
      ? `${formatCount(below)} of ${formatCount(report.model.parameters)} eigenvalues are negative beyond rounding.${densityShare(hessian)}`
      : hessian.density.negativeMass > 0
        ? `The density puts about ${formatShare(hessian.density.negativeMass)} of all eigenvalues below ${formatNumber(-hessian.density.resolution, 2)}.`
        : undefined;
  const found = `The smallest eigenvalue is ${eigenvalue(bottom)}, ${certainty} and so not rounding.${relative}`;
  const use =
    "Methods that need a matrix without negative eigenvalues (Laplace, damped Newton steps) should take the Gauss-Newton matrix or the Fisher matrix.";
  return caution("minimum", answer, [found, many, use]);
}

/** Why the density counts fewer negative eigenvalues than there are. */
function densityShare({ density: { negativeMass, resolution } }: ReportedMatrix): string {
  if (!(negativeMass > 0 && resolution > 0)) return "";
  return ` The density names ${formatShare(negativeMass)} only, since it counts those below ${formatNumber(-resolution, 2)}: it does not tell smaller ones from zero.`;
}

function notNegative(bottom: ReportedEigenvalue, level: number, dense: boolean): Finding {
  const search = dense ? undefined : "An iterative search cannot exclude a negative eigenvalue that it has missed.";
  if (bottom.value - RESIDUALS * bottom.residualNorm > level) {
    const answer = dense
      ? "Every direction curves upwards."
      : "No negative curvature was found: every eigenvalue found is positive.";
    return finding("minimum", answer, [`The smallest is ${eigenvalue(bottom)}.`, search]);
  }
  const flat = `The smallest eigenvalue, ${eigenvalue(bottom)}, is not told from zero (rounding reaches to ${formatNumber(level, 2)}), so some direction is flat as far as can be told.`;
  return finding("minimum", "No negative curvature beyond rounding was found.", [flat, search]);
}
