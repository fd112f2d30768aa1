import { CurvatureError } from "../errors/index.ts";
import { checkOptions } from "../linalg/operator/options.ts";
import type { RunOptions } from "../linalg/operator/operator.ts";
import type { Risk } from "../operators/engine/risk.ts";
import { checkRisk } from "../operators/products/checkRisk.ts";
import type { TermTreatment } from "./passes/termPasses.ts";
import { kroneckerRecipe } from "./recipes/kroneckerRecipe.ts";
import type { BiasTreatment } from "./recipes/layerRecipes.ts";
import type { MatrixSource } from "./recipes/matrixSource.ts";
import { twoSidedRecipe } from "./recipes/twoSidedRecipe.ts";
import type { ApproximatedMatrix } from "./roots/rootOf.ts";
import { type StructuredMatrix, structuredMatrix } from "./structuredMatrix.ts";
import type { Sharing } from "./sums/factorSums.ts";

/** Options of a Kronecker-factored approximation. */
export interface KfacOptions extends RunOptions {
  /** The matrix that is approximated; default "ggn". */
  readonly of?: ApproximatedMatrix | undefined;
  /**
   * The treatment of positions (tokens, pixels, time steps) at which a row shares a weight: "expand" (default) for a loss term at each
   * position, "reduce" for outputs that pool over positions, "twoSided" for either, from the pieces themselves.
   */
  readonly sharing?: Sharing | "twoSided" | undefined;
  /** Default "separate". */
  readonly bias?: BiasTreatment | undefined;
  /** The treatment of rows with several terms; default "auto". */
  readonly terms?: TermTreatment | undefined;
  /** Seed of the random signs of terms; required where these are used. Labels have the seed in `of`. */
  readonly seed?: number | undefined;
  /** Most entries of a parameter without Kronecker structure for an exact dense block; larger ones get their diagonal. Default 1,000. */
  readonly denseLimit?: number | undefined;
}

export async function kfac(risk: Risk, options: KfacOptions = {}): Promise<StructuredMatrix> {
  checkRisk(risk, "kfac");
  checkOptions("kfac", options, "of sharing bias terms seed denseLimit signal onProgress");
  const { of = "ggn", sharing = "expand", bias = "separate", terms = "auto", seed, denseLimit = 1000, ...run } = options;
  if (!["expand", "reduce", "twoSided"].includes(sharing)) {
    throw new CurvatureError("argument", `kfac: sharing must be "expand", "reduce" or "twoSided", got ${JSON.stringify(sharing)}`);
  }
  const matrix = (source: MatrixSource) =>
    sharing === "twoSided" ? twoSidedRecipe(source) : kroneckerRecipe(source, sharing);
  const key = JSON.stringify(["kfac", sharing, bias, denseLimit]);
  return structuredMatrix(risk, { bias, denseLimit, matrix }, { of, terms, seed, options: run, key });
}
