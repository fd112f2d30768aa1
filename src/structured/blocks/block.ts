import type { Value } from "../../graph/index.ts";
import type { DenseMatrix } from "../../linalg/dense/index.ts";
import type { Tensors } from "../../operators/engine/risk.ts";

/** The kinds of blocks. */
export type BlockKind =
  | "kronecker"
  | "eigenKronecker"
  | "diagonalKronecker"
  | "dense"
  | "diagonal"
  | "lowRankPlusDiagonal";

/**
 * How a damping d enters a Kronecker block `A (x) B`; for all other blocks it is "exact":
 *
 * - "exact": `A (x) B + d I`;
 * - "heuristic": `(A + sqrt(d) r I) (x) (B + sqrt(d) / r I)` with r^2 = (tr A / m) / (tr B / n) (Martens and Grosse, 2015), which is `A (x) B + d I`
 *   and cross terms. Where a trace is 0, the block is d I;
 * - "factors": `(A + d I) (x) (B + d I)`, as curvlinops has it.
 */
export type DampingKind = "exact" | "heuristic" | "factors";

/** A damping of one block. */
export interface BlockDamping {
  /** d, not negative. */
  readonly value: number;
  readonly kind: DampingKind;
}

/** A function of a block, (K + d I)^q. */
export interface BlockFunction {
  readonly damping: BlockDamping;
  /** Power q. */
  readonly power: number;
}

/** The product with a function of a block, as a graph and the arrays it reads. */
export interface BlockProduct {
  /** Products of one form have the same graph, and differ only in their arrays. */
  readonly form: string;
  readonly arrays: Tensors;
  /** The graph of the product, x [K, size] -> [K, size]. */
  build(x: Value, arrays: { readonly [name: string]: Value }): Value;
}

/** A symmetric matrix [size, size] that is known in closed form. Functions of it are computed from its eigenvalues. */
export interface Block {
  readonly kind: BlockKind;
  readonly size: number;
  /** Whether it is positive semidefinite without damping. Inverses always are. */
  readonly psd: boolean;
  /** Whether its square roots are symmetric. */
  readonly symmetricRoot: boolean;
  /** The arrays that define it, in float64. */
  readonly arrays: Tensors;
  /**
   * The product with a function of the block.
   *
   * @throws CurvatureError "argument" where the function does not exist: a negative power of a singular block, or a power that a block of
   *   this kind has no closed form for
   */
  product(f: BlockFunction): Promise<BlockProduct>;
  /** The product with a square root S of a function, S S' = f(K), and with its transpose. */
  root(f: BlockFunction): Promise<{ readonly product: BlockProduct; readonly adjoint: BlockProduct }>;
  /** The product x -> Q'x with the block's eigenvectors, entry by entry in the order of `eigenvalues`, where it has them. */
  toEigenbasis?(): Promise<BlockProduct>;
  /** The block's eigenvectors [size, size] in the order of `eigenvalues`, where it holds them as one matrix. */
  eigenvectors?(): Promise<DenseMatrix>;
  /** The eigenvalues of a function of the block, [size], in any order. */
  eigenvalues(f: BlockFunction): Promise<Float64Array>;
  /** The diagonal of a function of the block, [size]. */
  diagonal(f: BlockFunction): Promise<Float64Array>;
  /** The trace of a function of the block. */
  trace(f: BlockFunction): Promise<number>;
  /** The squared Frobenius norm of a function of the block. */
  squaredNorm(f: BlockFunction): Promise<number>;
  /** log det of a function of the block, where it has that without eigenvalues. */
  logdet?(f: BlockFunction): Promise<number>;
  /** Trace of `F (F + d I)^-1` for a function F of the block, where it has that without eigenvalues. */
  effectiveDimension?(f: BlockFunction, damping: number): Promise<number>;
  /**
   * For a block in a Kronecker basis of matrices [m, n] and vectors a [rows, m], row-major: the matrices `(a' (x) I) f(K) (a (x) I)` [n, n] of a function as `basis
   * diag(weights) basis'`.
   */
  leftForms?(f: BlockFunction, a: LeftVectors): Promise<LeftForms>;
  /** The block plus a diagonal of numbers that are not negative, [size], where the sum is again a block in closed form. */
  plusDiagonal?(added: Float64Array): Block;
  /** The least eigenvalue over the largest where it is negative by rounding errors and taken as 0; 0 if none is negative. */
  clipped(): Promise<number>;
}

/** Vectors a [rows, m], row-major. */
export interface LeftVectors {
  readonly data: Float64Array;
  readonly rows: number;
}

/** Matrices `basis diag(weights) basis'` [n, n], one a row. */
export interface LeftForms {
  /** [n, n], orthogonal; the unit vectors if absent. */
  readonly basis?: DenseMatrix;
  /** [rows, n], row-major. */
  readonly weights: Float64Array;
}

/** Whether a function is the block itself. */
export function isItself({ damping, power }: BlockFunction): boolean {
  return damping.value === 0 && power === 1;
}
