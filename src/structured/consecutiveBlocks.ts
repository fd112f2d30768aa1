import { rebatch } from "../data/index.ts";
import type { DenseMatrix } from "../linalg/dense/index.ts";
import type { RunOptions } from "../linalg/operator/operator.ts";
import type { Risk } from "../operators/engine/risk.ts";
import type { TermTreatment } from "./passes/termPasses.ts";
import { layerPlan } from "./plan/layerPlan.ts";
import { consecutiveSums, segmentBlocks, segmentsOf } from "./recipes/consecutiveRecipe.ts";
import { recipeTotals, rowTotals } from "./recipes/recipeTotals.ts";
import type { ApproximatedMatrix } from "./roots/rootOf.ts";

/** Which blocks, of which matrix. */
export interface ConsecutiveOptions extends RunOptions {
  readonly of: ApproximatedMatrix;
  /** Entries of a block. */
  readonly blockSize: number;
  /** Whether a block may have entries of several tensors. */
  readonly across: boolean;
  readonly terms: TermTreatment;
  readonly seed: number | undefined;
}

/** Most numbers of the pieces of a batch, which are formed whole. */
const MOST_ENTRIES = 2 ** 25;

/**
 * The diagonal blocks of consecutive entries of a Gauss-Newton or Fisher matrix, exact. The pieces of a batch are formed, `rows V size` numbers, in batches of as many rows
 * as fit; N V size blockSize operations.
 *
 * @throws as `kfac`
 */
export async function consecutiveBlocks(
  risk: Risk,
  { of, blockSize, across, terms, seed, ...options }: ConsecutiveOptions,
): Promise<readonly { readonly indices: Int32Array; readonly matrix: DenseMatrix }[]> {
  const rows = Math.max(1, Math.floor(MOST_ENTRIES / risk.size));
  const fits = risk.data.batchSize <= rows;
  const own = fits ? risk : await risk.on(rebatch(risk.data, rows), { shard: risk.shard });
  try {
    const plan = await layerPlan(own);
    const segments = segmentsOf(risk.parameters, { blockSize, across });
    const recipe = consecutiveSums(
      segments,
      risk.parameters.map(({ size }) => size),
    );
    const choice = { of, terms, seed, options, plan, key: JSON.stringify(["consecutive", blockSize, across]) };
    // Parameters outside of layers have pieces only in batches of one row.
    const byRow = plan.parameters.some(({ form }) => form === "outside");
    const totals = byRow ? await rowTotals(own, [recipe], choice) : (await recipeTotals(own, [recipe], choice)).totals;
    return segments.flatMap((segment) => segmentBlocks(segment, { totals, scale: risk.scale }));
  } finally {
    if (!fits) await own.dispose();
  }
}
