import { checkSquare } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import type { Outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { type Interval, interval } from "../statistics/confidence.ts";
import { estimateOf, HUTCHINSON_OPTIONS, type HutchinsonOptions, type ProbeRun, probeSteps } from "./probeSteps.ts";

/** An estimated trace. */
export interface TraceEstimate extends Outcome {
  readonly trace: number;
  /** Standard error of `trace`: 0 where it is exact, Infinity after a single probe. */
  readonly standardError: number;
  /** Holds the trace with the asked confidence. */
  readonly interval: Interval;
}

/**
 * Estimated trace `tr A = E[v' A v]` of a square matrix (Hutchinson, 1990). With random signs the variance of one probe is
 * `2 (||A||_F^2 - sum of A_ii^2)` for symmetric A. One product a probe, or one quadratic form where the operator has `quadraticForms`, which
 * counts as much and costs less; exact from `matvecs >= n` on. An operator that knows its trace has `A.trace()`, which costs no product and
 * is not called here.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function hutchinsonTrace(A: LinearOperator, options: HutchinsonOptions): Promise<TraceEstimate> {
  checkOptions("hutchinsonTrace", options, HUTCHINSON_OPTIONS);
  const name = "hutchinsonTrace";
  checkSquare(name, A);
  return traceOf(await runToEnd(probeSteps(A, { ...options, name, watch: "trace", blocks: [], entries: "none" })));
}

/** The trace estimated by a run of probes. */
export function traceOf({ state, certainty, outcome }: ProbeRun): TraceEstimate {
  const estimate = estimateOf(state.trace, state.deflated.trace, state);
  const { value: trace, standardError } = estimate;
  return { trace, standardError, interval: interval(estimate, certainty), ...outcome };
}
