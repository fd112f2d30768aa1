import type { RunOptions } from "../linalg/operator/operator.ts";
import { checkOptions } from "../linalg/operator/options.ts";
import type { Risk } from "../operators/engine/risk.ts";
import { checkRisk } from "../operators/products/checkRisk.ts";
import { approximation, type StructuredApproximation } from "./approximation.ts";
import { diagonalBlock, indicesOf, type PlacedBlock } from "./blocks/index.ts";
import { type BuiltBlocks, blocksOf } from "./builtBlocks.ts";
import { optionsText } from "./kroneckerOptions.ts";
import { type TermPasses, type TermTreatment, termPasses } from "./passes/termPasses.ts";
import { layerPlan } from "./plan/layerPlan.ts";
import { matrixDiagonalRecipe } from "./recipes/exactRecipes.ts";
import { layerRecipes } from "./recipes/layerRecipes.ts";
import { type Spread, varianceRecipes } from "./recipes/varianceRecipes.ts";
import { type ApproximatedMatrix, type PieceSource, rootOf } from "./roots/rootOf.ts";

/** Options of exact blocks. */
export interface ExactOptions extends RunOptions {
  /** The matrix; default "ggn". */
  readonly of?: ApproximatedMatrix | undefined;
  /** The treatment of rows with several terms; default "auto". With "signs" the numbers are unbiased estimates. */
  readonly terms?: TermTreatment | undefined;
  /** Seed of the signs. */
  readonly seed?: number | undefined;
}

/** Options of the diagonal of a curvature matrix. */
export interface DiagonalOptions extends Omit<ExactOptions, "of"> {
  /** The matrix; default "ggn". "gradientCovariance" is `1/N sum (g_n - g)(g_n - g)'` over rows. */
  readonly of?: ApproximatedMatrix | "gradientCovariance" | undefined;
}

/** The diagonal of a curvature matrix. */
export interface DiagonalApproximation extends StructuredApproximation {
  /**
   * For sampled labels, the standard error of each entry as an estimate of that of type 2, [size]; for random signs, that as an estimate of the exact
   * one. Absent where the diagonal is exact.
   */
  readonly standardErrors?: Float64Array;
  /**
   * The spread that standard errors were computed from. "labels": between the sampled labels of a term, without bias. "rows": between rows, which is
   * too large by the spread of their true diagonals; two or more labels do better.
   */
  readonly spread?: "labels" | "rows";
}

/**
 * The diagonal of a generalized Gauss-Newton or Fisher matrix, c sum_k P_k o P_k for its pieces P_k, as a structured matrix of diagonal
 * blocks. Costs as `kfac`: for layers without shared positions (sum g o g)' (a o a), one matrix product; elsewhere the pieces of some rows at
 * a time. Memory does not grow with the rows. `diagonal()` of the result is the vector.
 *
 * With sampled labels, `of: { type: 1, labels: S, seed }`, it is a Monte Carlo estimate of the diagonal of type 2 by S reverse passes instead of C, with
 * the standard error of each entry from the independent labels or rows, in the same pass over the data; that takes two further matrix products a layer.
 *
 * @throws as `kfac`
 */
export async function diagonal(risk: Risk, options: DiagonalOptions = {}): Promise<DiagonalApproximation> {
  checkRisk(risk, "diagonal");
  checkOptions("diagonal", options, "of terms seed signal onProgress");
  const { of = "ggn", terms = "auto", seed, ...run } = options;
  const isCovariance = of === "gradientCovariance";
  const source: PieceSource = isCovariance ? "rowGradients" : of;
  const spread = await spreadOf(risk, { of: source, terms, seed });
  const built = await builtDiagonal(risk, { of: source, terms, seed, run, spread });
  if (isCovariance) {
    return approximation(risk, { ...built, blocks: await centred(risk, built.blocks) });
  }
  return {
    ...approximation(risk, {
      ...built,
      made: { method: "diagonal", options: optionsText({ of: source, terms, seed, key: "" }) },
    }),
    ...(spread && { standardErrors: standardErrors(risk, built.variances), spread: spread.of }),
  };
}

interface Choice {
  readonly of: PieceSource;
  readonly terms: TermTreatment;
  readonly seed: number | undefined;
}

/** The spread of an estimate; undefined where the diagonal is exact. */
async function spreadOf(risk: Risk, { of, terms, seed }: Choice): Promise<Spread | undefined> {
  const labels = typeof of === "object" && of?.type === 1 && of.labels !== "all" ? of.labels : undefined;
  if (of === "rowGradients" || (labels === undefined && risk.layout.positions === 1)) return undefined;
  const columns = rootOf(risk, of).columns(await risk.engine.graph());
  const { treatment, count } = termPasses(risk, { columns, terms, seed });
  if (labels === undefined && treatment !== "signs") return undefined;
  const size = labels ?? columns;
  return { of: labels !== undefined && labels > 1 ? "labels" : "rows", size, count: risk.summedRows * (count / size) };
}

async function builtDiagonal(
  risk: Risk,
  { spread, run, ...choice }: Choice & { readonly spread: Spread | undefined; readonly run: RunOptions },
): Promise<{
  readonly blocks: readonly PlacedBlock[];
  readonly variances: readonly PlacedBlock[];
  readonly passes: TermPasses;
}> {
  const plan = await layerPlan(risk);
  const exact = layerRecipes(risk, plan, {
    bias: "separate",
    denseLimit: 0,
    hasFactors: false,
    matrix: matrixDiagonalRecipe,
  });
  const added = spread === undefined ? { throughLayers: [], byRow: [] } : varianceRecipes(risk, plan, spread);
  const recipes = {
    throughLayers: [...exact.throughLayers, ...added.throughLayers],
    byRow: [...exact.byRow, ...added.byRow],
  };
  const { built, passes } = await blocksOf(risk, recipes, {
    ...choice,
    plan,
    options: run,
    key: JSON.stringify(["diagonal", spread?.of, spread?.size]),
    together: spread?.size,
    // The pieces of rows have the factor c, and g_n is N times that.
    ...(choice.of === "rowGradients" && { scale: risk.shard.rows }),
  });
  const variances = new Set([...added.throughLayers, ...added.byRow]);
  const of = (isVariance: boolean) =>
    built.flatMap(({ recipe, blocks }: BuiltBlocks["built"][number]) =>
      variances.has(recipe) === isVariance ? blocks : [],
    );
  return { blocks: of(false), variances: of(true), passes };
}

function standardErrors({ size }: Risk, variances: readonly PlacedBlock[]): Float64Array {
  const errors = new Float64Array(size);
  for (const placed of variances) {
    const values = placed.block.arrays.entries.data as Float64Array;
    indicesOf(placed).forEach((entry, k) => {
      errors[entry] = Math.sqrt(values[k]);
    });
  }
  return errors;
}

/** Second moments less squares of the mean gradient. One gradient. */
async function centred(risk: Risk, blocks: readonly PlacedBlock[]): Promise<readonly PlacedBlock[]> {
  const mean = await risk.gradient();
  return blocks.map((placed) => {
    const moments = placed.block.arrays.entries.data as Float64Array;
    const indices = indicesOf(placed);
    const block = diagonalBlock(moments.map((x, k) => Math.max(x - mean[indices[k]] ** 2, 0)));
    return { ...placed, block, reason: "variances of the gradients of rows" };
  });
}
