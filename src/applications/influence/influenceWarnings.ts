import type { Status } from "../../linalg/index.ts";
import type { QueryInfluence } from "./queryInfluence.ts";

/** What warnings are made from. */
interface WarningFacts {
  readonly damping: number;
  readonly residual: number;
  readonly dampingShare: number;
  readonly gradientNorm: number;
  readonly status: Status;
  readonly message: string;
  readonly method: string;
  readonly rows: number;
}

/** Share of the damping above which it decides the scores. */
const DOMINANT = 0.9;

/** Residual above which scores are far from those of the matrix itself. */
const COARSE = 0.1;

/** Times its own sampling noise above which a gradient is no minimum's. */
const FAR = 3;

/** What a reader should know before trusting the scores: the damping, negative curvature, unsolved systems, and weights that are no minimum. */
export function influenceWarnings(
  queries: readonly Pick<QueryInfluence, "negativeCurvature" | "distanceFromMinimum" | "scoreDeviation">[],
  { damping, residual, dampingShare, gradientNorm, status, message, method, rows }: WarningFacts,
): readonly string[] {
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  const negative = queries.filter(({ negativeCurvature }) => negativeCurvature).length;
  const far = distanceOverNoise(queries, rows);
  return [
    ...(status === "converged" ? [] : [`Systems are not solved as asked for (${status}): ${message}.`]),
    ...(dampingShare > DOMINANT
      ? [
          `The damping ${damping} dominates: it is ${percent(dampingShare)} of a typical query's quadratic form, so that scores are close to inner products of gradients over ${damping}. Lower it.`,
        ]
      : []),
    ...(negative > 0
      ? [
          `The matrix has negative curvature along the solutions of ${negative} of ${queries.length} queries: their scores have no meaning as effects of retraining. Take ggn, or more damping.`,
        ]
      : []),
    ...(residual > COARSE && (method === "eigenpairs" || method === "lissa")
      ? [
          `The solutions by ${method} leave ${percent(Math.min(residual, 1))} of a query's gradient unsolved at worst: scores are those of the approximation, not of the matrix.`,
        ]
      : []),
    ...(far > FAR
      ? [
          `The weights are no minimum of the training objective: its gradient, of norm ${gradientNorm.toPrecision(3)}, moves the queries ${far.toFixed(0)} times as much as the noise of ${rows} rows would. Influence assumes a minimum; train on (newtonCg), or give the weightDecay of the training.`,
        ]
      : []),
  ];
}

/**
 * How far the queries' values are from those at the minimum, over how far the sampling of rows alone moves them: root mean squares over the queries of
 * `|g_t'A^-1 grad F|` and of the standard error of the mean score, its deviation over the root of N.
 */
export function distanceOverNoise(
  queries: readonly Pick<QueryInfluence, "distanceFromMinimum" | "scoreDeviation">[],
  rows: number,
): number {
  const squares = (of: (query: (typeof queries)[number]) => number) =>
    queries.reduce((sum, query) => sum + of(query) ** 2, 0);
  const noise = Math.sqrt(squares(({ scoreDeviation }) => scoreDeviation) / rows);
  const distance = Math.sqrt(squares(({ distanceFromMinimum }) => distanceFromMinimum));
  return noise === 0 ? 0 : distance / noise;
}
