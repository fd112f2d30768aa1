import type { Matrix, Vector } from "../../tensors/index.ts";
import { column } from "../../tensors/index.ts";
import { certainty, type Interval, interval } from "../statistics/confidence.ts";
import { sampleMean } from "../statistics/sampleMean.ts";
import { dot } from "../vectors/vector.ts";

/** Distance of a low-rank approximation from the matrix, estimated by products with Gaussian vectors that were not used for it. */
export interface ApproximationError {
  /** `||A - approximation||_F`, the root of the mean of `||(A - approximation) v||^2`; NaN without such products. */
  readonly frobenius: number;
  /** Holds the Frobenius norm with probability 0.95; from 0 to Infinity without two such products. */
  readonly interval: Interval;
  /**
   * Exceeds `||A - approximation||_2` except with probability `failure`: `10 sqrt(2 / pi)` times the largest `||(A - approximation) v||`
   * (Halko, Martinsson and Tropp, 2011, lemma 4.1). Usually several times too large. Infinity without such products.
   */
  readonly spectralBound: number;
  /** `10^-q` after q products. */
  readonly failure: number;
}

const nothingKnown = { lower: Number.NEGATIVE_INFINITY, upper: Number.POSITIVE_INFINITY };
const zero = { lower: Number.NEGATIVE_INFINITY, upper: Number.NEGATIVE_INFINITY };

/** The error from images `A v` and approximated images of the same Gaussian vectors. */
export function approximationError(images: readonly Vector[], approximated: Matrix): ApproximationError {
  const squares = images.map((y, k) => {
    const difference = Float64Array.from(column(approximated, k), (value, i) => y[i] - value);
    return dot(difference, difference);
  });
  const q = squares.length;
  const mean = sampleMean(squares);
  const how = certainty(0.95, { probes: q });
  // Squares are skewed to the right: an interval of the logarithm of their mean, with its error to first order, follows that.
  const logarithm = { value: Math.log(mean.value), standardError: mean.standardError / mean.value };
  const { lower, upper } = mean.value > 0 ? interval(logarithm, how) : q === 0 ? nothingKnown : zero;
  const root = (x: number) => Math.exp(x / 2);
  return {
    frobenius: Math.sqrt(mean.value),
    interval: { ...how, lower: root(lower), upper: root(upper) },
    spectralBound: q === 0 ? Number.POSITIVE_INFINITY : 10 * Math.sqrt(2 / Math.PI) * Math.sqrt(Math.max(...squares)),
    failure: 10 ** -q,
  };
}
