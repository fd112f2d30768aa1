import { column, type Matrix } from "../../tensors/index.ts";
import { isRotationInvariant, type ProbeDistribution } from "../vectors/probes.ts";
import { dot, multiply, transposedProduct } from "../vectors/vector.ts";
import { type LeaveOneOut, meanOverPairs, orthogonalPart } from "./leaveOneOut.ts";
import { leftOutDirections } from "./rangeBasis.ts";

/** `A Omega = Q R` with the products `A Q`. */
export interface CompleteSketch {
  /** `[n, r]`, orthonormal. */
  readonly Q: Matrix;
  /** Columns of R. */
  readonly coefficients: readonly Float64Array[];
  /** `A Q` `[n, r]`. */
  readonly images: Matrix;
  /** Test vectors `[n, m]`. */
  readonly Omega: Matrix;
  readonly distribution: ProbeDistribution;
}

/** A unit vector v that is left out of the coordinates of Q, and `H v`. */
interface Direction {
  readonly v: Float64Array;
  readonly Hv: Float64Array;
}

/**
 * The estimates, each without one test vector: with `H = Q' A Q`, `W = Q' Omega`, `T = (A Q)' Omega`, the projection `Q (I - V V') Q'` on the
 * range of the others and `u = (I - V V') W_i`, the coordinates of the part of omega in it,
 *
 *   t_i = tr H - tr V' H V + c (omega - Q u)' A (omega - Q u),
 *   (omega - Q u)' A (omega - Q u) = W_i' R_i - T_i' u - u' R_i + u' H u,
 *
 * where c scales `omega - Q u` to the length `sqrt(n - rank)`, or is 1. V has one column, or two for estimates that leave out a second
 * vector.
 */
export function leaveOneOutTraces(sketch: CompleteSketch): LeaveOneOut {
  const { coefficients } = sketch;
  const rank = sketch.Q.columns;
  if (rank === 0) return { samples: coefficients.map(() => 0), covariance: 0 };
  const { H, estimate } = estimator(sketch);
  const directions = leftOutDirections({ coefficients }).map((v): Direction | undefined =>
    v ? { v, Hv: product(H, v) } : undefined,
  );
  const samples = directions.map((direction, i) => estimate(i, direction ? [direction] : []));
  const covariance = meanOverPairs(samples.length, (i, j) => {
    const [first, second] = [directions[i], directions[j]];
    const rest = first && second && orthogonalPart(second.v, first.v);
    if (!rest) return 0;
    const { cosine, length, direction: v } = rest;
    const both = [first, { v, Hv: second.Hv.map((x, k) => (x - cosine * first.Hv[k]) / length) }];
    return (samples[i] - estimate(i, both)) * (samples[j] - estimate(j, both));
  });
  return { samples, covariance };
}

/** The estimate with test vector i that leaves some directions out of the range. */
function estimator({ Q, coefficients, images, Omega, distribution }: CompleteSketch) {
  const [n, rank] = [Q.rows, Q.columns];
  const [H, W, T] = [transposedProduct(Q, images), transposedProduct(Q, Omega), transposedProduct(images, Omega)];
  const HW = multiply(H, W);
  let whole = 0;
  for (let i = 0; i < rank; i++) whole += H.data[i * rank + i];
  const estimate = (i: number, directions: readonly Direction[]): number => {
    const w = column(W, i);
    const r = new Float64Array(rank);
    r.set(coefficients[i]);
    const [u, Hu] = [Float64Array.from(w), Float64Array.from(column(HW, i))];
    let known = whole;
    for (const { v, Hv } of directions) {
      const along = dot(v, w);
      for (let k = 0; k < rank; k++) u[k] = u[k] - along * v[k];
      for (let k = 0; k < rank; k++) Hu[k] = Hu[k] - along * Hv[k];
      known -= dot(v, Hv);
    }
    const rest = dot(w, r) - dot(column(T, i), u) - dot(u, r) + dot(u, Hu);
    const omega = column(Omega, i);
    const squared = dot(omega, omega) - dot(u, u);
    const dimension = n - rank + directions.length;
    const scale = isRotationInvariant(distribution) && squared > 1e-10 * n ? dimension / squared : 1;
    return known + (dimension === 0 ? 0 : scale * rest);
  };
  return { H, estimate };
}

/** `H v`. */
function product(H: Matrix, v: Float64Array): Float64Array {
  return multiply(H, { rows: v.length, columns: 1, data: v }).data as Float64Array;
}
