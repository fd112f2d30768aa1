import { column, type Matrix, type Vector } from "../../tensors/index.ts";
import type { Estimate } from "../runs/result.ts";
import { sampleMean } from "../statistics/sampleMean.ts";
import { dot, scaled } from "../vectors/vector.ts";

// The mean of m leave-one-out estimates t_i has variance (s + (m - 1) c) / m, s the variance of one and c the covariance of two. Their sample
// variance is an unbiased estimate of s - c, since what all have in common does not show in it. For c let t_ij be the estimate with test vector i
// that also leaves out test vector j. Given all vectors but i, both t_i and t_ij have the trace as their mean. So whatever does not depend
// on vector i is uncorrelated with their errors, and
//
//   E (t_i - t_ij) (t_j - t_ji) = E (t_i - tr A) (t_j - tr A) = c,
//
// because t_ji does not depend on vector i, t_ij does not on vector j, and given the other m - 2 these two are independent. The mean of these
// products over all pairs is therefore an unbiased estimate of c, and
//
//   (sample variance) / m + (mean over pairs)
//
// one of the variance of the mean of all t_i.

/** Leave-one-out estimates, and the mean over pairs of the product of what leaving out the other vector changes. */
export interface LeaveOneOut {
  readonly samples: readonly number[];
  readonly covariance: number;
}

/** Mean of leave-one-out estimates with its standard error. */
export function leaveOneOutMean({ samples, covariance }: LeaveOneOut): Estimate {
  const { value, standardError } = sampleMean(samples);
  return { value, standardError: dependentError(standardError, covariance) };
}

/**
 * Standard error of a mean of estimates with this covariance, from that of independent ones. A negative covariance, which its estimate may
 * be by chance, counts as none.
 */
export function dependentError(standardError: number, covariance: number): number {
  return Math.sqrt(standardError ** 2 + Math.max(covariance, 0));
}

/** Mean over all pairs i < j of m things of a number; pairs for which there is none count as 0. */
export function meanOverPairs(m: number, product: (i: number, j: number) => number): number {
  let sum = 0;
  for (let j = 1; j < m; j++) for (let i = 0; i < j; i++) sum += product(i, j);
  return m < 2 ? 0 : sum / ((m * (m - 1)) / 2);
}

/** Of unit vectors x and y: `(x - cosine y) / length` is a unit vector orthogonal to y. Undefined where rounding is all that is left. */
export function orthogonalPart(
  x: Vector,
  y: Vector,
): { readonly cosine: number; readonly length: number; readonly direction: Float64Array } | undefined {
  const cosine = dot(x, y);
  const rest = Float64Array.from(x, (value, k) => value - cosine * y[k]);
  const length = Math.sqrt(dot(rest, rest));
  return length > 1e-12 ? { cosine, length, direction: rest.map((value) => value / length) } : undefined;
}

/** Columns of a matrix as lengths and unit vectors. */
export function unitColumns(X: Matrix): readonly { readonly length: number; readonly unit: Vector }[] {
  return Array.from({ length: X.columns }, (_, i) => {
    const x = column(X, i);
    const length = Math.sqrt(dot(x, x));
    return { length, unit: scaled(1 / length, x) };
  });
}
