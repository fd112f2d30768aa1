import type { Matrix, Precision, Vector } from "../../tensors/index.ts";
import type { Arithmetic } from "../vectors/arithmetic.ts";

/** Options of everything that runs long. */
export interface RunOptions {
  /** Stops the work at the next safe point; the call then rejects (products) or returns its best result so far (algorithms). */
  readonly signal?: AbortSignal | undefined;
  /** Called with the progress of the work. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** Progress of a piece of work: `done` of `total` units (rows of data, or products). */
export interface Progress {
  readonly stage: string;
  readonly done: number;
  /** Absent where a tolerance ends the work. */
  readonly total?: number;
  /** Residual norm or standard error at this point, where the method has one. */
  readonly error?: number;
}

/**
 * Linear map known by its products, `x -> A x`. Nothing else is needed by the algorithms of this folder: any object with
 * `shape`, `dtype`, `symmetric`, `psd` and `matvec` will do.
 *
 * Every product is memory of its own, since algorithms keep products and write over them. Algorithms refuse an operator that returns an array
 * a second time, even as another view of it. Two exceptions are taken care of: an operator may return its argument, which is then copied, and
 * products may be separate parts of one larger array. Algorithms also refuse products of another length, and end with status "nonfinite", or
 * throw where they return numbers alone, when an entry is infinite or NaN.
 *
 * Operators made by this library read their input before they return the promise of a product, so that the caller may write over it at once;
 * those made from other operators (`compose`, `scale`, ...) do so if these do.
 */
export interface LinearOperator {
  readonly shape: readonly [rows: number, columns: number];
  /** Precision of results; either kind of vector is accepted. */
  readonly dtype: Precision;
  readonly symmetric: boolean;
  /** Positive semidefinite; implies `symmetric`. */
  readonly psd: boolean;
  /** `A x`, as a new vector of `shape[0]` entries; never keeps or changes `x` (`shape[1]` entries) and has read it when it returns. */
  matvec(x: Vector, options?: RunOptions): Promise<Vector>;
  /** `A X` for the K columns of X at once; counts as K matvecs. */
  matmat?(X: Matrix, options?: RunOptions): Promise<Matrix>;
  /**
   * `x' A x` for each of the K columns x of X, [K], without `A X`: for a square operator that has these for less than its
   * products (`J' M J` by the tangent `J x` alone). The same numbers as by products, to rounding; counts as K matvecs;
   * never keeps or changes `X`. Omit it unless it is cheaper than products.
   */
  quadraticForms?(X: Matrix, options?: RunOptions): Promise<Float64Array>;
  /** The transpose. Required unless `symmetric`. */
  adjoint?(): LinearOperator;
  readonly arithmetic?: Arithmetic | undefined;
  /** The exact diagonal, where the operator knows it without products. */
  diagonal?(): Promise<Vector>;
  /** The exact trace, where the operator knows it without products. */
  trace?(): Promise<number>;
  /** `(A + damping I)^-1`, where the operator has it in closed form. */
  inverse?(options: { readonly damping: number }): LinearOperator;
  /** `log det(A + damping I)`, where the operator has it in closed form. */
  logdet?(options: { readonly damping: number }): Promise<number>;
}
