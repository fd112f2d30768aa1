import type { ReportedEigenvalue } from "../applications/report.ts";
import { formatEigenvalue, formatEstimate } from "./format.ts";

/** Question that a finding answers. */
export type FindingTopic =
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
  /** Sentences that say by how much, how it is known and what follows. */
  readonly details: readonly string[];
}

/** Differences within so many standard errors are not called differences. */
export const STANDARD_ERRORS = 3;

/** An eigenvalue counts as known beyond so many residual norms. */
export const RESIDUALS = 2;

/** A finding of plain tone; details that do not apply are left out. */
export function finding(topic: FindingTopic, answer: string, details: readonly (string | undefined)[] = []): Finding {
  return { topic, tone: "plain", answer, details: details.filter((detail) => detail !== undefined) };
}

/** A finding on which the reader should act with care. */
export function caution(topic: FindingTopic, answer: string, details: readonly (string | undefined)[] = []): Finding {
  return { ...finding(topic, answer, details), tone: "caution" };
}

/** Text that begins a sentence. */
export function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** An estimate with its standard error, for sentences. */
export function estimate({ value, standardError }: { readonly value: number; readonly standardError: number }): string {
  return formatEstimate(value, standardError);
}

/** An eigenvalue with the digits its residual warrants, for sentences. */
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

/** How many standard errors an estimate lies above its exact value; undefined where one of the two is missing. */
export function deviationInErrors(
  { value, standardError }: { readonly value: number; readonly standardError: number },
  exact: number | undefined,
): number | undefined {
  return exact === undefined || !(standardError > 0) ? undefined : (value - exact) / standardError;
}
