import type { Value } from "../../graph/index.ts";
import { zeros } from "../../primitives/index.ts";
import type { BatchPieces } from "../plan/batchPieces.ts";
import type { KroneckerPieces } from "./blockRecipe.ts";

/** Names of the sums `sum_k P_k P_k'` and `sum_k P_k' P_k` of a recipe. */
export function outerNames(id: string): { readonly left: string; readonly right: string } {
  return { left: `left ${id}`, right: `right ${id}` };
}

/** A batch's share of both sums, [groups, in, in] and [groups, out, out]; the first is a diagonal [in] for a table, unless all of it is wanted. */
export function outerSums(
  pieces: BatchPieces,
  {
    id,
    kronecker,
    wholeTable = false,
  }: {
    readonly id: string;
    readonly kronecker: KroneckerPieces;
    readonly wholeTable?: boolean;
  },
): { readonly [name: string]: Value } {
  const { groups, sizes, isTable } = kronecker;
  const [inputs, outputs] = sizes;
  const { left, right } = outerNames(id);
  const sums = kronecker.outer(pieces, { wholeTable });
  return {
    [left]: sums?.left ?? zeros(isTable && !wholeTable ? [inputs] : [groups, inputs, inputs]),
    [right]: sums?.right ?? zeros([groups, outputs, outputs]),
  };
}
