import { stream } from "../../src/random/index.ts";
import type { Matrix } from "../../src/tensors/index.ts";

// Dense references by plain loops, which share nothing with the library.

/** Standard normal entries. */
export function randomMatrix(rows: number, columns: number, seed: number): Matrix & { data: Float64Array } {
  const draws = stream(seed, "matrix", rows, columns);
  return { rows, columns, data: Float64Array.from({ length: rows * columns }, () => draws.normal()) };
}

/** `B B' / n + shift I`. */
export function randomSpd(n: number, seed: number, shift = 0.1): Matrix & { data: Float64Array } {
  const B = randomMatrix(n, n, seed);
  const A = product(B, transposed(B));
  const data = A.data.map((value) => value / n);
  for (let i = 0; i < n; i++) data[i * n + i] = data[i * n + i]! + shift;
  return { rows: n, columns: n, data };
}

/** `(B + B') / 2`. */
export function randomSymmetric(n: number, seed: number): Matrix & { data: Float64Array } {
  const B = randomMatrix(n, n, seed);
  const data = B.data.map((value, at) => (value + B.data[(at % n) * n + Math.floor(at / n)]!) / 2);
  return { rows: n, columns: n, data };
}

export function product(A: Matrix, B: Matrix): Matrix & { data: Float64Array } {
  if (A.columns !== B.rows) throw new Error("inner dimensions differ");
  const data = new Float64Array(A.rows * B.columns);
  for (let j = 0; j < B.columns; j++) {
    for (let k = 0; k < A.columns; k++) {
      const b = B.data[j * B.rows + k]!;
      for (let i = 0; i < A.rows; i++) data[j * A.rows + i]! += A.data[k * A.rows + i]! * b;
    }
  }
  return { rows: A.rows, columns: B.columns, data };
}

export function transposed({ rows, columns, data }: Matrix): Matrix & { data: Float64Array } {
  const result = new Float64Array(rows * columns);
  for (let j = 0; j < columns; j++) for (let i = 0; i < rows; i++) result[i * columns + j] = data[j * rows + i]!;
  return { rows: columns, columns: rows, data: result };
}

export function diagonalMatrix(d: ArrayLike<number>): Matrix & { data: Float64Array } {
  const n = d.length;
  const data = new Float64Array(n * n);
  for (let i = 0; i < n; i++) data[i * n + i] = d[i]!;
  return { rows: n, columns: n, data };
}

export function identityMatrix(n: number): Matrix & { data: Float64Array } {
  return diagonalMatrix(new Array(n).fill(1));
}

/** Relative difference of `V' V` from the identity. */
export function departureFromOrthonormal(V: Matrix): number {
  return relativeDifference(product(transposed(V), V).data, identityMatrix(V.columns).data);
}

/** Largest absolute difference over the largest absolute entry of `b`. */
export function relativeDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let size = 0;
  for (let i = 0; i < a.length; i++) {
    const distance = Math.abs(a[i]! - b[i]!);
    if (Number.isNaN(distance)) return distance;
    difference = Math.max(difference, distance);
    size = Math.max(size, Math.abs(b[i]!));
  }
  return difference === 0 ? 0 : difference / size;
}
