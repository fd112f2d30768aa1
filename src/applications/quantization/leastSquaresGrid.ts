import { nearestLevel, type UniformGrid } from "../uniformGrid.ts";

// For fixed levels q the squared error |w - s q|^2 is least at s = <w, q> / <q, q>. Levels and step are improved in turn, neither of which
// raises the error (Lloyd, 1982), until the levels stay. The error has many local minima in s, so starts are shares of the spanning step.

/** Shares of the spanning step that are tried: 5 to 100 hundredths. */
const SHARES: readonly number[] = Array.from({ length: 96 }, (_, i) => (100 - i) / 100);

/** Starts that are improved by least squares. */
const IMPROVED = 5;

const MOST_ROUNDS = 30;

/**
 * A grid with the levels of `spanning` and a step of less squared error, by a search: 96 shares of its step, the best five of them improved by
 * least squares until the levels stay. Never worse than `spanning`.
 */
export function leastSquaresGrid(weights: Float64Array, spanning: UniformGrid): UniformGrid {
  if (spanning.step === 0) return spanning;
  const tried = SHARES.map((share) => scored(weights, { ...spanning, step: share * spanning.step }));
  const starts = [...tried].sort((a, b) => a.error - b.error).slice(0, IMPROVED);
  const ends = starts.map((start) => improved(weights, start));
  return ends.reduce((best, each) => (each.error < best.error ? each : best)).grid;
}

interface Scored {
  readonly grid: UniformGrid;
  readonly error: number;
  /** <w, q> / <q, q>: the best step for the levels. */
  readonly bestStep: number;
}

function scored(weights: Float64Array, grid: UniformGrid): Scored {
  let [error, both, squares] = [0, 0, 0];
  for (const weight of weights) {
    const level = nearestLevel(weight, grid);
    error += (grid.step * level - weight) ** 2;
    both += weight * level;
    squares += level * level;
  }
  return { grid, error, bestStep: squares === 0 ? grid.step : both / squares };
}

function improved(weights: Float64Array, start: Scored): Scored {
  let best = start;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const next = scored(weights, { ...best.grid, step: best.bestStep });
    if (!(next.error < best.error)) return best;
    best = next;
  }
  return best;
}
