import type { Value } from "../../graph/index.ts";

/** The vectors that a matrix is applied to: numbers [groups, rows, positions, in], or rows of a table by index. */
export type LayerInputs =
  | { readonly kind: "vectors"; readonly vectors: Value }
  | {
      readonly kind: "table";
      readonly entries: number /** Nonnegative, [rows, positions]. */;
      readonly indices: Value;
    };

/**
 * A layer as the product with one matrix W [in, out] a group, at every position of every row: cotangents g and inputs a have the piece `P =
 * sum_s a_s' g_s` [in, out] of a row.
 */
export interface MatrixLayer {
  readonly groups: number;
  readonly positions: number;
  readonly sizes: readonly [inputs: number, outputs: number];
  readonly inputs: LayerInputs;
  /** A cotangent of the layer's output as [groups, rows, positions, out]. */
  cotangents(cotangent: Value): Value;
  /** The entries of the parameter as [groups, in, out]; undefined where the weight is not among the chosen parameters. */
  readonly matrix: Value | undefined;
}
