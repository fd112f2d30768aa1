import { eigh, type LinearOperator, type RunOptions, toDense } from "../linalg/index.ts";
import type { Matrix, Vector } from "../tensors/index.ts";

/** Exact quantities from the dense form of a symmetric matrix. */
export interface ExactSpectrum {
  /** `[n]`, ascending. */
  readonly eigenvalues: Float64Array;
  /** `[n]` */
  readonly diagonal: Float64Array;
  readonly trace: number;
  readonly frobenius: number;
}

/** Eigenvalues, diagonal, trace and Frobenius norm of the dense form of a symmetric n x n matrix: n products and 9 n^3 operations. */
export async function exactSpectrum(A: LinearOperator, options: RunOptions): Promise<ExactSpectrum> {
  const dense = await toDense(A, options);
  const { values } = await eigh(dense);
  const diagonal = diagonalOf(dense);
  return {
    eigenvalues: values,
    diagonal,
    trace: sumOf(diagonal, { start: 0, end: diagonal.length }),
    frobenius: normOf(dense.data),
  };
}

function diagonalOf({ rows, data }: Matrix): Float64Array {
  return Float64Array.from({ length: rows }, (_, i) => data[i * rows + i]!);
}

/** Euclidean norm, accumulated in float64. */
export function normOf(x: Vector): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]! * x[i]!;
  return Math.sqrt(sum);
}

/** Sum of the entries `start, ..., end - 1`. */
export function sumOf(x: Float64Array, { start, end }: { readonly start: number; readonly end: number }): number {
  return x.subarray(start, end).reduce((sum, entry) => sum + entry, 0);
}
