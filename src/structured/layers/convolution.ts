import type { Value } from "../../graph/index.ts";
import type { ConvolutionLayer } from "../../operators/layers/batchLayer.ts";
import { permute, reshape, unfold } from "../../primitives/index.ts";
import { sizeOf } from "../../tensors/index.ts";
import type { MatrixLayer } from "./matrixLayer.ts";

/**
 * A convolution: inputs are the patches (channel, then kernel position) under each position of the output, and each group of channels is a
 * matrix of its own. For a transposed convolution the positions are those of the input, whose vectors are channels; cotangents are the
 * patches of the output's cotangent that the position reaches.
 */
export function convolutionMatrix(layer: ConvolutionLayer): MatrixLayer {
  return layer.transposed ? transposed(layer) : direct(layer);
}

function direct({ input, weight, geometry, output, arrange }: ConvolutionLayer): MatrixLayer {
  const { groups } = geometry;
  const [rows, positions, channels] = arrange(output).shape;
  const vectors = patches(input, { geometry, rows });
  const [size, outputs] = [vectors.shape[3], channels / groups];
  return {
    groups,
    positions,
    sizes: [size, outputs],
    inputs: { kind: "vectors", vectors },
    cotangents: (cotangent) => grouped(arrange(cotangent), groups),
    matrix: weight && permute(reshape(weight.value, [groups, outputs, size]), [0, 2, 1]),
  };
}

function transposed({ input, weight, geometry, output, arrange }: ConvolutionLayer): MatrixLayer {
  const { groups } = geometry;
  const [rows, channels, ...spatial] = input.shape;
  const positions = sizeOf(spatial);
  const size = channels / groups;
  const outputs = (arrange(output).shape[2] / groups) * sizeOf(geometry.kernel);
  return {
    groups,
    positions,
    sizes: [size, outputs],
    inputs: {
      kind: "vectors",
      vectors: permute(reshape(input, [rows, groups, size, positions]), [1, 0, 3, 2]),
    },
    cotangents(cotangent) {
      const image = reshape(permute(arrange(cotangent), [0, 2, 1]), output.shape);
      return patches(image, { geometry, rows });
    },
    matrix: weight && reshape(weight.value, [groups, size, outputs]),
  };
}

/** The windows of an image [rows, channels, ...spatial] as [groups, rows, positions, channels of the group times window]. */
function patches(
  image: Value,
  { geometry, rows }: { readonly geometry: ConvolutionLayer["geometry"]; readonly rows: number },
): Value {
  const { groups } = geometry;
  const [channels] = image.shape.slice(1);
  const windows = unfold(image, geometry);
  const size = (channels / groups) * sizeOf(geometry.kernel);
  const positions = sizeOf(windows.shape) / (rows * groups * size);
  return permute(reshape(windows, [rows, groups, size, positions]), [1, 0, 3, 2]);
}

/** [rows, positions, channels] as [groups, rows, positions, channels of the group]. */
function grouped(x: Value, groups: number): Value {
  const [rows, positions, channels] = x.shape;
  return permute(reshape(x, [rows, positions, groups, channels / groups]), [2, 0, 1, 3]);
}
