import type { CurvatureReport } from "../applications/report.ts";
import { printableText } from "../errors/index.ts";
import { equalitySentence, findings } from "./findings.ts";
import { formatCount, formatEigenvalue, formatEstimate, formatNumber, formatSeconds, formatShare } from "./format.ts";
import { type NamedMatrix, presentMatrices, withPresentNames } from "./matrixText.ts";
import { QUESTIONS } from "./questions.ts";
import { terminalText, wrapped } from "./terminalText.ts";

const HEADS = ["matrix", "trace", "Frobenius norm", "largest", "smallest"];

function cells({ matrix }: NamedMatrix): readonly string[] {
  const [top, bottom] = [matrix.eigenvalues.largest[0], matrix.eigenvalues.smallest[0]];
  return [
    matrix.title,
    formatEstimate(matrix.trace.value, matrix.trace.standardError, "terminal"),
    formatEstimate(matrix.frobenius.value, matrix.frobenius.standardError, "terminal"),
    top ? formatEigenvalue(top.value, top.residualNorm, "terminal") : "-",
    bottom ? formatEigenvalue(bottom.value, bottom.residualNorm, "terminal") : "-",
  ];
}

function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = HEADS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

function head(report: CurvatureReport): string {
  const { loss, accuracy, gradient } = report;
  const right = accuracy === undefined ? "" : `   accuracy ${formatShare(accuracy)}`;
  return `loss ${formatNumber(loss.value, 6, "terminal")}${right}   |gradient| ${formatNumber(gradient.norm, 6, "terminal")}`;
}

/** Ranges of inputs and the targets, wrapped; nothing in reports of earlier versions. */
function dataLines({ summary }: CurvatureReport["data"]): readonly string[] {
  if (summary === undefined) return [];
  const short = (value: number) => formatNumber(value, 3, "terminal");
  const inputs = summary.inputs.map(
    ({ name, minimum, maximum, mean }) =>
      `input ${printableText(name)} ${short(minimum)} to ${short(maximum)} (mean ${short(mean)})`,
  );
  const { targets } = summary;
  if (targets === undefined) return wrapped(inputs.join(", "), "");
  if (targets.kind === "values") {
    return wrapped([...inputs, `targets ${short(targets.minimum)} to ${short(targets.maximum)}`].join(", "), "");
  }
  const found = targets.counts.filter((count) => count > 0);
  const range = found.length > 0 ? `, ${Math.min(...found)} to ${Math.max(...found)} rows each` : "";
  const named = namedCounts(targets);
  return wrapped(
    [...inputs, `${found.length} of ${targets.counts.length} classes occur${range}${named}`].join(", "),
    "",
  );
}

/** Names that are listed one by one. */
const LISTED_NAMES = 12;

/** Names of classes with their counts, in the order of their labels. */
function namedCounts({
  counts,
  names = [],
}: {
  readonly counts: readonly number[];
  readonly names?: readonly string[];
}): string {
  if (names.length === 0) return "";
  const listed = names
    .slice(0, LISTED_NAMES)
    .map((name, c) => `${name === String(c) ? "" : `${c} `}${terminalText(name)} (${counts[c] ?? 0})`);
  return `: ${listed.join(", ")}${names.length > LISTED_NAMES ? ", ..." : ""}`;
}

/** The findings as questions with their answers below, wrapped. */
function answers(report: CurvatureReport): readonly string[] {
  return findings(report).flatMap(({ topic, tone, answer }) => [
    QUESTIONS[topic][0],
    ...wrapped(terminalText(tone === "caution" ? `caution: ${answer}` : answer), "  "),
  ]);
}

/**
 * The report as a few lines of at most 80 columns for a terminal (longer where names are), in ASCII except for names, whose control
 * characters are escaped. First comes what was measured, then one line per matrix: trace and Frobenius norm +- standard error, largest and
 * smallest eigenvalue with the digits that their residuals justify. The findings in words follow.
 */
export function renderTable(given: CurvatureReport): string {
  const report = withPresentNames(given);
  const { model, data, loss, residualShare } = report;
  const matrices = presentMatrices(report);
  const products = matrices.reduce((sum, { matrix }) => sum + matrix.matvecs, 0);
  const gap = residualShare
    ? [`||H - G|| / ||H|| = ${formatEstimate(residualShare.value, residualShare.standardError, "terminal")}`]
    : [];
  const equal = equalitySentence(report);
  const gradient = `one gradient ${formatSeconds(report.secondsPerGradient)}`;
  return [
    `${printableText(model.file)}: ${formatCount(model.parameters)} weights, ${formatCount(data.rows)} rows, ${printableText(loss.name)} (${loss.reduction})`,
    head(report),
    ...dataLines(data),
    "",
    ...(matrices.length > 0 ? [...aligned([HEADS, ...matrices.map(cells)]), ""] : []),
    ...(equal === undefined ? [] : wrapped(terminalText(equal), "")),
    ...gap,
    `${formatCount(products)} products in ${formatSeconds(report.seconds)} (${gradient}), ${report.dtype}, seed ${report.seed}`,
    "",
    ...answers(report),
    "",
  ].join("\n");
}
