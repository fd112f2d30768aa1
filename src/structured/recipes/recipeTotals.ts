import { rebatch } from "../../data/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import type { RunOptions } from "../../linalg/operator/operator.ts";
import type { Risk, Tensors } from "../../operators/engine/risk.ts";
import { type TermPasses, type TermTreatment, termPasses } from "../passes/termPasses.ts";
import type { LayerPlan } from "../plan/layerPlan.ts";
import { type PieceSums, pieceTotals } from "../plan/pieceTotals.ts";
import { type PieceSource, rootOf } from "../roots/rootOf.ts";
import type { BlockRecipe } from "./blockRecipe.ts";

/** The matrix whose pieces are summed, and how its terms are treated. */
export interface MatrixChoice {
  readonly of: PieceSource;
  readonly terms: TermTreatment;
  readonly seed: number | undefined;
  readonly options: RunOptions;
  /** Consecutive passes that must run at once; default 1. */
  readonly together?: number | undefined;
}

/** The sums of all recipes over the rows of a risk, and the passes they took. */
export async function recipeTotals(
  risk: Risk,
  recipes: readonly Pick<BlockRecipe, "sums">[],
  request: MatrixChoice & { readonly plan: LayerPlan; readonly key: string; readonly arrays?: Tensors },
): Promise<{ readonly totals: Tensors; readonly passes: TermPasses }> {
  const { plan, of, terms, seed, options, arrays, together } = request;
  checkSeparateRows(risk);
  const root = rootOf(risk, of);
  const passes = termPasses(risk, {
    columns: root.columns(await risk.engine.graph()),
    terms,
    seed,
    wholeRows: root.wholeRows === true,
  });
  const sums: PieceSums = {
    build: (pieces, own) =>
      Object.assign({}, ...recipes.map((recipe) => recipe.sums(pieces, own))) as ReturnType<PieceSums["build"]>,
    ...(arrays && { arrays }),
  };
  const key = JSON.stringify([request.key, typeof of === "string" ? of : { ...of, seed: 0 }]);
  // The batch size on which ranks have agreed, so that all take the same number of passes.
  const outputEntries = plan.rowEntries * risk.settings.batchSize;
  return { totals: await pieceTotals(risk, { root, passes, sums, key, outputEntries, options, together }), passes };
}

/** The same sums, row by row: for parameters that enter outside of layers, whose pieces are the gradients of single rows. */
export async function rowTotals(
  risk: Risk,
  recipes: readonly Pick<BlockRecipe, "sums">[],
  request: MatrixChoice & { readonly plan: LayerPlan; readonly key: string },
): Promise<Tensors> {
  if (recipes.length === 0) return {};
  // Ranks agree on their shards themselves.
  const isSummedWhole = risk.shard.rows === risk.summedRows;
  const single = await risk.on(rebatch(risk.data, 1), isSummedWhole ? {} : { shard: risk.shard });
  try {
    return (await recipeTotals(single, recipes, request)).totals;
  } finally {
    await single.dispose();
  }
}

/** @throws CurvatureError "unsupported" where rows may influence one another */
function checkSeparateRows({ coupledRows }: Risk): void {
  if (!coupledRows) return;
  throw new CurvatureError(
    "unsupported",
    "structured matrices are sums over rows that contribute independently, but this risk has coupledRows; use the matrix itself, or a model in inference mode",
  );
}
