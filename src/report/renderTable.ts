import type { CurvatureReport } from "../applications/report.ts";
import { printableText } from "../errors/index.ts";
import { formatCount, formatEigenvalue, formatEstimate, formatNumber, formatSeconds, formatShare } from "./format.ts";
import { type NamedMatrix, presentMatrices } from "./matrixText.ts";

const HEADS = ["matrix", "trace", "Frobenius norm", "largest eigenvalues", "smallest", "residual"];

function cells({ matrix }: NamedMatrix): readonly string[] {
  const { largest, smallest } = matrix.eigenvalues;
  const top = largest.slice(0, 3).map((v) => formatEigenvalue(v.value, v.residualNorm, "terminal"));
  const bottom = smallest[0];
  return [
    matrix.title,
    formatEstimate(matrix.trace.value, matrix.trace.standardError, "terminal"),
    formatEstimate(matrix.frobenius.value, matrix.frobenius.standardError, "terminal"),
    top.join("  ") || "-",
    bottom ? formatEigenvalue(bottom.value, bottom.residualNorm, "terminal") : "-",
    bottom ? formatNumber(bottom.residualNorm, 2, "terminal") : "-",
  ];
}

function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = HEADS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("   ")
      .trimEnd(),
  );
}

function head(report: CurvatureReport): string {
  const { loss, accuracy, gradient } = report;
  const right = accuracy === undefined ? "" : `   accuracy ${formatShare(accuracy)}`;
  return `loss ${formatNumber(loss.value, 6, "terminal")}${right}   |gradient| ${formatNumber(gradient.norm, 6, "terminal")}`;
}

/**
 * The report as a few lines for a terminal, in ASCII except for file names, whose control characters are escaped. First comes what was
 * measured, then one line per matrix: trace and Frobenius norm +- standard error, the three largest eigenvalues, and the smallest with its
 * residual norm.
 */
export function renderTable(report: CurvatureReport): string {
  const { model, data, loss, residualShare } = report;
  const matrices = presentMatrices(report);
  const products = matrices.reduce((sum, { matrix }) => sum + matrix.matvecs, 0);
  const gap = residualShare
    ? [`||H - G|| / ||H|| = ${formatEstimate(residualShare.value, residualShare.standardError, "terminal")}`]
    : [];
  const gradient = `one gradient ${formatSeconds(report.secondsPerGradient)}`;
  return [
    `${printableText(model.file)}: ${formatCount(model.parameters)} weights, ${formatCount(data.rows)} rows, ${printableText(loss.name)} (${loss.reduction})`,
    head(report),
    "",
    ...(matrices.length > 0 ? [...aligned([HEADS, ...matrices.map(cells)]), ""] : []),
    ...gap,
    `${formatCount(products)} products in ${formatSeconds(report.seconds)} (${gradient}), ${report.dtype}, seed ${report.seed}`,
    "",
  ].join("\n");
}
