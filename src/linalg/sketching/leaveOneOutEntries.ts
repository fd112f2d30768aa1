import type { Vector } from "../../tensors/index.ts";
import type { DiagonalEstimate } from "../traces/hutchinsonMoments.ts";
import { entrySamples } from "./entrySamples.ts";
import { dependentError, orthogonalPart } from "./leaveOneOut.ts";

/** Part that a low-rank approximation loses without one test vector: `p z'`, of which the test vector sees `p coupling`. */
export interface OmittedDirection {
  /** Unit vector of the direction in the coordinates of the approximation. */
  readonly s: Vector;
  /** `[n]` each, linear in s. */
  readonly p: Vector;
  readonly z: Vector;
  readonly coupling: number;
}

/**
 * Mean of the leave-one-out estimates `d_i = known - p_i * z_i + omega_i * p_i coupling_i` of a diagonal, entry by entry, with the standard
 * errors of `leaveOneOutMean`. A test vector without which nothing is lost has the estimate `known`. `20 n` operations a pair of test vectors.
 */
export function leaveOneOutEntries(
  known: Float64Array,
  directions: readonly (OmittedDirection | undefined)[],
  omega: (i: number) => Vector,
): DiagonalEstimate {
  const samples = entrySamples(known.length);
  const vectors = directions.map((_, i) => omega(i));
  for (const [i, direction] of directions.entries()) {
    if (!direction) samples.add((j) => known[j]);
    else {
      const { p, z, coupling } = direction;
      samples.add((j) => known[j] + p[j] * (coupling * vectors[i][j] - z[j]));
    }
  }
  const { values, standardErrors } = samples.result();
  const covariances = new Float64Array(known.length);
  const m = directions.length;
  for (let k = 1; k < m; k++) {
    for (let i = 0; i < k; i++) {
      const [first, second] = [directions[i], directions[k]];
      if (first && second) addPair(covariances, { first, second, omegas: [vectors[i], vectors[k]] });
    }
  }
  const pairs = Math.max((m * (m - 1)) / 2, 1);
  return { values, standardErrors: standardErrors.map((error, j) => dependentError(error, covariances[j] / pairs)) };
}

/**
 * Adds `(d_i - d_ik) * (d_k - d_ki)`. Without both vectors the approximation loses the span of s_i and s_k: of the orthonormal bases
 * (s_i, e) and (s_k, f) of it, e and f along what is left of one beside the other, only e couples with omega_k and only f with omega_i, by
 * what s_k and s_i do over the length of that rest.
 */
function addPair(
  sums: Float64Array,
  {
    first,
    second,
    omegas: [omegaI, omegaK],
  }: {
    readonly first: OmittedDirection;
    readonly second: OmittedDirection;
    readonly omegas: readonly [Vector, Vector];
  },
): void {
  const rest = orthogonalPart(second.s, first.s);
  if (!rest) return;
  const { cosine: c, length } = rest;
  const { p: pi, z: zi, coupling: ki } = first;
  const { p: pk, z: zk, coupling: kk } = second;
  for (let j = 0; j < sums.length; j++) {
    const pe = (pk[j] - c * pi[j]) / length;
    const ze = (zk[j] - c * zi[j]) / length;
    const pf = (pi[j] - c * pk[j]) / length;
    const changeI = pe * ze + omegaI[j] * ki * (pi[j] - pf / length);
    const changeK = pi[j] * zi[j] - pk[j] * zk[j] + pe * ze + omegaK[j] * kk * (pk[j] - pe / length);
    sums[j] = sums[j] + changeI * changeK;
  }
}
