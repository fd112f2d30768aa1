/**
 * Root of a decreasing function f between `from` and `to`, where f changes sign: bisection, and the secant of the ends where it falls well inside (Dekker,
 * 1969, with the ends' values halved as in the Illinois method). To the spacing of numbers; at most 200 values.
 */
export async function bracketedRoot(
  f: (x: number) => number | Promise<number>,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<number> {
  let [low, high] = [from, to];
  let [above, below] = [await f(low), await f(high)];
  if (above <= 0) return low;
  if (below >= 0) return high;
  for (let step = 0; step < 200 && high - low > 2 * Number.EPSILON * Math.max(Math.abs(low), Math.abs(high)); step++) {
    const secant = low + ((high - low) * above) / (above - below);
    const middle = (low + high) / 2;
    const isInside = secant > low && secant < high;
    const next = step % 3 === 2 || !isInside ? middle : secant;
    const value = await f(next);
    if (value === 0) return next;
    if (value > 0) {
      if (next === low) break;
      [low, above, below] = [next, value, below / 2];
    } else {
      if (next === high) break;
      [high, below, above] = [next, value, above / 2];
    }
  }
  return Math.abs(above) < Math.abs(below) ? low : high;
}
