import { checkArgument } from "../../linalg/operator/checks.ts";

/**
 * Share of the wanted rows among the first `share` of a ranking, for example of wrong labels among the 5 % of largest self-influence. The best possible is 1, or below
 * where there are more wanted rows than places.
 *
 * @throws CurvatureError "argument" for a share outside of (0, 1], or without wanted rows
 */
export function recall(
  ranking: readonly number[],
  { rows, share }: { readonly rows: readonly number[]; readonly share: number },
): number {
  checkArgument(share > 0 && share <= 1, `recall expects share above 0 and at most 1, got ${String(share)}`);
  checkArgument(rows.length > 0, "recall expects at least one row to find, got none");
  const first = new Set(ranking.slice(0, Math.round(share * ranking.length)));
  return rows.filter((row) => first.has(row)).length / rows.length;
}
