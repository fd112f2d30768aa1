import type { Matrix, Precision, Vector } from "../../tensors/index.ts";
import { epsilon } from "../operator/checks.ts";
import type { Arithmetic } from "../vectors/arithmetic.ts";
import { growingBasis, normalized, orthogonalize, withColumn } from "../vectors/basis.ts";
import { norm } from "../vectors/vector.ts";

/** QR decomposition `Y = Q R` of columns that come one by one; those that depend on the ones before add no column to Q. */
export interface RangeBasis {
  /** `[n, r]`, orthonormal. */
  readonly basis: Matrix;
  /** Column i of R, one a column of Y: as many entries as Q had columns after it. */
  readonly coefficients: readonly Float64Array[];
}

/** Basis of no columns, with room for `capacity`. */
export function emptyRange(rows: number, { capacity, dtype }: { capacity: number; dtype: Precision }): RangeBasis {
  const none = { rows, columns: 0, data: new Float64Array(0) };
  return { basis: growingBasis(none, { capacity: Math.min(capacity, rows), dtype }), coefficients: [] };
}

/** A saved basis, moved into a buffer that has room for `capacity` columns. */
export function resumedRange(
  { basis, coefficients }: RangeBasis,
  { capacity, dtype }: { capacity: number; dtype: Precision },
): RangeBasis {
  return { basis: growingBasis(basis, { capacity: Math.min(capacity, basis.rows), dtype }), coefficients };
}

/** Share of a column below which what is left of it outside the basis is rounding, in units in the last place. */
const ROUNDING = 32;

/** The decomposition with one more column y; `scale` is the largest norm of a column. */
export async function withRange(
  { basis, coefficients }: RangeBasis,
  y: Vector,
  { arithmetic, dtype, scale }: { arithmetic: Arithmetic; dtype: Precision; scale: number },
): Promise<RangeBasis> {
  const { vector, coefficients: c, norm: left } = await orthogonalize(y, basis, arithmetic);
  const isDependent = basis.columns === basis.rows || !(left > ROUNDING * epsilon(dtype) * scale);
  if (isDependent) return { basis, coefficients: [...coefficients, c] };
  const extended = new Float64Array(c.length + 1);
  extended.set(c);
  extended[c.length] = left;
  const direction = normalized(vector === y ? y.slice() : vector);
  return { basis: withColumn(basis, direction), coefficients: [...coefficients, extended] };
}

/** Whether column i added a column to the basis. */
export function isPivot({ coefficients }: Pick<RangeBasis, "coefficients">, i: number): boolean {
  return coefficients[i].length > (i === 0 ? 0 : coefficients[i - 1].length);
}

/** Largest norm of the columns so far and a new one. */
export function columnScale({ coefficients }: RangeBasis, y: Vector): number {
  return coefficients.reduce((so, c) => Math.max(so, norm(c)), norm(y));
}

/**
 * For each column i of R the unit vector s_i in the space of its rows that is orthogonal to all other columns: `I - s_i s_i'` projects on
 * what the other columns span. undefined where they span as much without column i. Where the columns are independent, s_i is row i of the
 * inverse of R, normalized (Epperly, Tropp and Webber, 2024, section 2.2).
 *
 * Pivot columns form an upper triangle U of order r. A column c that is not a pivot is `U d`; each entry of d other than zero says of one
 * pivot that c spans its direction as well.
 */
export function leftOutDirections(range: Pick<RangeBasis, "coefficients">): readonly (Float64Array | undefined)[] {
  const { coefficients } = range;
  const all = coefficients.map((_, i) => i);
  const pivots = all.filter((i) => isPivot(range, i));
  const U = pivots.map((i) => coefficients[i]);
  const replaced = new Set<number>();
  for (const i of all) {
    if (isPivot(range, i)) continue;
    const d = backSubstituted(U, coefficients[i]);
    const largest = d.reduce((so, x) => Math.max(so, Math.abs(x)), 0);
    d.forEach((x, j) => {
      if (Math.abs(x) > 1e-6 * largest) replaced.add(pivots[j]);
    });
  }
  return all.map((i) => {
    const j = pivots.indexOf(i);
    return j < 0 || replaced.has(i) ? undefined : unitLength(transposedSolve(U, j));
  });
}

/** d with `U d = c`, U upper triangular by columns; c may be shorter than U is large. */
function backSubstituted(U: readonly Float64Array[], c: Float64Array): Float64Array {
  const d = c.slice();
  for (let j = d.length - 1; j >= 0; j--) {
    d[j] = d[j] / U[j][j];
    for (let i = 0; i < j; i++) d[i] = d[i] - U[j][i] * d[j];
  }
  return d;
}

/** s with `U' s = e_j`. */
function transposedSolve(U: readonly Float64Array[], j: number): Float64Array {
  const s = new Float64Array(U.length);
  for (let k = j; k < U.length; k++) {
    let sum = k === j ? 1 : 0;
    for (let i = j; i < k; i++) sum -= U[k][i] * s[i];
    s[k] = sum / U[k][k];
    // Only the direction counts: entries that grow without bound are scaled back together.
    if (Math.abs(s[k]) > 1e150) for (let i = j; i <= k; i++) s[i] = s[i] * 1e-150;
  }
  return s;
}

function unitLength(s: Float64Array): Float64Array {
  const length = norm(s);
  return s.map((x) => x / length);
}
