import { constant } from "../../graph/index.ts";
import type { BatchGraph } from "../../operators/engine/risk.ts";
import { type BatchPieces, batchPieces } from "../plan/batchPieces.ts";
import { rowRoot } from "../roots/rowRoot.ts";

/** The gradients of the rows of a batch as pieces of one pass, which holds all terms of a row. */
export function rowPieces(batch: BatchGraph): BatchPieces {
  const [terms] = batch.f.shape;
  const passes = constant({ data: new Float64Array(terms).fill(1), dims: [1, terms, 1] });
  return batchPieces({ batch, root: rowRoot, constants: {}, passes });
}
