/**
 * Spearman's rank correlation of two lists of numbers of the same length: the correlation of their ranks, equal numbers at their mean rank.
 * 1 for the same order, -1 for the opposite one. Undefined for fewer than two numbers, or where all numbers of a list are equal. Spearman
 * (1904).
 */
export function rankCorrelation(x: readonly number[], y: readonly number[]): number | undefined {
  const [a, b] = [ranks(x), ranks(y)];
  const middle = (x.length - 1) / 2;
  let [covariance, spreadX, spreadY] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    covariance += (a[i]! - middle) * (b[i]! - middle);
    spreadX += (a[i]! - middle) ** 2;
    spreadY += (b[i]! - middle) ** 2;
  }
  return spreadX > 0 && spreadY > 0 ? covariance / Math.sqrt(spreadX * spreadY) : undefined;
}

/** Rank of each number from 0, equal numbers at their mean rank. */
function ranks(values: readonly number[]): readonly number[] {
  return values.map((value) => {
    const below = values.filter((other) => other < value).length;
    const equal = values.filter((other) => other === value).length;
    return below + (equal - 1) / 2;
  });
}
