import { CurvatureError } from "../errors/index.ts";
import type { RunOptions } from "../linalg/operator/operator.ts";
import type { TermTreatment } from "./passes/termPasses.ts";
import { inputRecipe, kroneckerRecipe } from "./recipes/kroneckerRecipe.ts";
import type { BiasTreatment, RecipeSettings } from "./recipes/layerRecipes.ts";
import type { MatrixSource } from "./recipes/matrixSource.ts";
import type { MatrixChoice } from "./recipes/recipeTotals.ts";
import { identityRecipe } from "./recipes/remainingRecipes.ts";
import { twoSidedRecipe } from "./recipes/twoSidedRecipe.ts";
import type { ApproximatedMatrix } from "./roots/rootOf.ts";
import type { Sharing } from "./sums/factorSums.ts";

/** Options of a Kronecker-factored approximation. */
export interface KroneckerOptions extends RunOptions {
  /**
   * The matrix that is approximated; default "ggn". In `kfac` also "inputs": input factors alone, with the identity for all else (FOOF; Benzing,
   * 2022).
   */
  readonly of?: ApproximatedMatrix | "inputs" | undefined;
  /**
   * The treatment of positions (tokens, pixels, time steps) at which a row shares a weight: "expand" (default) for a loss term at each
   * position, "reduce" for outputs that pool over positions (Eschenhagen et al., 2023), "twoSided" for either, from the pieces themselves.
   */
  readonly sharing?: Sharing | "twoSided" | undefined;
  /** Default "separate". */
  readonly bias?: BiasTreatment | undefined;
  /** The treatment of rows with several terms; default "auto". */
  readonly terms?: TermTreatment | undefined;
  /** Seed of the random signs of terms; required where these are used. Sampled labels have their seed in `of`. */
  readonly seed?: number | undefined;
  /** Most entries of a parameter without Kronecker structure for an exact dense block; larger ones get their diagonal. Default 1,000. */
  readonly denseLimit?: number | undefined;
}

/** The names of the options, for `checkOptions`. */
export const kroneckerOptionNames = "of sharing bias terms seed denseLimit signal onProgress";

/**
 * The choices that options stand for.
 *
 * @throws CurvatureError "argument" for values that an option does not have
 */
export function kroneckerChoices(
  name: string,
  options: KroneckerOptions,
): { readonly settings: RecipeSettings; readonly choice: MatrixChoice & { readonly key: string } } {
  const { of = "ggn", sharing = "expand", bias = "separate", terms = "auto", seed, denseLimit = 1000 } = options;
  const isForward = of === "inputs";
  checkKronecker(name, { sharing, bias, denseLimit, isForward });
  const { signal, onProgress } = options;
  const recipe = (source: MatrixSource) => {
    if (sharing === "twoSided") return twoSidedRecipe(source);
    return isForward ? inputRecipe(source, sharing) : kroneckerRecipe(source, sharing);
  };
  return {
    settings: {
      bias,
      denseLimit,
      hasFactors: !isForward,
      matrix: recipe,
      ...(isForward && { other: identityRecipe }),
    },
    choice: {
      // One column, which is not computed.
      of: isForward ? "empiricalFisher" : of,
      terms: isForward ? "exact" : terms,
      seed,
      options: { ...(signal && { signal }), ...(onProgress && { onProgress }) },
      key: JSON.stringify([isForward ? "inputs" : "", sharing, bias, denseLimit]),
    },
  };
}

/** The options that numbers of a build depend on, as text. */
export function optionsText({
  of,
  terms,
  seed,
  key,
}: Pick<MatrixChoice, "of" | "terms" | "seed"> & { readonly key: string }): string {
  return JSON.stringify({ of, terms, seed, key });
}

function checkKronecker(
  name: string,
  {
    sharing,
    bias,
    denseLimit,
    isForward,
  }: {
    readonly sharing: Sharing | "twoSided";
    readonly bias: BiasTreatment;
    readonly denseLimit: number;
    readonly isForward: boolean;
  },
): void {
  checkOneOf(name, { option: "sharing", value: sharing, of: ["expand", "reduce", "twoSided"] });
  checkOneOf(name, { option: "bias", value: bias, of: ["separate", "joint", "factor"] });
  if (!(Number.isInteger(denseLimit) && denseLimit >= 0)) {
    throw new CurvatureError("argument", `${name}: denseLimit must be a number of entries, got ${String(denseLimit)}`);
  }
  if (sharing === "twoSided" && bias === "factor") {
    throw new CurvatureError(
      "argument",
      `${name}: two-sided factors hold no factor of the output alone; take bias: "separate" or "joint"`,
    );
  }
  if (isForward && (name !== "kfac" || sharing === "twoSided" || bias === "factor")) {
    throw new CurvatureError(
      "argument",
      `${name}: of: "inputs" is for kfac with sharing "expand" or "reduce" and bias "separate" or "joint"`,
    );
  }
}

/** @throws CurvatureError "argument" */
export function checkOneOf(
  name: string,
  { option, value, of }: { readonly option: string; readonly value: unknown; readonly of: readonly string[] },
): void {
  if (of.includes(value as string)) return;
  const words = of.map((word) => JSON.stringify(word));
  const listed = `${words.slice(0, -1).join(", ")} or ${words[words.length - 1]}`;
  throw new CurvatureError(
    "argument",
    `${name}: ${option} must be ${listed}, got ${JSON.stringify(value) ?? String(value)}`,
  );
}
