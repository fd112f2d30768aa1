import { column, type Matrix, type Precision, type Vector, zeros } from "../tensors/index.ts";
import type { Arithmetic } from "./operator.ts";

// The loops of this folder over elements of long vectors. All of them accumulate in float64 whatever the vectors' precision. They trust
// their arguments: lengths are checked where vectors enter the library.

/** Rows that one pass over a block of columns touches: 2048 float64 are 16 kB, so a block's piece of the vector stays in the first cache. */
const BLOCK_ROWS = 2048;

/** Inner product `x' y`. */
export function dot(x: Vector, y: Vector): number {
  const n = x.length;
  const whole = n - (n % 4);
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  for (let i = 0; i < whole; i += 4) {
    s0 += x[i]! * y[i]!;
    s1 += x[i + 1]! * y[i + 1]!;
    s2 += x[i + 2]! * y[i + 2]!;
    s3 += x[i + 3]! * y[i + 3]!;
  }
  for (let i = whole; i < n; i++) s0 += x[i]! * y[i]!;
  return s0 + s1 + (s2 + s3);
}

/** Inner products `x' x` and `x' y`, in one pass. */
export function innerProducts(x: Vector, y: Vector): { readonly xx: number; readonly xy: number } {
  let [xx, xy] = [0, 0];
  for (let i = 0; i < x.length; i++) {
    const value = x[i]!;
    xx += value * value;
    xy += value * y[i]!;
  }
  return { xx, xy };
}

/** Euclidean norm; entries whose squares overflow or underflow are handled by scaling with the largest one. */
export function norm(x: Vector): number {
  const squared = dot(x, x);
  if (squared > 1e-280 && squared < Number.POSITIVE_INFINITY) return Math.sqrt(squared);
  const largest = maxAbs(x);
  if (largest === 0 || !Number.isFinite(largest)) return largest;
  let sum = 0;
  for (const value of x) sum += (value / largest) ** 2;
  return largest * Math.sqrt(sum);
}

/** Largest absolute entry; NaN if any entry is NaN, 0 for an empty vector. */
export function maxAbs(x: Vector): number {
  let largest = 0;
  for (let i = 0; i < x.length; i++) {
    const value = Math.abs(x[i]!);
    if (!(value <= largest)) {
      largest = value;
      if (Number.isNaN(value)) return value;
    }
  }
  return largest;
}

/** Whether no entry is infinite or NaN. */
export function isFiniteVector(x: Vector): boolean {
  for (let i = 0; i < x.length; i++) if (!Number.isFinite(x[i]!)) return false;
  return true;
}

/** `y += alpha x`, in place (BLAS). */
export function axpy(alpha: number, x: Vector, y: Vector): void {
  for (let i = 0; i < y.length; i++) y[i] = y[i]! + alpha * x[i]!;
}

/** `x *= alpha`, in place (BLAS). */
export function scal(alpha: number, x: Vector): void {
  for (let i = 0; i < x.length; i++) x[i] = x[i]! * alpha;
}

/** `alpha x`, as a new vector of x's precision. */
export function scaled(alpha: number, x: Vector): Vector {
  const result = x.slice();
  scal(alpha, result);
  return result;
}

/** `alpha x + beta y`, as a new vector; entries are rounded once. */
export function combination(
  [alpha, x]: readonly [number, Vector],
  [beta, y]: readonly [number, Vector],
  { dtype }: { readonly dtype: Precision },
): Vector {
  const result = zeros(x.length, dtype);
  for (let i = 0; i < x.length; i++) result[i] = alpha * x[i]! + beta * y[i]!;
  return result;
}

/** `Q S` for long Q `[n, k]` and small S `[k, m]`, as a new matrix `[n, m]` of Q's precision. */
export function multiply(Q: Matrix, S: Matrix): Matrix {
  const { rows } = Q;
  const data = zeros(rows * S.columns, Q.data instanceof Float64Array ? "float64" : "float32");
  const block = new Float64Array(Math.min(rows, BLOCK_ROWS));
  for (let start = 0; start < rows; start += BLOCK_ROWS) {
    const count = Math.min(BLOCK_ROWS, rows - start);
    for (let j = 0; j < S.columns; j++) {
      block.fill(0);
      addCombination(block, Q, { start, count, coefficients: column(S, j) });
      for (let i = 0; i < count; i++) data[j * rows + start + i] = block[i]!;
    }
  }
  return { rows, columns: S.columns, data };
}

/** `Q' X` for long Q `[n, k]` and X `[n, m]`, as a new matrix `[k, m]` in float64. */
export function transposedProduct(Q: Matrix, X: Matrix): Matrix {
  const data = new Float64Array(Q.columns * X.columns);
  for (let start = 0; start < Q.rows; start += BLOCK_ROWS) {
    const count = Math.min(BLOCK_ROWS, Q.rows - start);
    for (let j = 0; j < X.columns; j++) {
      addProjection(data.subarray(j * Q.columns, (j + 1) * Q.columns), Q, { v: column(X, j), start, count });
    }
  }
  return { rows: Q.columns, columns: X.columns, data };
}

/** `target += Q[start .. start + count, :] coefficients`, eight columns a pass, then four, then one: the vector is read that much less often. */
function addCombination(
  target: Float64Array,
  { rows, columns, data: q }: Matrix,
  { start, count, coefficients: c }: { readonly start: number; readonly count: number; readonly coefficients: Vector },
): void {
  let k = 0;
  for (; k + 8 <= columns; k += 8) {
    const [c0, c1, c2, c3] = [c[k]!, c[k + 1]!, c[k + 2]!, c[k + 3]!];
    const [c4, c5, c6, c7] = [c[k + 4]!, c[k + 5]!, c[k + 6]!, c[k + 7]!];
    const p0 = k * rows + start;
    const [p1, p2, p3, p4] = [p0 + rows, p0 + 2 * rows, p0 + 3 * rows, p0 + 4 * rows];
    const [p5, p6, p7] = [p4 + rows, p4 + 2 * rows, p4 + 3 * rows];
    for (let i = 0; i < count; i++) {
      const low = c0 * q[p0 + i]! + c1 * q[p1 + i]! + (c2 * q[p2 + i]! + c3 * q[p3 + i]!);
      target[i] = target[i]! + (low + (c4 * q[p4 + i]! + c5 * q[p5 + i]! + (c6 * q[p6 + i]! + c7 * q[p7 + i]!)));
    }
  }
  for (; k + 4 <= columns; k += 4) {
    const [c0, c1, c2, c3] = [c[k]!, c[k + 1]!, c[k + 2]!, c[k + 3]!];
    const p0 = k * rows + start;
    const [p1, p2, p3] = [p0 + rows, p0 + 2 * rows, p0 + 3 * rows];
    for (let i = 0; i < count; i++) {
      target[i] = target[i]! + (c0 * q[p0 + i]! + c1 * q[p1 + i]! + (c2 * q[p2 + i]! + c3 * q[p3 + i]!));
    }
  }
  for (; k < columns; k++) {
    const c0 = c[k]!;
    const p0 = k * rows + start;
    for (let i = 0; i < count; i++) target[i] = target[i]! + c0 * q[p0 + i]!;
  }
}

/** `sums += Q[start .. start + count, :]' v[start .. start + count]`, eight columns a pass, then four, then one. */
function addProjection(
  sums: Float64Array,
  { rows, columns, data: q }: Matrix,
  { v, start, count }: { readonly v: Vector; readonly start: number; readonly count: number },
): void {
  let k = 0;
  for (; k + 8 <= columns; k += 8) {
    let [s0, s1, s2, s3, s4, s5, s6, s7] = [0, 0, 0, 0, 0, 0, 0, 0];
    const p0 = k * rows + start;
    const [p1, p2, p3, p4] = [p0 + rows, p0 + 2 * rows, p0 + 3 * rows, p0 + 4 * rows];
    const [p5, p6, p7] = [p4 + rows, p4 + 2 * rows, p4 + 3 * rows];
    for (let i = 0; i < count; i++) {
      const x = v[start + i]!;
      s0 += q[p0 + i]! * x;
      s1 += q[p1 + i]! * x;
      s2 += q[p2 + i]! * x;
      s3 += q[p3 + i]! * x;
      s4 += q[p4 + i]! * x;
      s5 += q[p5 + i]! * x;
      s6 += q[p6 + i]! * x;
      s7 += q[p7 + i]! * x;
    }
    [s0, s1, s2, s3, s4, s5, s6, s7].forEach((part, i) => {
      sums[k + i] = sums[k + i]! + part;
    });
  }
  for (; k + 4 <= columns; k += 4) {
    let [s0, s1, s2, s3] = [0, 0, 0, 0];
    const p0 = k * rows + start;
    const [p1, p2, p3] = [p0 + rows, p0 + 2 * rows, p0 + 3 * rows];
    for (let i = 0; i < count; i++) {
      const x = v[start + i]!;
      s0 += q[p0 + i]! * x;
      s1 += q[p1 + i]! * x;
      s2 += q[p2 + i]! * x;
      s3 += q[p3 + i]! * x;
    }
    [s0, s1, s2, s3].forEach((part, i) => {
      sums[k + i] = sums[k + i]! + part;
    });
  }
  for (; k < columns; k++) {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += q[k * rows + start + i]! * v[start + i]!;
    sums[k] = sums[k]! + sum;
  }
}

/** The arithmetic of operators that bring none: plain loops on the host, blocked so that the vector stays in cache. */
export const hostArithmetic: Arithmetic = {
  async project(Q, v) {
    const sums = new Float64Array(Q.columns);
    for (let start = 0; start < Q.rows; start += BLOCK_ROWS) {
      addProjection(sums, Q, { v, start, count: Math.min(BLOCK_ROWS, Q.rows - start) });
    }
    return sums;
  },
  async subtract(v, Q, c) {
    const result = v.slice();
    const coefficients = scaled(-1, c);
    const block = new Float64Array(Math.min(Q.rows, BLOCK_ROWS));
    for (let start = 0; start < Q.rows; start += BLOCK_ROWS) {
      const count = Math.min(BLOCK_ROWS, Q.rows - start);
      for (let i = 0; i < count; i++) block[i] = v[start + i]!;
      addCombination(block, Q, { start, count, coefficients });
      for (let i = 0; i < count; i++) result[start + i] = block[i]!;
    }
    return result;
  },
};
