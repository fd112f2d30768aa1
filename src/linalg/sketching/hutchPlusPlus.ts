import { checkSquare } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { certainty, fewProbesRemark, interval } from "../statistics/confidence.ts";
import { sampleMean } from "../statistics/sampleMean.ts";
import { type TraceEstimate, traceOf } from "../traces/hutchinsonTrace.ts";
import type { HutchinsonState } from "../traces/probeSums.ts";
import { type PlusPlusOptions, type PlusPlusState, plusPlusSteps } from "./plusPlus.ts";

const NAME = "hutchPlusPlus";

/**
 * Estimated trace of a square matrix by Hutch++ (Meyer, Musco, Musco and Woodruff, 2021): the exact trace on a basis Q of the range of A
 * times `k = floor(matvecs / 3)` test vectors, and Hutchinson's estimate of the rest,
 * `tr A = tr Q' A Q + E[v' (I - Q Q') A (I - Q Q') v]`. For positive semidefinite A the relative error falls like 1 / matvecs, that of
 * `hutchinsonTrace` like its square root. Unbiased, and its probes are independent, so its interval means what it says; `xtrace` is more
 * accurate for the same number of products. Exact from `matvecs >= n` on. `tolerance` may end the last third early. Where the operator has
 * `quadraticForms`, two thirds of the products are these.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function hutchPlusPlus(A: LinearOperator, options: PlusPlusOptions): Promise<TraceEstimate> {
  return runToEnd(hutchPlusPlusSteps(A, options));
}

/** The run of `hutchPlusPlus` block by block of products; yields a state after each, from which `state` resumes it. */
export async function* hutchPlusPlusSteps(
  A: LinearOperator,
  options: PlusPlusOptions,
): AsyncGenerator<PlusPlusState | HutchinsonState, TraceEstimate, void> {
  checkOptions(NAME, options, "state tolerance matvecs seed confidence distribution blockSize signal onProgress");
  checkSquare(NAME, A);
  const run = yield* plusPlusSteps(A, { ...options, name: NAME, entries: "none", sketched: A });
  if ("probed" in run) return traceOf(run.probed);
  const { state, matvecs, interruption } = run.sketched;
  const estimate = sampleMean(state.samples);
  const how = certainty(options.confidence ?? 0.95, { probes: state.samples.length });
  const happened = interruption?.happened ?? `averaged ${state.sketched} probes${fewProbesRemark(how)}`;
  return {
    trace: estimate.value,
    standardError: estimate.standardError,
    interval: interval(estimate, how),
    ...outcome(interruption?.status ?? "converged", { happened, matvecs }),
  };
}
