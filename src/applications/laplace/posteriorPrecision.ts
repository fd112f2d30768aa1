import type { RunOptions } from "../../linalg/index.ts";
import type { Matrix } from "../../tensors/index.ts";

/** A number with its standard error, 0 where it is exact, and the products with the curvature matrix that it took. */
export interface EstimatedNumber {
  readonly value: number;
  readonly standardError: number;
  readonly matvecs: number;
}

/** Rows of a Jacobian as columns, [size, K], and what of them does not depend on the prior. */
export interface PreparedColumns {
  readonly J: Matrix;
  /** Q'J in the eigenbasis of the curvature. */
  readonly rotated?: Matrix;
}

/** The precision `P = a K + diag(delta)` of a posterior, K the curvature of the mean loss. */
export interface PosteriorPrecision {
  readonly size: number;
  /** log det P. */
  logdet(options?: RunOptions): Promise<EstimatedNumber>;
  /** `tr a K P^-1`, the effective number of parameters (MacKay, 1992). */
  effectiveParameters(options?: RunOptions): Promise<EstimatedNumber>;
  /** `P^-1 X`. */
  solve(X: Matrix, options?: RunOptions): Promise<Matrix>;
  /**
   * `J' P^-1 J` for groups of `group` columns, each [group, group], row-major, one after the other; or their diagonals alone, [columns].
   */
  forms(
    columns: PreparedColumns,
    request: RunOptions & { readonly group: number; readonly diagonal?: boolean },
  ): Promise<Float64Array>;
  /** Samples first, ..., first + count - 1 of N(0, P^-1), [size, count]; `first` is 0 by default. */
  samples(count: number, request: RunOptions & { readonly seed: number; readonly first?: number }): Promise<Matrix>;
  /** `diag(P^-1)`, [size], where it is known without estimation. */
  inverseDiagonal?(): Promise<Float64Array>;
}

/** A curvature matrix K of the mean loss, from which precisions for any prior, noise and temperature follow without a pass over the data. */
export interface PosteriorCurvature {
  readonly size: number;
  /** The precision for a prior, noise and temperature. */
  precision(request: PrecisionRequest): PosteriorPrecision;
  /** What of the columns does not depend on the prior. */
  prepare(J: Matrix, options?: RunOptions): Promise<PreparedColumns>;
  /**
   * `sum_i x_i / (x_i + d)` over the eigenvalues x of K, the effective parameters for a prior precision a d common to all weights; one decomposition
   * or one set of Lanczos runs serves all d.
   */
  effectiveDimension(damping: number, options?: RunOptions): Promise<EstimatedNumber>;
}

/** a and delta of `a K + diag(delta)`. */
export interface PrecisionRequest {
  readonly factor: number;
  /** [size], positive. */
  readonly delta: Float64Array;
}

/** `A_k' B_k` for groups of columns of two matrices, or their diagonals. */
export function groupProducts(
  A: Matrix,
  B: Matrix,
  { group, diagonal = false }: { readonly group: number; readonly diagonal?: boolean | undefined },
): Float64Array {
  const { rows, columns } = A;
  const dot = (a: number, b: number) => {
    let sum = 0;
    for (let i = 0; i < rows; i++) sum += A.data[a * rows + i] * B.data[b * rows + i];
    return sum;
  };
  if (diagonal) return Float64Array.from({ length: columns }, (_, k) => dot(k, k));
  const result = new Float64Array(columns * group);
  for (let first = 0; first < columns; first += group) {
    for (let a = 0; a < group; a++) {
      for (let b = 0; b <= a; b++) {
        const value = dot(first + a, first + b);
        result[(first + a) * group + b] = value;
        result[(first + b) * group + a] = value;
      }
    }
  }
  return result;
}
