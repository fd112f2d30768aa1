import type { Risk, Tensors } from "../operators/engine/risk.ts";
import type { PlacedBlock } from "./blocks/index.ts";
import type { TermPasses } from "./passes/termPasses.ts";
import { type LayerPlan, layerPlan } from "./plan/layerPlan.ts";
import type { BlockRecipe } from "./recipes/blockRecipe.ts";
import { type LayerRecipes, layerRecipes, type RecipeSettings } from "./recipes/layerRecipes.ts";
import { type MatrixChoice, recipeTotals, rowTotals } from "./recipes/recipeTotals.ts";

/** The blocks of a recipe. */
export interface BlocksOfRecipe {
  readonly recipe: BlockRecipe;
  readonly blocks: readonly PlacedBlock[];
}

/** The blocks of all parameters, with what further passes over the data need. */
export interface BuiltBlocks {
  readonly plan: LayerPlan;
  readonly built: readonly BlocksOfRecipe[];
  readonly passes: TermPasses;
}

/** Sums the pieces of all rows and makes the blocks of them. One pass over the data, and one by single rows where a parameter enters outside of layers. */
export async function builtBlocks(
  risk: Risk,
  settings: RecipeSettings,
  choice: MatrixChoice & { readonly key: string },
): Promise<BuiltBlocks> {
  const plan = await layerPlan(risk);
  return { plan, ...(await blocksOf(risk, layerRecipes(risk, plan, settings), { ...choice, plan })) };
}

/** The blocks of given recipes, with the factor `scale` of the sums; default that of the objective. */
export async function blocksOf(
  risk: Risk,
  { throughLayers, byRow }: LayerRecipes,
  choice: MatrixChoice & { readonly plan: LayerPlan; readonly key: string; readonly scale?: number },
): Promise<Omit<BuiltBlocks, "plan">> {
  const { scale = risk.scale } = choice;
  const { totals, passes } = await recipeTotals(risk, throughLayers, choice);
  const ofRows = await rowTotals(risk, byRow, { ...choice, key: `${choice.key} by row` });
  const made = (recipes: readonly BlockRecipe[], sums: Tensors) =>
    recipes.map((recipe) => ({ recipe, blocks: recipe.blocks(sums, scale) }));
  return { built: [...made(throughLayers, totals), ...made(byRow, ofRows)], passes };
}
