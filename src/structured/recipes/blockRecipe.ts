import type { Value } from "../../graph/index.ts";
import type { PlacedBlock } from "../blocks/index.ts";
import type { BatchPieces } from "../plan/batchPieces.ts";
import type { Tensors } from "../../operators/engine/risk.ts";

/** How one part of the parameters becomes blocks: the sums over pieces that it needs, and the blocks made of these. */
export interface BlockRecipe {
  /** Distinguishes the recipe among those of a structured matrix. */
  readonly id: string;
  /** A batch's share of the sums, by name. Names of sums that do not depend on the reverse passes begin with `INPUT_SUM`. */
  sums(pieces: BatchPieces): { readonly [name: string]: Value };
  /** The blocks, from the sums over all rows and the factor c of the objective. */
  blocks(totals: Tensors, scale: number): readonly PlacedBlock[];
}
