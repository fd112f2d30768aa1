import type { LinearOperator, RunOptions } from "../../linalg/index.ts";
import type { Vector } from "../../tensors/index.ts";

/** How a matrix is inverted. */
export interface InverseOptions {
  /** d in A + d I; default 1e-3. It decides the saliencies of weights that the loss hardly depends on. */
  readonly damping?: number;
  /**
   * "auto" (default): the blocks or the closed inverse that the matrix has, else a dense inverse for up to `denseLimit` weights, else estimates by solves. "dense" and "estimate" ask for one of
   * these whatever the matrix has.
   */
  readonly inverse?: "auto" | "dense" | "estimate";
  /** Most weights of a dense inverse; default 3,000. */
  readonly denseLimit?: number;
  /** Random vectors of an estimated diagonal, one solution each for that of the inverse; default 50. */
  readonly probes?: number;
  /** Seed of the estimates; required where there are any. */
  readonly seed?: number;
  /**
   * Bound on the residual of each solution over its right-hand side; 1e-8 by default, 1e-4 for float32. Those of estimated diagonals of an inverse
   * have 1e-6 and 1e-3.
   */
  readonly solveTolerance?: number;
  /** Most products of a solution; 1000 by default. */
  readonly solveMatvecs?: number;
}

/** Numbers, one an entry of a vector, with their standard errors where they are estimates. */
export interface Entries {
  readonly values: Float64Array;
  readonly standardErrors?: Float64Array;
}

/** A minimum of the quadratic model with some entries given. */
export interface ConstrainedMinimum {
  /** `[size]`, the change of all weights. */
  readonly change: Float64Array;
  /** `g'd + d'(A + damping I) d / 2` */
  readonly increase: number;
  /** Residual of the system over its right-hand side; 0 where it was solved by a factorization. */
  readonly residual: number;
}

/** Entries of the change that are given, and the gradient of the model. */
export interface Constraint {
  readonly indices: Int32Array;
  /** `[indices.length]`, their change. */
  readonly targets: Float64Array;
  /** `[size]`; absent where the weights are taken for a minimum. */
  readonly gradient?: Vector | undefined;
}

/**
 * The quadratic model `g'd + d'(A + damping I) d / 2` over the weights that are still there: the saliencies and compensations that follow from it. Entries of weights that are gone are 0 in
 * all vectors.
 */
export interface CurvatureModel {
  /** How the inverse is known. */
  readonly route: "blocks" | "dense" | "closed form" | "estimate";
  readonly damping: number;
  /** Diagonal of A, undamped. */
  diagonal(): Promise<Entries>;
  /** Diagonal of `(A + damping I)^-1`. */
  inverseDiagonal(): Promise<Entries>;
  /** The solution of `(A + damping I) x = b`. */
  solve(b: Vector): Promise<Float64Array>;
  /** `A x`, undamped. */
  product(x: Vector): Promise<Float64Array>;
  /** The minimum of the model with some entries of the change given. */
  constrained(constraint: Constraint): Promise<ConstrainedMinimum>;
  /** The blocks of A + damping and of its inverse as numbers; absent where the matrix is known by products. */
  readonly inverseBlocks?: () => Promise<readonly InverseBlock[]>;
  /** Products with A so far. */
  matvecs(): number;
}

/** A block of the matrix and of its damped inverse. */
export interface InverseBlock {
  readonly indices: Int32Array;
  readonly inverse: Float64Array;
}

/** What a model is of. */
export interface ModelSetup extends InverseOptions, RunOptions {
  readonly name: string;
  /** `[size]`, 0 for weights that are gone; default: all are there. */
  readonly alive?: Uint8Array | undefined;
  /** A matrix close to this one. Its closed inverse, if it has one, preconditions the systems. */
  readonly near?: LinearOperator | undefined;
}
