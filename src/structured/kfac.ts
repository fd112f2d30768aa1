import { checkOptions } from "../linalg/operator/options.ts";
import type { Risk } from "../operators/engine/risk.ts";
import { checkRisk } from "../operators/products/checkRisk.ts";
import { kroneckerChoices, type KroneckerOptions, kroneckerOptionNames } from "./kroneckerOptions.ts";
import { builtBlocks } from "./structuredMatrix.ts";

export async function kfac(risk: Risk, options: KroneckerOptions = {}) {
  checkRisk(risk, "kfac");
  checkOptions("kfac", options, kroneckerOptionNames);
  const { settings, choice } = kroneckerChoices("kfac", options);
  const { built, passes } = await builtBlocks(risk, settings, choice);
  return { blocks: built.flatMap(({ blocks }) => blocks), passes };
}
