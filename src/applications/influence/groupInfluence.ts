import { CurvatureError } from "../../errors/index.ts";
import { checkIndices } from "./checkIndices.ts";
import type { Influence } from "./influence.ts";

/** Influence of groups of rows on one query, [groups]. */
export interface GroupInfluence {
  /** Sum of the scores of each group's rows. */
  readonly scores: Float64Array;
  /** Predicted change of the query's value if the group is removed, to first order: score / N. */
  readonly removalEffects: Float64Array;
}

/**
 * Influence of groups of rows on each query, to first order: sums of the scores of their rows. Large groups that pull in one direction change the curvature too, which the
 * sum leaves out; `leaveOneOut` with method "newton" keeps it.
 *
 * @param groups lists of rows by index
 * @throws CurvatureError "argument" for rows that there are not, or a result that kept the top rows alone
 */
export function groupInfluence(
  { queries, rows }: Pick<Influence, "queries" | "rows">,
  groups: readonly (readonly number[])[],
): readonly GroupInfluence[] {
  for (const group of groups) checkIndices("groupInfluence", group, rows);
  return queries.map(({ scores: own }) => {
    if (own === undefined) {
      throw new CurvatureError(
        "argument",
        'groupInfluence needs the scores of all rows, but the result has those of the top rows alone; compute it with keep: "all"',
      );
    }
    const scores = Float64Array.from(groups, (group) => group.reduce((sum, row) => sum + own[row]!, 0));
    return { scores, removalEffects: scores.map((score) => score / rows) };
  });
}
