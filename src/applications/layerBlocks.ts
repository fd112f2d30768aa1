import type { DiagonalBlock } from "../linalg/index.ts";
import type { RiskParameter } from "../operators/index.ts";

/** A tensor of weights with its range in the vectors of products. */
export interface TensorBlock extends DiagonalBlock {
  readonly dims: readonly number[];
}

/** A layer whose weights are consecutive in the vectors of products. */
export interface LayerBlock extends DiagonalBlock {
  readonly tensors: readonly TensorBlock[];
}

/** Layers as ranges of a vector. */
export interface LayerBlocks {
  readonly layers: readonly LayerBlock[];
  /** Entry i of the vector is weight `order[i]`; undefined for the identity. */
  readonly order: Uint32Array | undefined;
}

/**
 * Parameters grouped by layer, in the order in which layers first appear. If a file interleaves layers, `order` makes the weights of each
 * layer consecutive. Its trace is then that of one diagonal block, with its own standard error.
 */
export function layerBlocks(
  parameters: readonly Pick<RiskParameter, "name" | "layer" | "dims" | "offset" | "size">[],
): LayerBlocks {
  const names = [...new Set(parameters.map(({ layer }) => layer))];
  let end = 0;
  const sources: { readonly offset: number; readonly start: number; readonly size: number }[] = [];
  const layers = names.map((name): LayerBlock => {
    const start = end;
    const members = parameters.filter(({ layer }) => layer === name);
    const tensors = members.map(({ name: tensor, dims, offset, size }): TensorBlock => {
      sources.push({ offset, start: end, size });
      end += size;
      return { name: tensor, dims, start: end - size, end };
    });
    return { name, start, end, tensors };
  });
  if (sources.every(({ offset, start }) => offset === start)) return { layers, order: undefined };
  const order = new Uint32Array(end);
  for (const { offset, start, size } of sources) for (let i = 0; i < size; i++) order[start + i] = offset + i;
  return { layers, order };
}
