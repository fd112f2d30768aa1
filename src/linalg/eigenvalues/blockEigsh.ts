import type { Matrix } from "../../tensors/index.ts";
import { checkDeclaredSymmetric } from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { products } from "../runs/products.ts";
import type { Outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { type BlockIterationState, blockIteration, blockPlan } from "./blockIteration.ts";
import type { Which } from "./ritzPairs.ts";

/** Options of `blockEigsh`. */
export interface BlockEigshOptions extends RunOptions {
  /** Number of eigenpairs, at most n. */
  readonly k: number;
  /** As in `eigsh`: "largest" (default), "smallest", "magnitude" or "both". */
  readonly which?: Which;
  readonly seed: number;
  /** Bound on every residual norm over the largest |eigenvalue|: 1e-8 by default, 1e-4 for float32 operators. */
  readonly tolerance?: number;
  /** Most products; default 50 times `basisSize`. The last k are kept for the true residuals. */
  readonly matvecs?: number;
  /** Vectors multiplied at once, through `matmat` where A has it: eigenvalues up to this multiplicity are found without luck. Default 4. */
  readonly blockSize?: number;
  /** Most basis vectors held at once, at least k plus two blocks; default `max(2 k + 4 blockSize, 64)`. */
  readonly basisSize?: number;
  /**
   * Whether to look for further copies of repeated eigenvalues once k pairs have converged (default true), on the complement of the k pairs and until
   * its own extreme eigenvalue is known to lie beyond the k-th: about as many steps as the k pairs took, and once more for every blockSize copies.
   * Without it, or where the budget ends it, copies may be missing.
   */
  readonly copies?: boolean;
  /** Where an earlier run with the same options stopped. */
  readonly state?: BlockEigshState;
}

/** The block Krylov space after `matvecs` products: plain data, from which the run can go on. */
export type BlockEigshState = BlockIterationState;

/** Some eigenpairs of a symmetric matrix. */
export interface BlockEigshResult extends Outcome {
  /** `[k]` in the order that `which` says; fewer only where the run ended before k could be formed. */
  readonly values: Float64Array;
  /** `[n, k]`, orthonormal columns in the order of `values`. */
  readonly vectors: Matrix;
  /** `[k]`, `||A v - value v||` from one more product each; the recurrence's estimates after "aborted" and "nonfinite". */
  readonly residualNorms: Float64Array;
}

/**
 * Eigenvalues at the ends of a symmetric matrix's spectrum by block Lanczos (Golub and Underwood, 1977) with full reorthogonalization and
 * thick restart: a block of p vectors sees up to p copies of each eigenvalue, and makes p products at once. `blockSize` products a step, k at
 * the end for the true residuals; convergence is looked at every other step. For simple eigenvalues `eigsh` takes fewer products.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function blockEigsh(A: LinearOperator, options: BlockEigshOptions): Promise<BlockEigshResult> {
  return runToEnd(blockEigshSteps(A, options));
}

/** The run of `blockEigsh` block by block; yields a state after each, from which `state` resumes it. */
export async function* blockEigshSteps(
  A: LinearOperator,
  options: BlockEigshOptions,
): AsyncGenerator<BlockEigshState, BlockEigshResult, void> {
  checkOptions(
    "blockEigsh",
    options,
    "k which seed tolerance matvecs blockSize basisSize copies state signal onProgress",
  );
  const name = "blockEigsh";
  checkDeclaredSymmetric(name, A);
  const { matvecs, ...plan } = blockPlan(name, A, options);
  const run = products(A, { ...options, name, matvecs, used: options.state?.matvecs ?? 0 });
  return yield* blockIteration({ ...plan, run }, options.state);
}
