import type { Value } from "../../graph/index.ts";
import type { BatchGraph, EvaluatedBatch, Tensors } from "../../operators/engine/risk.ts";
import type { PreparedConstants } from "../../operators/products/curvatureMatrix.ts";

type Values = { readonly [name: string]: Value };

/**
 * A root S_t [C, V] of the output matrix of each term, w_t M_t = S_t S_t', for a matrix c sum_t w_t J_t' M_t J_t. The gradients of the
 * scalars s' f for its columns s are the pieces that structured matrices are built from.
 */
export interface OutputRoot {
  /** Columns V for the outputs of this batch. */
  columns(batch: BatchGraph): number;
  /** Whether a pass holds all terms of a row, so that the pieces are sums over the terms of a row. */
  readonly wholeRows?: boolean;
  /** S_t u_t of each term, [T, V] -> [T, C]. Linear in u. */
  apply(batch: BatchGraph, u: Value, constants: Values): Value;
  /** Further inputs of each batch, with their numbers. */
  readonly constants?: { of(batch: BatchGraph): Values; readonly numbers: PreparedConstants };
  /** The same inputs, drawn in the middle of a pass from the outputs `f` [T, C] of the batch, where one pass is all that there is. */
  readonly draw?: (sources: Tensors, batch: EvaluatedBatch) => Tensors;
}
