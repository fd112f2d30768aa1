import { printGraph } from "../../graph/index.ts";
import type { AffineLayer, BatchLayer } from "../../operators/layers/batchLayer.ts";
import type { MatrixLayer } from "../layers/matrixLayer.ts";
import { matrixOf } from "../layers/matrixOf.ts";

/** A layer whose matrix is made of a parameter. */
export interface MatrixUse {
  /** Index of the layer in the batch. */
  readonly layer: number;
  readonly matrix: MatrixLayer;
  /** How the entries of the matrix are taken from the parameter. Two uses with the same text have the same entries. */
  readonly entries: string;
  readonly bias: BatchLayer["bias"];
}

/** Where a parameter enters the layers of a batch. */
export interface ParameterUses {
  readonly matrices: readonly MatrixUse[];
  /** Layers whose scale it is. */
  readonly scales: readonly { readonly index: number; readonly layer: AffineLayer }[];
  /** Layers whose shift or bias it is. */
  readonly shifts: readonly { readonly index: number; readonly layer: BatchLayer }[];
}

/** The uses of each of `count` parameters. */
export function parameterUses(layers: readonly BatchLayer[], count: number): readonly ParameterUses[] {
  const uses = Array.from({ length: count }, () => ({
    matrices: [] as MatrixUse[],
    scales: [] as { readonly index: number; readonly layer: AffineLayer }[],
    shifts: [] as { readonly index: number; readonly layer: BatchLayer }[],
  }));
  layers.forEach((layer, index) => {
    const { weight, bias } = layer;
    if (bias !== undefined) uses[bias.index].shifts.push({ index, layer });
    if (weight === undefined) return;
    if (layer.kind === "affine") {
      uses[weight.index].scales.push({ index, layer });
      return;
    }
    const matrix = matrixOf(layer)!;
    const entries = printGraph([matrix.matrix!]);
    uses[weight.index].matrices.push({ layer: index, matrix, entries, bias });
  });
  return uses;
}
