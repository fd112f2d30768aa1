import { checkSquare } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import type { Outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import type { Certainty } from "../statistics/confidence.ts";
import { type DiagonalEstimate, diagonalOf } from "./hutchinsonMoments.ts";
import { HUTCHINSON_OPTIONS, type HutchinsonOptions, probeSteps } from "./probeSteps.ts";

/** Estimated entries, and how intervals follow from their standard errors. */
export interface EntriesEstimate extends DiagonalEstimate, Outcome {
  /** Each entry lies within `quantile` standard errors of its value with the asked confidence. */
  readonly certainty: Certainty;
}

/**
 * Estimated diagonal `A_ii = E[v_i (A v)_i]` of a square matrix, entry by entry with standard errors (Bekas, Kokiopoulou and Saad, 2007).
 * With random signs, one probe has variance `sum over j != i of A_ij^2` in entry i. One product a probe; exact from `matvecs >= n` on.
 * `tolerance` is about the norm of the entries' half intervals over the norm of the diagonal. An operator that knows its diagonal has
 * `A.diagonal()`, which is not called here. Where an exact run stops early, entries not reached are NaN with standard error Infinity.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function hutchinsonDiagonal(A: LinearOperator, options: HutchinsonOptions): Promise<EntriesEstimate> {
  checkOptions("hutchinsonDiagonal", options, HUTCHINSON_OPTIONS);
  const name = "hutchinsonDiagonal";
  checkSquare(name, A);
  const run = await runToEnd(probeSteps(A, { ...options, name, watch: "entries", blocks: [], entries: "diagonal" }));
  return { ...diagonalOf(run), certainty: run.certainty, ...run.outcome };
}
