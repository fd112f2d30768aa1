import type { DenseMatrix } from "../../src/linalg/index.ts";
import type { Stream } from "../../src/random/index.ts";

// Dense matrices by explicit loops, stored by columns, against which blocks are tested.

export type DenseTruth = DenseMatrix;

export function normals(r: Stream, n: number): Float64Array {
  return Float64Array.from({ length: n }, () => r.normal());
}

/** Numbers well above 0. */
export function positive(r: Stream, n: number): Float64Array {
  return normals(r, n).map((x) => Math.abs(x) + 0.1);
}

export function square(n: number, data: Float64Array = new Float64Array(n * n)): DenseTruth {
  return { rows: n, columns: n, data };
}

export function eye(n: number): DenseTruth {
  return identityPlus(square(n), 1);
}

/** M + d I, or M + diag(d). */
export function identityPlus({ rows, columns, data }: DenseTruth, d: number | Float64Array): DenseTruth {
  const result = data.slice();
  for (let i = 0; i < rows; i++) result[i * rows + i] += typeof d === "number" ? d : d[i];
  return { rows, columns, data: result };
}

export function transposed({ rows, columns, data }: DenseTruth): DenseTruth {
  const result = new Float64Array(data.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) result[i * columns + j] = data[j * rows + i];
  return { rows: columns, columns: rows, data: result };
}

export function times(A: DenseTruth, B: DenseTruth): DenseTruth {
  const data = new Float64Array(A.rows * B.columns);
  for (let i = 0; i < A.rows; i++) {
    for (let j = 0; j < B.columns; j++) {
      for (let k = 0; k < A.columns; k++) data[j * A.rows + i] += A.data[k * A.rows + i] * B.data[j * B.rows + k];
    }
  }
  return { rows: A.rows, columns: B.columns, data };
}

/** Entry (i n + k, j n + l) is A_ij B_kl. */
export function kron(A: DenseTruth, B: DenseTruth): DenseTruth {
  const [m, n] = [A.rows, B.rows];
  const M = square(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < m; j++) {
      for (let k = 0; k < n; k++) {
        for (let l = 0; l < n; l++) M.data[(j * n + l) * m * n + i * n + k] = A.data[j * m + i] * B.data[l * n + k];
      }
    }
  }
  return M;
}

/** A random symmetric positive semidefinite matrix; of full rank, its eigenvalues are 0.1 at least. */
export function psdMatrix(r: Stream, n: number, rank?: number): DenseTruth {
  const columns = Math.min(rank ?? n, n);
  const R = { rows: n, columns, data: normals(r, n * columns) };
  const product = times(R, transposed(R));
  const M = square(
    n,
    product.data.map((x) => x / n),
  );
  for (let j = 0; j < n; j++) for (let i = 0; i < j; i++) M.data[i * n + j] = M.data[j * n + i];
  return rank === undefined ? identityPlus(M, 0.1) : M;
}

/** A random orthogonal matrix, by Gram and Schmidt twice. */
export function orthogonal(r: Stream, n: number): DenseTruth {
  const data = normals(r, n * n);
  for (let j = 0; j < n; j++) {
    const column = data.subarray(j * n, (j + 1) * n);
    for (const _ of [1, 2]) {
      for (let k = 0; k < j; k++) {
        let along = 0;
        for (let i = 0; i < n; i++) along += data[k * n + i] * column[i];
        for (let i = 0; i < n; i++) column[i] -= along * data[k * n + i];
      }
      const length = Math.sqrt(column.reduce((sum, x) => sum + x * x, 0));
      for (let i = 0; i < n; i++) column[i] /= length;
    }
  }
  return square(n, data);
}
