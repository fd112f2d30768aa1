import type { RowInfluence } from "./rankedRows.ts";

/** The influence of all training rows on one query. */
export interface QueryInfluence {
  /** Value of the query at the weights: its loss, or the measurement. */
  readonly value: number;
  readonly gradientNorm: number;
  /** `g_t'(A + damping I)^-1 g_z` for each training row z, [rows]. */
  readonly scores?: Float64Array;
  /** `score / N`: the predicted change of the query's value if the row is removed, [rows]. */
  readonly removalEffects?: Float64Array;
  /** The rows without which the query would be worse, the most important first. */
  readonly helpful: readonly RowInfluence[];
  /** The rows without which the query would be better, the most important first. */
  readonly harmful: readonly RowInfluence[];
  /** `|g_t - (A + damping I) x| / |g_t|` of the solution. */
  readonly residual: number;
  /** Share of the damping in the score of the query with itself, 0 to 1 where the matrix is positive semidefinite. */
  readonly dampingShare: number;
  readonly negativeCurvature: boolean;
  /** Mean of the scores over all rows, `g_t'(A + damping I)^-1 grad L`, and their standard deviation. */
  readonly meanScore: number;
  readonly scoreDeviation: number;
  /** `g_t'(A + damping I)^-1 grad F` with the training objective F = L + penalty: minus the change of the value on the way to F's minimum. 0 at a minimum. */
  readonly distanceFromMinimum: number;
}
