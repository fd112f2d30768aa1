import { CurvatureError } from "../errors/index.ts";
import { checkOptions } from "../linalg/operator/options.ts";
import type { Risk } from "../operators/engine/risk.ts";
import { checkRisk } from "../operators/products/checkRisk.ts";
import { approximation, type StructuredApproximation } from "./approximation.ts";
import { blocksOf } from "./builtBlocks.ts";
import type { ExactOptions } from "./diagonal.ts";
import { checkOneOf, optionsText } from "./kroneckerOptions.ts";
import { type LayerPlan, layerPlan } from "./plan/layerPlan.ts";
import type { BlockRecipe } from "./recipes/blockRecipe.ts";
import { matrixDiagonalRecipe, type ParameterSource } from "./recipes/exactRecipes.ts";
import { jointDenseRecipe } from "./recipes/jointDenseRecipe.ts";
import { layerRecipes } from "./recipes/layerRecipes.ts";

/** Options of exact dense blocks. */
export interface BlockDiagonalOptions extends ExactOptions {
  /** A block for each parameter, or one for the parameters of each layer (its weight and bias) together; default "layer". */
  readonly by?: "parameter" | "layer" | undefined;
  /** Most entries of a block; the parameters of larger ones have their diagonal. Default 2,000. */
  readonly denseLimit?: number | undefined;
}

/**
 * Exact dense blocks of a generalized Gauss-Newton or Fisher matrix, c sum_k vec(P_k) vec(P_k)', one a parameter or layer, as far as they fit;
 * the rest has its exact diagonal and is named in `coverage`. A block of d entries takes N V d^2 operations for N rows and V reverse passes
 * each, and d^2 numbers.
 *
 * @throws as `kfac`
 */
export async function blockDiagonal(risk: Risk, options: BlockDiagonalOptions = {}): Promise<StructuredApproximation> {
  checkRisk(risk, "blockDiagonal");
  checkOptions("blockDiagonal", options, "of terms seed by denseLimit signal onProgress");
  const { of = "ggn", terms = "auto", seed, by = "layer", denseLimit = 2000, ...run } = options;
  checkOneOf("blockDiagonal", { option: "by", value: by, of: ["parameter", "layer"] });
  if (!(Number.isInteger(denseLimit) && denseLimit >= 0)) {
    throw new CurvatureError(
      "argument",
      `blockDiagonal: denseLimit must be a number of entries, got ${String(denseLimit)}`,
    );
  }
  const plan = await layerPlan(risk);
  const groups = by === "layer" ? plan.layers : risk.parameters.map((_, index) => [index]);
  const recipes = denseRecipes(risk, plan, { groups, denseLimit });
  const choice = { of, terms, seed, options: run, key: JSON.stringify(["blockDiagonal", by, denseLimit]) };
  const { built, passes } = await blocksOf(risk, recipes, { ...choice, plan });
  const made = { method: "blockDiagonal", options: optionsText(choice) };
  return approximation(risk, { blocks: built.flatMap(({ blocks }) => blocks), passes, made });
}

function denseRecipes(
  risk: Risk,
  plan: LayerPlan,
  { groups, denseLimit }: { readonly groups: LayerPlan["layers"]; readonly denseLimit: number },
) {
  const diagonals = layerRecipes(risk, plan, {
    bias: "separate",
    denseLimit: 0,
    hasFactors: false,
    matrix: matrixDiagonalRecipe,
  });
  const dense = new Map<boolean, BlockRecipe[]>([
    [false, []],
    [true, []],
  ]);
  const isDense = new Set<number>();
  for (const group of groups) {
    const size = group.reduce((sum, index) => sum + risk.parameters[index].size, 0);
    if (size > denseLimit) continue;
    const reason = "exact block";
    const sources = group.map(
      (index): ParameterSource => ({ id: `parameter ${index}`, index, parameter: risk.parameters[index], reason }),
    );
    const name = group.map((index) => risk.parameters[index].name).join(", ");
    const isOutside = group.some((index) => plan.parameters[index].form === "outside");
    dense.get(isOutside)!.push(jointDenseRecipe(sources, { name, reason }));
    for (const index of group) isDense.add(index);
  }
  const rest = (recipes: readonly BlockRecipe[]) =>
    recipes.filter(({ parameters }) => !parameters.some((index) => isDense.has(index)));
  return {
    throughLayers: [...dense.get(false)!, ...rest(diagonals.throughLayers)],
    byRow: [...dense.get(true)!, ...rest(diagonals.byRow)],
  };
}
