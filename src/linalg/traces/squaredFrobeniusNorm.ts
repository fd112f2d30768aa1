import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import type { Outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { type Interval, interval } from "../statistics/confidence.ts";
import { HUTCHINSON_OPTIONS, type HutchinsonOptions, probeSteps, squaredFrobeniusOf } from "./probeSteps.ts";

/** An estimated squared Frobenius norm. */
export interface SquaredFrobeniusEstimate extends Outcome {
  readonly squaredNorm: number;
  /** Standard error of `squaredNorm`: 0 where it is exact, Infinity after a single probe. */
  readonly standardError: number;
  /** Holds the squared norm with the asked confidence. */
  readonly interval: Interval;
}

/**
 * Estimated squared Frobenius norm `||A||_F^2 = E[||A v||^2]`, the sum of squared entries, of a matrix of any shape `[m, n]`
 * (Hutchinson, 1990, for `A' A`). For symmetric A it is the sum of squared eigenvalues. One product a probe; exact from `matvecs >= n` on.
 *
 * @throws CurvatureError "argument" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function squaredFrobeniusNorm(
  A: LinearOperator,
  options: HutchinsonOptions,
): Promise<SquaredFrobeniusEstimate> {
  checkOptions("squaredFrobeniusNorm", options, HUTCHINSON_OPTIONS);
  const setup = { ...options, name: "squaredFrobeniusNorm", watch: "squaredFrobenius", blocks: [] } as const;
  const { state, certainty, outcome } = await runToEnd(probeSteps(A, { ...setup, entries: "none" }));
  const estimate = squaredFrobeniusOf(state);
  const { value: squaredNorm, standardError } = estimate;
  return { squaredNorm, standardError, interval: interval(estimate, certainty), ...outcome };
}
