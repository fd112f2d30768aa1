import type { Block } from "./block.ts";

/**
 * The entries of a flat vector that a block acts on, in the block's order: a range; a range that holds the matrix [rows, columns] of the block
 * transposed; or a list of indices.
 */
export type Place =
  | { readonly offset: number; readonly transposed?: readonly [rows: number, columns: number] }
  | { readonly indices: Int32Array };

/** A block and the parameters that it belongs to. */
export interface PlacedBlock {
  readonly block: Block;
  readonly name: string;
  /** Indices of the parameters in `Risk.parameters`. */
  readonly parameters: readonly number[];
  readonly place: Place;
  /** Why the parameters have a block of this kind. */
  readonly reason: string;
  /** Weighted number of vectors that the left Kronecker factor is the mean of, where it is a mean. */
  readonly inputs?: number;
}

/** The flat index of each entry of a block. */
export function indicesOf({ block: { size }, place }: Pick<PlacedBlock, "block" | "place">): Int32Array {
  if ("indices" in place) return place.indices;
  const { offset, transposed } = place;
  if (transposed === undefined) return Int32Array.from({ length: size }, (_, k) => offset + k);
  const [rows, columns] = transposed;
  return Int32Array.from({ length: size }, (_, k) => offset + (k % columns) * rows + Math.floor(k / columns));
}
