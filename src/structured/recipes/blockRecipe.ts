import type { Value } from "../../graph/index.ts";
import type { Tensors } from "../../operators/engine/risk.ts";
import type { PlacedBlock } from "../blocks/index.ts";
import type { BatchPieces } from "../plan/batchPieces.ts";

/** Matrices by which both sides of the pieces are multiplied, [groups, in, d] and [groups, out, d]; one that is absent is the identity. */
export interface Rotation {
  /** For a table also a diagonal [in]. */
  readonly left?: Value | undefined;
  readonly right?: Value | undefined;
}

/** The pieces P_k [in, out] of a matrix, of which sums are made: undefined where the outputs do not depend on it. */
export interface KroneckerPieces {
  readonly groups: number;
  readonly sizes: readonly [inputs: number, outputs: number];
  readonly isTable: boolean;
  /** Whether the factors see all that the pieces hold, so that pieces vanish where a factor is zero. */
  readonly spansPieces: boolean;
  /** `sum_k (left' P_k right)^2`, entry by entry, [groups, in, out]. */
  squares(pieces: BatchPieces, rotation: Rotation): Value | undefined;
  /** `sum_k P P'` and `sum_k P' P` of the rotated pieces; the first is a diagonal [in] for a table, unless `wholeTable` asks for all of it. */
  outer(
    pieces: BatchPieces,
    options?: { readonly rotation?: Rotation; readonly wholeTable?: boolean },
  ): { readonly left: Value; readonly right: Value } | undefined;
}

/** How one part of the parameters becomes blocks: the sums over pieces that it needs, and the blocks made of these. */
export interface BlockRecipe {
  /** Distinguishes the recipe among those of a structured matrix. */
  readonly id: string;
  /** Indices of the parameters whose entries its blocks have. */
  readonly parameters: readonly number[];
  /** A batch's share of the sums, by name. Names of sums that do not depend on the reverse passes begin with `INPUT_SUM`. `arrays` are the inputs that the pass was given. */
  sums(pieces: BatchPieces, arrays?: { readonly [name: string]: Value }): { readonly [name: string]: Value };
  /** What its Kronecker blocks are made of, one a group; absent for blocks of other kinds. */
  readonly kronecker?: KroneckerPieces;
  /** The blocks, from the sums over all rows and the factor c of the objective. */
  blocks(totals: Tensors, scale: number): readonly PlacedBlock[];
}
