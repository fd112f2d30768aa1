import type { Risk } from "../../operators/engine/risk.ts";
import type { LayerPlan, ParameterPlan } from "../plan/layerPlan.ts";
import type { BlockRecipe } from "./blockRecipe.ts";
import { denseRecipe, diagonalRecipe, matrixDenseRecipe, type ParameterSource } from "./exactRecipes.ts";
import type { MatrixSource } from "./matrixSource.ts";
import { factorBiasRecipe, zeroRecipe } from "./remainingRecipes.ts";
import { wholeTwoSidedRecipe } from "./wholeTwoSidedRecipe.ts";

/**
 * The block of a bias:
 *
 * - "separate": the exact block;
 * - "joint": weight and bias are one matrix [in + 1, out], which keeps their cross terms;
 * - "factor": the output factor of the layer, as in curvlinops.
 */
export type BiasTreatment = "separate" | "joint" | "factor";

/** How parameters become blocks. */
export interface RecipeSettings {
  readonly bias: BiasTreatment;
  /** Most entries of a parameter without Kronecker structure that gets an exact dense block; larger ones get their exact diagonal. */
  readonly denseLimit: number;
  /** The recipe of a matrix. */
  readonly matrix: (source: MatrixSource) => BlockRecipe;
  /** The recipe of a parameter that is no matrix of a layer; default: its exact block or diagonal. */
  readonly other?: ((source: ParameterSource) => BlockRecipe) | undefined;
  /** Whether weights of different orientations and depthwise kernels have blocks of their own kind; else they have the diagonal. */
  readonly hasFactors: boolean;
}

/** Recipes that run through the layers of whole batches, and those that need single rows. */
export interface LayerRecipes {
  readonly throughLayers: readonly BlockRecipe[];
  readonly byRow: readonly BlockRecipe[];
}

/** Most entries along an axis of a parameter that gets two-sided factors of whole pieces. */
const LARGEST_FACTOR = 2000;

/** A recipe for every entry of every parameter. */
export function layerRecipes(risk: Risk, plan: LayerPlan, settings: RecipeSettings): LayerRecipes {
  const throughLayers: BlockRecipe[] = [];
  const byRow: BlockRecipe[] = [];
  const covered = biasesOfMatrices(plan, settings);
  plan.parameters.forEach((own, index) => {
    const parameter = risk.parameters[index];
    const whole = (reason: string): ParameterSource => ({ id: `parameter ${index}`, index, parameter, reason });
    if (settings.other !== undefined && own.form !== "matrices") {
      if (!covered.has(index)) throughLayers.push(settings.other(whole("")));
      return;
    }
    switch (own.form) {
      case "matrices":
        throughLayers.push(...matrixRecipes(own, { index, risk, settings }));
        break;
      case "layers":
        if (!covered.has(index)) throughLayers.push(layerParameterRecipe(own.reason, whole, settings));
        break;
      case "outside":
        byRow.push(smallOrDiagonal(whole, "enters outside of layers", settings));
        break;
      case "unused":
        throughLayers.push(
          zeroRecipe({ ...allEntries(parameter), id: `parameter ${index}`, name: parameter.name, parameter: index }),
        );
        break;
    }
  });
  return { throughLayers, byRow };
}

function allEntries({ offset, size }: { readonly offset: number; readonly size: number }) {
  return { indices: Int32Array.from({ length: size }, (_, entry) => offset + entry) };
}

/** Whether a bias joins the matrix of its layer. The positions of a transposed convolution's matrix are not those of its bias. */
function isJoined(
  matrix: { readonly bias?: unknown; readonly isTransposedConvolution: boolean },
  bias: BiasTreatment,
): boolean {
  return matrix.bias !== undefined && bias === "joint" && !matrix.isTransposedConvolution;
}

/** Parameters whose block comes with the matrix of their layer. */
function biasesOfMatrices({ parameters }: LayerPlan, { bias }: RecipeSettings): ReadonlySet<number> {
  const all = parameters.flatMap((own) => (own.form === "matrices" ? own.matrices : []));
  const joined = all.filter((matrix) => isJoined(matrix, bias) || (bias === "factor" && isFactorOfBias(matrix)));
  return new Set(joined.flatMap((matrix) => matrix.bias?.parameter ?? []));
}

function isFactorOfBias(matrix: { readonly bias?: unknown; readonly isTransposedConvolution: boolean }): boolean {
  return matrix.bias !== undefined && !matrix.isTransposedConvolution;
}

function matrixRecipes(
  own: Extract<ParameterPlan, { readonly form: "matrices" }>,
  request: { readonly index: number; readonly risk: Risk; readonly settings: RecipeSettings },
): BlockRecipe[] {
  const { index, risk, settings } = request;
  const { name } = risk.parameters[index];
  const recipes = own.matrices.flatMap((matrix, part): BlockRecipe[] => {
    const source: MatrixSource = {
      id: `matrix ${index}.${part}`,
      name: own.matrices.length === 1 ? name : `${name} part ${part}`,
      parameter: index,
      matrix,
      joint: isJoined(matrix, settings.bias),
    };
    const isDepthwise = settings.hasFactors && matrix.groups > 1 && matrix.sizes[1] === 1;
    const recipe = isDepthwise
      ? matrixDenseRecipe(source, "exact block of each channel: a depthwise kernel")
      : settings.matrix(source);
    const withFactor = settings.bias === "factor" && isFactorOfBias(matrix) && !isDepthwise;
    return withFactor ? [recipe, factorBiasRecipe(source, risk.parameters[matrix.bias!.parameter].name)] : [recipe];
  });
  if (own.unused.length === 0) return recipes;
  const rest = { id: `rest of ${index}`, name: `${name} (unused entries)`, parameter: index, indices: own.unused };
  return [...recipes, zeroRecipe(rest)];
}

function layerParameterRecipe(
  reason: "affine" | "tied",
  whole: (reason: string) => ParameterSource,
  settings: RecipeSettings,
): BlockRecipe {
  if (reason === "affine") return smallOrDiagonal(whole, "scale, shift or bias", settings);
  const { parameter } = whole("");
  const rows = parameter.dims[0] ?? 1;
  const isMatrix =
    settings.hasFactors && parameter.dims.length > 1 && Math.max(rows, parameter.size / rows) <= LARGEST_FACTOR;
  if (isMatrix)
    return wholeTwoSidedRecipe(whole("used in different orientations: two-sided factors of the summed pieces"));
  return smallOrDiagonal(whole, "used in different orientations", settings);
}

function smallOrDiagonal(
  whole: (reason: string) => ParameterSource,
  why: string,
  { denseLimit }: RecipeSettings,
): BlockRecipe {
  const { size } = whole("").parameter;
  if (size <= denseLimit) return denseRecipe(whole(`${why}: exact block`));
  return diagonalRecipe(whole(`${why}: exact diagonal, since it has more than ${denseLimit} entries`));
}
