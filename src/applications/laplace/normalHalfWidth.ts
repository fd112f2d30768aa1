import { normalDistribution } from "../../linalg/spectra/spectralMeasure.ts";

/** Half the width of the central interval of this probability of a standard normal variable, by bisection: 1.96 for 0.95. To 1e-14. */
export function normalHalfWidth(level: number): number {
  let [low, high] = [0, 9];
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (2 * normalDistribution(middle) - 1 < level) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
