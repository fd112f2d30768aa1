import type { BatchLayer, BatchProduct, Risk } from "../operators/index.ts";
import { sizeOf, type Tensor } from "../tensors/index.ts";

/**
 * The weight of a layer as a matrix with one row for each of its outputs (the filters): a unit of a linear layer, a channel of a convolution, an
 * entry of a table.
 */
export interface WeightMatrix {
  /** Name of the parameter; those of its parts differ in the layer. */
  readonly parameter: string;
  readonly layer: string;
  /** Outputs. */
  readonly rows: number;
  /** Weights of an output. */
  readonly columns: number;
  /** `[rows * columns]`, index of each entry in a flat vector, row-major. */
  readonly index: Int32Array;
}

/** Indices are computed as two digits of this base, which float32 holds exactly. */
const BASE = 4096;

/**
 * The weights of the layers of a risk as matrices, by index. A parameter that enters several layers counts where it does first; parameters with
 * two axes or more that enter outside of layers count with their first axis as outputs. Two batches of a program that moves weights around.
 */
export async function weightMatrices(risk: Risk): Promise<readonly WeightMatrix[]> {
  let layers: readonly BatchLayer[] = [];
  const product: BatchProduct = {
    build(batch) {
      layers = batch.layered().layers.filter(({ weight, kind }) => weight !== undefined && kind !== "affine");
      return { outputs: Object.fromEntries(layers.map(({ weight }, i) => [`layer${i}`, weight!.value])) };
    },
  };
  // The layer's own arrangement of its weight, applied to the indices of the entries, tells where each entry comes from.
  const low = await firstOutputs(risk, { product, digit: (i) => i % BASE });
  const high = await firstOutputs(risk, { product, digit: (i) => Math.floor(i / BASE) });
  const seen = new Set<number>();
  const found: WeightMatrix[] = [];
  layers.forEach((layer, i) => {
    const [ones, bases] = [low[`layer${i}`]!, high[`layer${i}`]!];
    const index = Int32Array.from(ones.data as Float64Array, (one, k) => one + BASE * Number(bases.data[k]));
    if (seen.has(index[0]!)) return;
    for (const k of index) seen.add(k);
    found.push({
      parameter: risk.parameters[layer.weight!.index]!.name,
      layer: layer.name,
      ...byOutput(layer, { index, dims: ones.dims }),
    });
  });
  return [...found, ...otherMatrices(risk, seen)];
}

async function firstOutputs(
  risk: Risk,
  { product, digit }: { readonly product: BatchProduct; readonly digit: (i: number) => number },
): Promise<{ readonly [name: string]: Tensor }> {
  const indices = risk.at(Float64Array.from({ length: risk.size }, (_, i) => digit(i)));
  try {
    for await (const { outputs } of indices.engine.batches(product)) return outputs;
    return {};
  } finally {
    await indices.dispose();
  }
}

/** The indices with the axis of outputs first. */
function byOutput(
  layer: BatchLayer,
  { index, dims }: { readonly index: Int32Array; readonly dims: readonly number[] },
): Pick<WeightMatrix, "rows" | "columns" | "index"> {
  const [first, second = 1] = dims as [number, number];
  const size = sizeOf(dims);
  if (layer.kind === "linear") {
    // [in, out]
    return {
      rows: second,
      columns: first,
      index: index.map((_, k) => index[(k % first) * second + Math.floor(k / first)]!),
    };
  }
  if (layer.kind !== "convolution" || !layer.transposed) return { rows: first, columns: size / first, index };
  // [in, out / groups, kernel]: group after group along the first axis.
  const { groups } = layer.geometry;
  const [inputs, kernel] = [first / groups, size / (first * second)];
  const columns = inputs * kernel;
  const moved = index.map((_, k) => {
    const [row, column] = [Math.floor(k / columns), k % columns];
    const [group, output] = [Math.floor(row / second), row % second];
    const input = group * inputs + Math.floor(column / kernel);
    return index[(input * second + output) * kernel + (column % kernel)]!;
  });
  return { rows: second * groups, columns, index: moved };
}

function otherMatrices({ parameters }: Risk, seen: ReadonlySet<number>): WeightMatrix[] {
  return parameters.flatMap(({ name, layer, dims, offset, size }): WeightMatrix[] => {
    if (dims.length < 2 || seen.has(offset)) return [];
    const index = Int32Array.from({ length: size }, (_, i) => offset + i);
    return [{ parameter: name, layer, rows: dims[0]!, columns: size / dims[0]!, index }];
  });
}
