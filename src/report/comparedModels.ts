import type { CurvatureReport } from "../applications/report.ts";
import { maximal } from "./finding.ts";
import { formatCount, formatEigenvalue, formatEstimate, formatNumber, formatShare, type Spelling } from "./format.ts";
import { hurtsMost } from "./layerSensitivity.ts";
import { presentMatrices, withPresentNames } from "./matrixText.ts";

/** A number of several reports side by side. */
export interface ComparedRow {
  readonly label: string;
  /** One text for each report; "-" where a report does not have it. */
  readonly values: readonly string[];
  /** Whether it stays the same when weights are rescaled without changing the network. */
  readonly invariant: boolean;
}

/** Ratio of the raising sizes from which one network is called flatter. */
const CLEARLY = 1.5;

type Entry = readonly [
  label: string,
  invariant: boolean,
  value: (report: CurvatureReport, spelling: Spelling) => string | undefined,
];

const ENTRIES: readonly Entry[] = [
  ["weights", true, ({ model }) => formatCount(model.parameters)],
  ["loss", true, ({ loss }, spelling) => formatNumber(loss.value, 5, spelling)],
  ["accuracy", true, ({ accuracy }) => (accuracy === undefined ? undefined : formatShare(accuracy))],
  ["change of weights that adds a tenth of guessing", true, ({ relative }) => raising(relative)],
  ["trace in units of the weights", true, ({ relative }, spelling) => relative && estimated(relative.trace, spelling)],
  [
    "directions, in units of the weights",
    true,
    ({ relative }, spelling) => relative?.directions && estimated(relative.directions, spelling),
  ],
  ["layer that rounding to 4 bits hurts most", true, ({ rounding }) => rounding && hurtsMost(rounding, 4)?.name],
  ["gradient norm", false, ({ gradient }, spelling) => formatNumber(gradient.norm, 4, spelling)],
  ["trace", false, (report, spelling) => first(report) && estimated(first(report).trace, spelling)],
  ["Frobenius norm", false, (report, spelling) => first(report) && estimated(first(report).frobenius, spelling)],
  ["largest eigenvalue", false, largest],
];

function first(report: CurvatureReport) {
  return presentMatrices(report)[0]?.matrix;
}

function largest(report: CurvatureReport, spelling: Spelling): string | undefined {
  const top = maximal(first(report)?.eigenvalues.largest ?? []);
  return top && formatEigenvalue(top.value, top.residualNorm, spelling);
}

function estimated(
  { value, standardError }: { readonly value: number; readonly standardError: number },
  spelling: Spelling,
): string {
  return formatEstimate(value, standardError, spelling);
}

function raising(relative: CurvatureReport["relative"]): string | undefined {
  if (relative?.measuredSize !== undefined) return formatShare(Number(relative.measuredSize.toPrecision(2)));
  return relative?.withstands === undefined ? undefined : `more than ${formatShare(relative.withstands)}`;
}

/** The numbers of several reports side by side; those that rescaling of weights does not change come first. */
export function comparedRows(reports: readonly CurvatureReport[], spelling: Spelling): readonly ComparedRow[] {
  const present = reports.map(withPresentNames);
  return ENTRIES.map(([label, invariant, value]) => ({
    label,
    invariant,
    values: present.map((report) => value(report, spelling) ?? "-"),
  })).filter(({ values }) => values.some((text) => text !== "-"));
}

/** The flattest of several networks, in a sentence, by the measured change of weights that raises the loss. */
export function comparisonVerdict(reports: readonly CurvatureReport[], names: readonly string[]): string {
  const sizes = reports.map(({ relative }, i) => ({
    name: names[i],
    size: relative?.measuredSize ?? relative?.withstands ?? Number.NaN,
  }));
  if (sizes.some(({ size }) => !Number.isFinite(size))) {
    return "Not told which is flatter: some report has no curvature in units of the weights.";
  }
  const ordered = [...sizes].sort((a, b) => b.size - a.size);
  const [flattest, sharpest] = [ordered[0], ordered.at(-1)!];
  const facts = ordered.map(({ name, size }) => `${name} ${formatShare(Number(size.toPrecision(2)))}`).join(", ");
  const what = `random change of every weight that adds a tenth of the loss of guessing: ${facts}`;
  return flattest.size > CLEARLY * sharpest.size
    ? `${flattest.name} is flatter than ${sharpest.name} (${what}).`
    : `About equally flat (${what}).`;
}
