import { column, type Matrix, type Precision, precisionOf, type Vector, zeros } from "../../tensors/index.ts";
import type { Arithmetic } from "./arithmetic.ts";
import { type StagedLoops, stagedLoops } from "./loops/stagedLoops.ts";

// The loops of this folder over elements of long vectors. Sums of products are accumulated in float64 whatever the vectors' precision;
// scaled sums of float32 vectors are computed in float32. They trust their arguments: lengths are checked where vectors enter the library.

/** Entries from which on WebAssembly beats a loop of JavaScript, the call and the copies included. */
const LONG = 512;

let loops: StagedLoops | "none" | undefined;

/** The loops for vectors of n entries, where they gain and the engine has them. */
function longLoops(n: number): StagedLoops | undefined {
  if (n < LONG) return undefined;
  loops ??= stagedLoops() ?? "none";
  return loops === "none" ? undefined : loops;
}

/** Inner product `x' y`. */
export function dot(x: Vector, y: Vector): number {
  const long = longLoops(x.length);
  if (long) return long.dot(x, y);
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i] * y[i];
  return sum;
}

/** Inner products `x' x`, `x' y` and `y' y`, in one pass. */
export function innerProducts(x: Vector, y: Vector): { readonly xx: number; readonly xy: number; readonly yy: number } {
  const long = longLoops(x.length);
  if (long) return long.innerProducts(x, y);
  return { xx: dot(x, x), xy: dot(x, y), yy: dot(y, y) };
}

/** Euclidean norm; entries whose squares overflow or underflow are handled by scaling with the largest one. */
export function norm(x: Vector): number {
  return normFromSquared(dot(x, x), x);
}

/** Euclidean norm of x, whose square is known unless it overflows or underflows. */
function normFromSquared(squared: number, x: Vector): number {
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
    const value = Math.abs(x[i]);
    if (!(value <= largest)) {
      largest = value;
      if (Number.isNaN(value)) return value;
    }
  }
  return largest;
}

/** Whether no entry is infinite or NaN. */
export function isFiniteVector(x: Vector): boolean {
  const long = longLoops(x.length);
  if (long) return long.isFinite(x);
  for (let i = 0; i < x.length; i++) if (!Number.isFinite(x[i])) return false;
  return true;
}

/** `y += alpha x`, in place (BLAS). */
export function axpy(alpha: number, x: Vector, y: Vector): void {
  const long = longLoops(y.length);
  if (long) long.axpy(alpha, x, y);
  else for (let i = 0; i < y.length; i++) y[i] = y[i] + alpha * x[i];
}

/**
 * `sum += x` in place with what rounding takes from it kept in `rest`, all three of one precision: as accurate as a sum in twice the
 * precision, rounded at the end (Kahan, 1965; Knuth, 1969).
 */
export function addCompensated(x: Vector, { sum, rest }: { readonly sum: Vector; readonly rest: Vector }): void {
  const long = longLoops(x.length);
  if (long) {
    long.addCompensated(x, sum, rest);
    return;
  }
  const rounded = x instanceof Float32Array ? Math.fround : (value: number) => value;
  for (let i = 0; i < x.length; i++) {
    const [a, b] = [sum[i], x[i]];
    const s = rounded(a + b);
    const part = rounded(s - a);
    const lost = rounded(rounded(a - rounded(s - part)) + rounded(b - part));
    const tail = rounded(rest[i] + lost);
    sum[i] = s + tail;
    rest[i] = tail - rounded(sum[i] - s);
  }
}

/** `x *= alpha`, in place (BLAS). */
export function scal(alpha: number, x: Vector): void {
  const long = longLoops(x.length);
  if (long) long.scal(alpha, x);
  else for (let i = 0; i < x.length; i++) x[i] = x[i] * alpha;
}

/** `alpha x`, as a new vector of x's precision. */
export function scaled(alpha: number, x: Vector): Vector {
  const result = x.slice();
  scal(alpha, result);
  return result;
}

/** `alpha x + beta y`, as a new vector, or written over `into`, which may be x or y. */
export function combination(
  [alpha, x]: readonly [number, Vector],
  [beta, y]: readonly [number, Vector],
  { dtype, into }: { readonly dtype: Precision; readonly into?: Vector | undefined },
): Vector {
  const result = into ?? zeros(x.length, dtype);
  const long = longLoops(x.length);
  if (long) long.combination(alpha, x, beta, y, result);
  else for (let i = 0; i < x.length; i++) result[i] = alpha * x[i] + beta * y[i];
  return result;
}

/** `combination` together with the norm of its result, in one pass. */
export function combinationWithNorm(
  [alpha, x]: readonly [number, Vector],
  [beta, y]: readonly [number, Vector],
  { dtype, into }: { readonly dtype: Precision; readonly into?: Vector | undefined },
): { readonly vector: Vector; readonly norm: number } {
  const long = longLoops(x.length);
  if (!long) {
    const vector = combination([alpha, x], [beta, y], { dtype, into });
    return { vector, norm: norm(vector) };
  }
  const vector = into ?? zeros(x.length, dtype);
  const squared = long.combinationSquared(alpha, x, beta, y, vector);
  return { vector, norm: normFromSquared(squared, vector) };
}

/** `Q S` for long Q `[n, k]` and small S `[k, m]`, as a new matrix `[n, m]` of Q's precision. */
export function multiply(Q: Matrix, S: Matrix): Matrix {
  const { rows } = Q;
  const data = zeros(rows * S.columns, precisionOf(Q.data));
  for (let j = 0; j < S.columns; j++) combine(Q, column(S, j), { into: data.subarray(j * rows, (j + 1) * rows) });
  return { rows, columns: S.columns, data };
}

/** `Q' X` for long Q `[n, k]` and X `[n, m]`, as a new matrix `[k, m]` in float64. */
export function transposedProduct(Q: Matrix, X: Matrix): Matrix {
  const data = new Float64Array(Q.columns * X.columns);
  for (let j = 0; j < X.columns; j++) data.set(projection(Q, column(X, j)), j * Q.columns);
  return { rows: Q.columns, columns: X.columns, data };
}

/** `Q' v`. */
function projection(Q: Matrix, v: Vector): Float64Array {
  const sums = new Float64Array(Q.columns);
  const long = longLoops(Q.rows);
  if (long) long.project(Q, v, sums);
  else for (let k = 0; k < Q.columns; k++) sums[k] = dot(column(Q, k), v);
  return sums;
}

/** `base + Q c`, summed in float64 and rounded once, written over `into`. Without `base`: `Q c`. */
function combine(
  { rows, columns, data: q }: Matrix,
  c: Vector,
  { into, base }: { readonly into: Vector; readonly base?: Vector | undefined },
): void {
  const long = longLoops(rows);
  if (long) {
    long.accumulate({ rows, columns, data: q }, c, into, base);
    return;
  }
  const sums = base ? Float64Array.from(base) : new Float64Array(rows);
  for (let k = 0; k < columns; k++) axpy(c[k], q.subarray(k * rows, (k + 1) * rows), sums);
  into.set(sums);
}

/** The arithmetic of operators that bring none. */
export const hostArithmetic: Arithmetic = {
  async project(Q, v) {
    return projection(Q, v);
  },
  async subtract(v, Q, c) {
    const result = zeros(v.length, precisionOf(v));
    combine(Q, scaled(-1, c), { into: result, base: v });
    return result;
  },
  combine: async (Q, S) => multiply(Q, S),
};

/** The arithmetic that an operator brings for bases of its vectors, else the loops of this file. */
export function arithmeticOf({
  arithmetic = hostArithmetic,
}: {
  readonly arithmetic?: Arithmetic | undefined;
}): Arithmetic {
  return arithmetic;
}
