import { stream } from "../../random/index.ts";
import { type Matrix, type Precision, type Vector, zeros } from "../../tensors/index.ts";
import type { Arithmetic } from "./arithmetic.ts";
import { probe } from "./probes.ts";
import { axpy, dot, norm, scal } from "./vector.ts";

// A basis that grows by columns lives in one buffer; states show its leading columns, which no later step changes.

/** Buffer for `capacity` columns, with the columns of `start` copied to its front. */
export function growingBasis(start: Matrix, { capacity, dtype }: { capacity: number; dtype: Precision }): Matrix {
  const data = zeros(start.rows * Math.max(capacity, start.columns), dtype);
  data.set(start.data);
  return { rows: start.rows, columns: start.columns, data: data.subarray(0, start.data.length) };
}

/** The first columns of a basis, as a view. */
export function leadingColumns({ rows, data }: Matrix, columns: number): Matrix {
  return { rows, columns, data: data.subarray(0, rows * columns) };
}

/** The basis with one more column, written behind the others in the buffer of `growingBasis`. */
export function withColumn({ rows, columns, data }: Matrix, v: Vector): Matrix {
  const View = data instanceof Float64Array ? Float64Array : Float32Array;
  const longer = new View(data.buffer as ArrayBuffer, data.byteOffset, rows * (columns + 1));
  longer.set(v, rows * columns);
  return { rows, columns: columns + 1, data: longer };
}

/** A second pass is made where one pass leaves less than this share of the vector (Daniel, Gragg, Kaufman and Stewart, 1976). */
const KEPT_SHARE = Math.SQRT1_2;

/** Passes after which a vector that keeps shrinking lies in the span of the basis to rounding ("twice is enough", Parlett, 1998). */
const MOST_PASSES = 3;

/** `w - Q (Q' w)` for orthonormal Q, by classical Gram-Schmidt, again only where the norm test asks for it. */
export async function orthogonalize(
  w: Vector,
  Q: Matrix,
  arithmetic: Arithmetic,
): Promise<{ readonly vector: Vector; readonly coefficients: Float64Array; readonly norm: number }> {
  const coefficients = new Float64Array(Q.columns);
  let [vector, before] = [w, norm(w)];
  if (Q.columns === 0) return { vector, coefficients, norm: before };
  for (let pass = 1; ; pass++) {
    const c = await arithmetic.project(Q, vector);
    vector = await arithmetic.subtract(vector, Q, c);
    axpy(1, c, coefficients);
    const after = norm(vector);
    if (after >= KEPT_SHARE * before || pass === MOST_PASSES) return { vector, coefficients, norm: after };
    before = after;
  }
}

/** Result of one step of the recurrence. */
export interface LanczosStep {
  /** `q' A q` of the newest basis vector q. */
  readonly alpha: number;
  /** Norm of the part of `A q` outside the basis. */
  readonly beta: number;
  /** Part of `A q` outside the basis, not normalized. */
  readonly next: Vector;
}

/** Takes the terms of the two newest basis vectors from `w = A newest`, which it changes: `w - beta before - alpha newest`. Gives alpha. */
export function withoutKnownTerms(
  w: Vector,
  { newest, before, beta }: { readonly newest: Vector; readonly before: Vector | undefined; readonly beta: number },
): number {
  if (before) axpy(-beta, before, w);
  const alpha = dot(newest, w);
  axpy(-alpha, newest, w);
  return alpha;
}

/**
 * One step of the three-term recurrence `A q_j = beta_(j-1) q_(j-1) + alpha_j q_j + beta_j q_(j+1)` with full reorthogonalization. The two
 * known terms go first, so that the norm test of the full pass sees rounding only. Changes `w = A q_j`.
 */
export async function lanczosStep(
  w: Vector,
  { basis, beta, arithmetic }: { basis: Matrix; beta: number; arithmetic: Arithmetic },
): Promise<LanczosStep> {
  const { rows, columns, data } = basis;
  const newest = data.subarray(rows * (columns - 1));
  const before = beta === 0 ? undefined : data.subarray(rows * (columns - 2), rows * (columns - 1));
  const alpha = withoutKnownTerms(w, { newest, before, beta });
  const { vector, coefficients, norm: left } = await orthogonalize(w, basis, arithmetic);
  return { alpha: alpha + coefficients[columns - 1]!, beta: left, next: vector };
}

/** The vector scaled to length 1; changes it. */
export function normalized(x: Vector): Vector {
  scal(1 / norm(x), x);
  return x;
}

/** Random unit vector orthogonal to a basis of fewer than `rows` columns, its direction uniform. */
export async function randomDirection(
  basis: Matrix,
  { seed, path, dtype, arithmetic }: { seed: number; path: string | number; dtype: Precision; arithmetic: Arithmetic },
): Promise<Vector> {
  const random = stream(seed, "direction", path);
  for (;;) {
    const v = normalized(probe(basis.rows, { distribution: "gaussian", stream: random, dtype }));
    const { vector, norm: left } = await orthogonalize(v, basis, arithmetic);
    // Of a draw that lies almost in the span only rounding is left: draw again.
    if (left > 1e-3 / Math.sqrt(basis.rows)) return normalized(vector);
  }
}
