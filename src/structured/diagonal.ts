import type { RunOptions } from "../linalg/operator/operator.ts";
import { checkOptions } from "../linalg/operator/options.ts";
import type { Risk } from "../operators/engine/risk.ts";
import { checkRisk } from "../operators/products/checkRisk.ts";
import { approximation, type StructuredApproximation } from "./approximation.ts";
import { builtBlocks } from "./builtBlocks.ts";
import type { TermTreatment } from "./passes/termPasses.ts";
import { matrixDiagonalRecipe } from "./recipes/exactRecipes.ts";
import type { ApproximatedMatrix } from "./roots/rootOf.ts";

/** Options of the exact diagonal of a curvature matrix. */
export interface DiagonalOptions extends RunOptions {
  /** The matrix; default "ggn". */
  readonly of?: ApproximatedMatrix | undefined;
  /** The treatment of rows with several terms; default "auto". With "signs" the diagonal is an unbiased estimate. */
  readonly terms?: TermTreatment | undefined;
  /** Seed of the signs. */
  readonly seed?: number | undefined;
}

/**
 * The exact diagonal of a generalized Gauss-Newton or Fisher matrix, c sum_k P_k o P_k for its pieces P_k, as a structured matrix of diagonal
 * blocks. Costs as `kfac`: for layers without shared positions (sum g o g)' (a o a), one matrix product; elsewhere the pieces of some rows at
 * a time. Memory does not grow with the rows. `diagonal()` of the result is the vector.
 *
 * @throws as `kfac`
 */
export async function diagonal(risk: Risk, options: DiagonalOptions = {}): Promise<StructuredApproximation> {
  checkRisk(risk, "diagonal");
  checkOptions("diagonal", options, "of terms seed signal onProgress");
  const { of = "ggn", terms = "auto", seed, ...run } = options;
  const { built, passes } = await builtBlocks(
    risk,
    { bias: "separate", denseLimit: 0, hasFactors: false, matrix: matrixDiagonalRecipe },
    { of, terms, seed, options: run, key: "diagonal" },
  );
  return approximation(risk, { blocks: built.flatMap(({ blocks }) => blocks), passes });
}
