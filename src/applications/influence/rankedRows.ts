/** The influence of one training row on one query. */
export interface RowInfluence {
  /** Index of the row in the data of the risk. */
  readonly row: number;
  /** `g_t'(A + damping I)^-1 g_z` */
  readonly score: number;
  /** Predicted change of the query's value if the row is removed: score / N. */
  readonly ifRemoved: number;
  /** Predicted change of the query's value if the row counts twice: -score / N. */
  readonly ifUpweighted: number;
}

/** The `count` rows of largest and of smallest score, the most extreme first; memory is that of the ranks. Equal scores keep the order of their rows. */
export function rankedRows(
  scores: ArrayLike<number>,
  { count, rows }: { readonly count: number; readonly rows: number },
): { readonly largest: readonly RowInfluence[]; readonly smallest: readonly RowInfluence[] } {
  const influenceOf = (row: number): RowInfluence => {
    const score = scores[row]!;
    return { row, score, ifRemoved: score / rows, ifUpweighted: -score / rows };
  };
  return {
    largest: extremes(scores, count, (a, b) => a > b).map(influenceOf),
    smallest: extremes(scores, count, (a, b) => a < b).map(influenceOf),
  };
}

/** Indices of the `count` first numbers in the order of `before`. */
function extremes(
  values: ArrayLike<number>,
  count: number,
  before: (a: number, b: number) => boolean,
): readonly number[] {
  const kept: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (kept.length === count && !before(values[i]!, values[kept[count - 1]!]!)) continue;
    let place = kept.length;
    while (place > 0 && before(values[i]!, values[kept[place - 1]!]!)) place--;
    kept.splice(place, 0, i);
    if (kept.length > count) kept.pop();
  }
  return kept;
}
