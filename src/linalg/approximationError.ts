import type { Matrix, Vector } from "../tensors/index.ts";
import { column } from "../tensors/index.ts";
import { certainty, type Interval, interval } from "./confidence.ts";
import { sampleMean } from "./sampleMean.ts";
import { dot } from "./vector.ts";

/** How far a low-rank approximation is from the matrix, from products with Gaussian vectors that it was not made of. */
export interface ApproximationError {
  /** `||A - approximation||_F`, the root of the mean of `||(A - approximation) v||^2`; NaN without such products. */
  readonly frobenius: number;
  /** Holds the Frobenius norm with probability 0.95. */
  readonly interval: Interval;
  /**
   * Exceeds `||A - approximation||_2` except with probability `failure`: `10 sqrt(2 / pi)` times the largest `||(A - approximation) v||`
   * (Halko, Martinsson and Tropp, 2011, lemma 4.1). Usually several times too large. Infinity without such products.
   */
  readonly spectralBound: number;
  /** `10^-q` after q products. */
  readonly failure: number;
}

/** The error from images `A v` and approximated images of the same Gaussian vectors. */
export function approximationError(images: readonly Vector[], approximated: Matrix): ApproximationError {
  const squares = images.map((y, k) => {
    const difference = Float64Array.from(column(approximated, k), (value, i) => y[i]! - value);
    return dot(difference, difference);
  });
  const q = squares.length;
  const squared = interval(sampleMean(squares), certainty(0.95, { probes: q }));
  const root = (x: number) => Math.sqrt(Math.max(x, 0));
  return {
    frobenius: root(sampleMean(squares).value),
    interval: { ...squared, lower: root(squared.lower), upper: root(squared.upper) },
    spectralBound: q === 0 ? Number.POSITIVE_INFINITY : 10 * Math.sqrt(2 / Math.PI) * root(Math.max(...squares)),
    failure: 10 ** -q,
  };
}
