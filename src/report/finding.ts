import type { ReportedEigenvalue } from "../applications/report.ts";
import { formatEigenvalue, formatEstimate } from "./format.ts";

/** The question that a finding answers. */
export type FindingTopic =
  | "data"
  | "flatness"
  | "sharpness"
  | "minimum"
  | "gradient"
  | "gaussNewton"
  | "fisher"
  | "rank"
  | "layers"
  | "certainty";

/**
 * One answer of the report in plain words. `tone` is "caution" where the reader should not rely on a number or where the network
 * is not at a minimum, "plain" otherwise.
 */
export interface Finding {
  readonly topic: FindingTopic;
  readonly tone: "plain" | "caution";
  /** The answer in one sentence. */
  readonly answer: string;
  /** Sentences with the size of the effect, its evidence and its consequences. */
  readonly details: readonly string[];
}

/** Number of standard errors within which two estimates count as equal. */
export const STANDARD_ERRORS = 3;

/** Number of residual norms by which an eigenvalue must differ from zero for its sign to be certain. */
export const RESIDUALS = 2;

/** Creates a finding of plain tone, without the details that do not apply. */
export function finding(topic: FindingTopic, answer: string, details: readonly (string | undefined)[] = []): Finding {
  return { topic, tone: "plain", answer, details: details.filter((detail) => detail !== undefined) };
}

/** Creates a finding of tone "caution". */
export function caution(topic: FindingTopic, answer: string, details: readonly (string | undefined)[] = []): Finding {
  return { ...finding(topic, answer, details), tone: "caution" };
}

/** The text with a capital first letter. */
export function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Formats an estimate with its standard error for sentences. */
export function estimate({ value, standardError }: { readonly value: number; readonly standardError: number }): string {
  return formatEstimate(value, standardError);
}

/** Formats an eigenvalue for sentences, with the digits that its residual justifies. */
export function eigenvalue({ value, residualNorm }: ReportedEigenvalue): string {
  return formatEigenvalue(value, residualNorm);
}

/** The algebraically largest of some eigenvalues. */
export function maximal(values: readonly ReportedEigenvalue[]): ReportedEigenvalue | undefined {
  return values.reduce<ReportedEigenvalue | undefined>(
    (best, v) => (best && best.value >= v.value ? best : v),
    undefined,
  );
}

/** The algebraically smallest of some eigenvalues. */
export function minimal(values: readonly ReportedEigenvalue[]): ReportedEigenvalue | undefined {
  return values.reduce<ReportedEigenvalue | undefined>(
    (best, v) => (best && best.value <= v.value ? best : v),
    undefined,
  );
}

/** Difference of an estimate from its exact value in standard errors; undefined if one of the two is missing. */
export function deviationInErrors(
  { value, standardError }: { readonly value: number; readonly standardError: number },
  exact: number | undefined,
): number | undefined {
  return exact === undefined || !(standardError > 0) ? undefined : (value - exact) / standardError;
}
