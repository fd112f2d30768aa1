import { checkDeclaredSymmetric } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { type BlockIterationState, type BlockOptions, blockIteration, blockPlan } from "./blockIteration.ts";
import type { EigshResult } from "./eigsh.ts";

/** Options of `blockEigsh`. */
export interface BlockEigshOptions extends BlockOptions {
  /** Vectors multiplied at once, through `matmat` where A has it: eigenvalues up to this multiplicity are found without luck. Default 4. */
  readonly blockSize?: number | undefined;
  /** Most basis vectors held at once, at least k plus two blocks; default `max(2 k + 4 blockSize, 64)`. */
  readonly basisSize?: number | undefined;
}

/** The block Krylov space after `matvecs` products: plain data, from which the run can go on. */
export type BlockEigshState = BlockIterationState;

/** Some eigenpairs of a symmetric matrix, as `eigsh` gives them. */
export type BlockEigshResult = EigshResult;

const NAME = "blockEigsh";

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
  checkOptions(NAME, options, "k which seed tolerance matvecs blockSize basisSize copies state signal onProgress");
  checkDeclaredSymmetric(NAME, A);
  const { blockSize = Math.min(4, A.shape[1]) } = options;
  const { basisSize = Math.max(2 * options.k + 4 * blockSize, 64) } = options;
  return yield* blockIteration(blockPlan(NAME, A, { ...options, blockSize, basisSize }), options.state);
}
