import type { LinearOperator } from "../../src/linalg/index.ts";
import { stream } from "../../src/random/index.ts";
import { column, type Matrix, type Precision, toPrecision, type Vector } from "../../src/tensors/index.ts";

// Operators whose answers are known by construction, in plain loops that share nothing with the library.

/** Orthogonal matrix `[n, n]`: a product of three random Householder reflections, which mixes every coordinate. */
export function orthogonal(n: number, seed: number): Float64Array {
  const Q = new Float64Array(n * n);
  for (let i = 0; i < n; i++) Q[i * n + i] = 1;
  for (let r = 0; r < 3; r++) {
    const random = stream(seed, "reflection", r);
    const u = Float64Array.from({ length: n }, () => random.normal());
    const squared = u.reduce((so, x) => so + x * x, 0);
    for (let k = 0; k < n; k++) {
      const q = Q.subarray(k * n, (k + 1) * n);
      const share = (2 * q.reduce((so, x, i) => so + x * u[i]!, 0)) / squared;
      for (let i = 0; i < n; i++) q[i] = q[i]! - share * u[i]!;
    }
  }
  return Q;
}

/** Dense matrix `Q diag(values) Q'`, in columns. */
export function rotatedMatrix(values: ArrayLike<number>, seed = 1): Float64Array {
  const n = values.length;
  const Q = orthogonal(n, seed);
  const A = new Float64Array(n * n);
  for (let k = 0; k < n; k++) {
    for (let i = 0; i < n; i++) {
      const factor = values[k]! * Q[k * n + i]!;
      for (let j = 0; j < n; j++) A[i * n + j] = A[i * n + j]! + factor * Q[k * n + j]!;
    }
  }
  return A;
}

/** Operator of a dense matrix in columns; its products are rounded to `dtype`. */
export function operatorOf(
  A: Float64Array,
  { rows = Math.sqrt(A.length), dtype = "float64" as Precision, symmetric = true } = {},
): LinearOperator {
  const columns = A.length / rows;
  return {
    shape: [rows, columns],
    dtype,
    symmetric,
    psd: false,
    async matvec(x) {
      const y = new Float64Array(rows);
      for (let j = 0; j < columns; j++) for (let i = 0; i < rows; i++) y[i] = y[i]! + A[j * rows + i]! * x[j]!;
      return toPrecision(y, dtype);
    },
  };
}

/** Operator with these eigenvalues in a random basis. */
export function rotated(values: ArrayLike<number>, { seed = 1, dtype = "float64" as Precision } = {}): LinearOperator {
  return operatorOf(rotatedMatrix(values, seed), { dtype });
}

/** The operator with a count of its products; `matmat` counts its columns. */
export function counted(
  A: LinearOperator,
  { matmat = false } = {},
): LinearOperator & { readonly count: () => number; readonly calls: () => number } {
  let [count, calls] = [0, 0];
  const B: LinearOperator = {
    ...A,
    async matvec(x, options) {
      count++;
      calls++;
      return A.matvec(x, options);
    },
  };
  const together = async (X: Matrix): Promise<Matrix> => {
    count += X.columns;
    calls++;
    const data = toPrecision(new Float64Array(A.shape[0] * X.columns), A.dtype);
    for (let k = 0; k < X.columns; k++) data.set(await A.matvec(column(X, k)), k * A.shape[0]);
    return { rows: A.shape[0], columns: X.columns, data };
  };
  return { ...B, ...(matmat ? { matmat: together } : {}), count: () => count, calls: () => calls };
}

/** The operator with quadratic forms, in plain loops from its products, and counts of the forms that were asked for and of products. */
export function formed(A: LinearOperator): LinearOperator & { readonly counts: { forms: number; products: number } } {
  const counts = { forms: 0, products: 0 };
  return {
    ...A,
    async matvec(x, options) {
      counts.products++;
      return A.matvec(x, options);
    },
    async quadraticForms(X, options) {
      const forms = new Float64Array(X.columns);
      for (let k = 0; k < X.columns; k++) {
        const y = await A.matvec(column(X, k), options);
        counts.forms++;
        for (let i = 0; i < X.rows; i++) forms[k] = forms[k]! + X.data[k * X.rows + i]! * y[i]!;
      }
      return forms;
    },
    counts,
  };
}

/** The operator that does something else at its k-th product (from 1). */
export function failing(A: LinearOperator, k: number, fail: (y: Vector) => Vector): LinearOperator {
  let count = 0;
  return {
    ...A,
    async matvec(x) {
      const y = await A.matvec(x);
      return ++count === k ? fail(y) : y;
    },
  };
}

/** `q, q ratio, q ratio^2, ...` */
export function geometric(n: number, ratio: number, first = 1): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => first * ratio ** i);
}

export function randomVector(n: number, seed: number): Float64Array {
  const random = stream(seed, "vector");
  return Float64Array.from({ length: n }, () => random.normal());
}

/** Largest absolute difference. */
export function distance(x: ArrayLike<number>, y: ArrayLike<number>): number {
  if (x.length !== y.length) return Number.POSITIVE_INFINITY;
  return Array.from(x).reduce((so, value, i) => Math.max(so, Math.abs(value - y[i]!)), 0);
}

/** `f(0), f(1), ..., f(n - 1)` */
export const range = (n: number, f: (i: number) => number) => Float64Array.from({ length: n }, (_, i) => f(i));
/** Euclidean norm. */
export const length = (x: ArrayLike<number>) => Math.hypot(...Array.from(x));

/** `Q diag(f(values)) Q' b` for the operator `rotated(values)`. */
export function spectral(values: ArrayLike<number>, b: Vector, f: (value: number) => number): Float64Array {
  const n = values.length;
  const Q = orthogonal(n, 1);
  const result = new Float64Array(n);
  for (let k = 0; k < n; k++) {
    const q = Q.subarray(k * n, (k + 1) * n);
    const share = f(values[k]!) * q.reduce((so, x, i) => so + x * b[i]!, 0);
    for (let i = 0; i < n; i++) result[i] = result[i]! + share * q[i]!;
  }
  return result;
}

/** `||b - A x||`, computed here. */
export async function trueResidual(A: LinearOperator, x: Vector, b: Vector): Promise<number> {
  const Ax = await A.matvec(x);
  return length(Array.from(b, (value, i) => value - Ax[i]!));
}

/** `||A v - value v||`, computed here. */
export async function residualOf(A: LinearOperator, v: Vector, value: number): Promise<number> {
  return length(Array.from(await A.matvec(v), (y, i) => y - value * v[i]!));
}
