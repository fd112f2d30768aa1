import { integers } from "../../graph/index.ts";
import type { EmbeddingLayer } from "../../operators/layers/batchLayer.ts";
import { add, cast, less, reshape, where } from "../../primitives/index.ts";
import type { MatrixLayer } from "./matrixLayer.ts";

/** A table of embeddings: the matrix that one-hot vectors are multiplied by. These are never formed. */
export function embeddingMatrix({ input, weight, output, arrange }: EmbeddingLayer): MatrixLayer | undefined {
  if (weight === undefined) return undefined;
  const [, positions, size] = arrange(output).shape;
  const [entries] = weight.value.shape;
  const wide = cast(input, "int64");
  return {
    groups: 1,
    positions,
    sizes: [entries, size],
    inputs: {
      kind: "table",
      entries,
      indices: where(less(wide, integers([0])), add(wide, integers([entries])), wide),
    },
    cotangents: (cotangent) => {
      const arranged = arrange(cotangent);
      return reshape(arranged, [1, ...arranged.shape]);
    },
    matrix: reshape(weight.value, [1, entries, size]),
  };
}
