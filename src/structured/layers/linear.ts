import type { LinearLayer } from "../../operators/layers/batchLayer.ts";
import { reshape } from "../../primitives/index.ts";
import type { MatrixLayer } from "./matrixLayer.ts";

/** A linear layer: one group, inputs as they are. */
export function linearMatrix({ input, weight, output, arrange }: LinearLayer): MatrixLayer {
  const [, positions, size] = input.shape;
  const outputs = arrange(output).shape[2];
  return {
    groups: 1,
    positions,
    sizes: [size, outputs],
    inputs: { kind: "vectors", vectors: reshape(input, [1, ...input.shape]) },
    cotangents: (cotangent) => {
      const arranged = arrange(cotangent);
      return reshape(arranged, [1, ...arranged.shape]);
    },
    matrix: weight && reshape(weight.value, [1, size, outputs]),
  };
}
