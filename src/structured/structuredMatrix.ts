import type { Risk } from "../operators/engine/risk.ts";
import type { PlacedBlock } from "./blocks/index.ts";
import type { TermPasses } from "./passes/termPasses.ts";
import { layerPlan } from "./plan/layerPlan.ts";
import { type LayerRecipes, layerRecipes, type RecipeSettings } from "./recipes/layerRecipes.ts";
import { type MatrixChoice, recipeTotals, rowTotals } from "./recipes/recipeTotals.ts";

export interface StructuredMatrix {
  readonly blocks: readonly PlacedBlock[];
  readonly passes: TermPasses;
}

export async function structuredMatrix(
  risk: Risk,
  settings: RecipeSettings,
  choice: MatrixChoice & { readonly key: string },
): Promise<StructuredMatrix> {
  const plan = await layerPlan(risk);
  const { throughLayers, byRow }: LayerRecipes = layerRecipes(risk, plan, settings);
  const { totals, passes } = await recipeTotals(risk, throughLayers, { ...choice, plan });
  const ofRows = await rowTotals(risk, byRow, { ...choice, plan, key: `${choice.key} by row` });
  return {
    blocks: [
      ...throughLayers.flatMap((recipe) => recipe.blocks(totals, risk.scale)),
      ...byRow.flatMap((recipe) => recipe.blocks(ofRows, risk.scale)),
    ],
    passes,
  };
}
