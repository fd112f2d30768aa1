import type { BatchLayer } from "../../operators/layers/batchLayer.ts";
import { convolutionMatrix } from "./convolution.ts";
import { embeddingMatrix } from "./embedding.ts";
import { linearMatrix } from "./linear.ts";
import type { MatrixLayer } from "./matrixLayer.ts";

/** The matrix of a layer; undefined for scales and shifts, which have none. */
export function matrixOf(layer: BatchLayer): MatrixLayer | undefined {
  switch (layer.kind) {
    case "linear":
      return linearMatrix(layer);
    case "convolution":
      return convolutionMatrix(layer);
    case "embedding":
      return embeddingMatrix(layer);
    case "affine":
      return undefined;
  }
}
