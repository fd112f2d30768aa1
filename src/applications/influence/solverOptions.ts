import type { LinearOperator, RunOptions, Status } from "../../linalg/index.ts";
import type { Risk } from "../../operators/index.ts";
import type { Matrix } from "../../tensors/index.ts";

/** Solution of the systems with an iterative method. */
export interface IterativeSolver {
  readonly method: "cg" | "minres";
  /** Bound on the residual of each system over its right-hand side; 1e-8 by default, 1e-4 for float32 operators. */
  readonly tolerance?: number;
  /** Most products for each right-hand side; 1000 by default. */
  readonly matvecs?: number;
  /** Operator close to the inverse of the damped matrix, for example that of `kfac`. */
  readonly preconditioner?: LinearOperator;
}

/** Truncated Neumann series (LiSSA: Agarwal, Bullins and Hazan, 2017), all systems at once. */
export interface LissaSolver {
  readonly method: "lissa";
  /** Most terms of the series; 1000 by default. */
  readonly terms?: number;
  /** Bound on the residual over the right-hand side, at which the series ends; 1e-3 by default. 0 takes all terms. Not with `batchRows`. */
  readonly tolerance?: number;
  /**
   * Number s that A plus damping is divided by; it must be above half of the largest eigenvalue. Default: that eigenvalue, by power iteration; with `batchRows` four times
   * that, since a batch may have a larger one.
   */
  readonly scale?: number;
  /** Seed of the power iteration and of the batches; required unless `scale` is given and all rows are taken. */
  readonly seed?: number;
  /** Rows of the random batch that each term takes in place of all rows: one product costs that much less, and the solution becomes an estimate. */
  readonly batchRows?: number;
  /** Independent series whose mean is the solution with `batchRows`; 4 by default. Their spread is its standard error. */
  readonly repeats?: number;
  /** The matrix on a batch; default `ggn`. The expectation over batches must be the matrix of the influence, penalty apart. */
  readonly batchMatrix?: (risk: Risk) => LinearOperator;
}

/** The inverse of a model of low rank: the eigenpairs of largest magnitude, and damping on the rest. */
export interface EigenpairSolver {
  readonly method: "eigenpairs";
  /** Number of eigenpairs. */
  readonly rank: number;
  readonly seed: number;
  /** Whether the rest of the space has the inverse 1 / damping (default) or 0. */
  readonly complement?: boolean;
  /** Relative accuracy of the eigenpairs; default that of `eigsh`. */
  readonly tolerance?: number;
  /** Most products for the eigenpairs; default that of `eigsh`. */
  readonly matvecs?: number;
}

/**
 * How systems with the damped matrix are solved:
 *
 * - "inverse": by the operator's own inverse in closed form (structured, low-rank, Gram and dense matrices);
 * - "dense": the matrix is formed by one product for each weight, and its eigendecomposition serves all systems; for up to some thousand weights;
 * - "cg": conjugate gradients, all systems at once, for a matrix that is positive definite with its damping;
 * - "minres": also for an indefinite one, one system after the other;
 * - "lissa" and "eigenpairs": approximations, whose residuals the result tells.
 */
export type InfluenceSolver =
  | "inverse"
  | "dense"
  | "cg"
  | "minres"
  | { readonly method: "inverse" | "dense" }
  | IterativeSolver
  | LissaSolver
  | EigenpairSolver;

/** Solutions of some systems, column by column. */
export interface Solved {
  readonly x: Matrix;
  /** Relative residuals where the method has them from true products, else undefined. */
  readonly residuals?: Float64Array;
  readonly status: Status;
  readonly happened: string;
}

/** The training rows that a matrix is of, and the matrix on some of them with the penalty. */
export interface SampledRows {
  readonly risk: Risk;
  matrix(batch: Risk, of: (risk: Risk) => LinearOperator): LinearOperator;
}

/** What each method is given. */
export interface MethodSetup {
  readonly name: string;
  readonly damping: number;
  readonly rows: SampledRows;
  /** Counts products with A. */
  count(products: number): void;
}

/** Solutions X of `(A + damping I) X = B`. */
export type Solve = (B: Matrix, options: RunOptions) => Promise<Solved>;
