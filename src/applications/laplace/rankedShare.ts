/**
 * Probability that a number of the second list is larger than one of the first, ties counted half (Mann and Whitney, 1947): the area under the curve of true over false
 * positives.
 */
export function rankedShare(usual: ArrayLike<number>, strange: ArrayLike<number>): number {
  const sorted = Float64Array.from(usual).sort();
  const countBelow = (x: number, orEqual: boolean): number => {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle] < x || (orEqual && sorted[middle] === x)) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  let sum = 0;
  for (let i = 0; i < strange.length; i++) {
    sum += (countBelow(strange[i], false) + countBelow(strange[i], true)) / 2;
  }
  return sum / (usual.length * strange.length);
}
