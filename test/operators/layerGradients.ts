import { pullback, transpose, vectorize, vjp } from "../../src/autodiff/index.ts";
import { constant, input, scalar, type Value } from "../../src/graph/index.ts";
import {
  type BatchLayer,
  type BatchProduct,
  type ConvolutionLayer,
  type EmbeddingLayer,
  type LinearLayer,
  scaledLoss,
} from "../../src/operators/index.ts";
import {
  add,
  cast,
  equal,
  indicator,
  less,
  matmul,
  mul,
  permute,
  reduceSum,
  reshape,
  unfold,
  where,
} from "../../src/primitives/index.ts";
import { sizeOf } from "../../src/tensors/index.ts";

/** What each row contributes to the gradient of a layer's weight and bias, [rows, ...shape of the parameter as it enters]. */
interface RowParts {
  readonly weight?: Value;
  readonly bias?: Value;
}

/** For each chosen parameter that enters a layer, what the rows contribute to its gradient by way of layers, [rows, ...]: input x cotangent. */
export const layerGradients: BatchProduct = {
  build(batch) {
    const layered = batch.layered();
    const { layers, parameters, rows } = layered;
    const [seed] = vjp([scaledLoss(layered)], [layered.f], [scalar(1)]);
    const cotangents = pullback(
      [layered.f],
      layers.map(({ output }) => output),
      [seed],
    );
    const sums = new Map<number, Value>();
    layers.forEach((layer, i) => {
      const cotangent = cotangents[i];
      if (cotangent === null) return;
      const parts = rowParts(layer, { cotangent, rows });
      for (const kind of ["weight", "bias"] as const) {
        const [part, place] = [parts[kind], layer[kind]];
        if (part === undefined || place === undefined) continue;
        const whole = inParameter(part, { entered: place.value, parameter: parameters[place.index], rows });
        const before = sums.get(place.index);
        sums.set(place.index, before === undefined ? whole : add(before, whole));
      }
    });
    return { outputs: Object.fromEntries([...sums].map(([index, sum]) => [`${index}`, sum])) };
  },
};

/** Row by row, the entries of a parameter as it enters put back where they are in the parameter. */
function inParameter(
  part: Value,
  { entered, parameter, rows }: { readonly entered: Value; readonly parameter: Value; readonly rows: number },
): Value {
  const one = input("entries", entered.shape);
  const [back] = transpose([entered], [parameter], [one]);
  return vectorize([back!], [one], { replacements: [part], size: rows })[0];
}

function rowParts(
  layer: BatchLayer,
  { cotangent, rows }: { readonly cotangent: Value; readonly rows: number },
): RowParts {
  if (layer.kind === "affine") {
    const { input: x, weight, bias } = layer;
    const c = layer.arrange(cotangent);
    return {
      ...(weight && { weight: summedTo(mul(c, x!), weight.value, rows) }),
      ...(bias && { bias: summedTo(c, bias.value, rows) }),
    };
  }
  const c = layer.arrange(cotangent);
  const { weight, bias } = layer;
  return {
    ...(weight && { weight: reshape(weightPart(layer, c), [rows, ...weight.value.shape]) }),
    ...(bias && { bias: reshape(reduceSum(c, [1]), [rows, ...bias.value.shape]) }),
  };
}

/** Row by row, the sum over what a parameter is repeated along. */
function summedTo(x: Value, { shape }: Value, rows: number): Value {
  const wide = [...new Array<number>(x.shape.length - shape.length).fill(1), ...shape];
  const others = wide.flatMap((dim, axis) => (axis > 0 && dim === 1 ? [axis] : []));
  if (wide[0] !== 1 || x.shape[0] !== rows) throw new Error(`rows are not the first axis of ${x.shape.join()}`);
  return reshape(reduceSum(x, others), [rows, ...shape]);
}

function weightPart(layer: LinearLayer | ConvolutionLayer | EmbeddingLayer, c: Value): Value {
  switch (layer.kind) {
    case "linear":
      return matmul(layer.input, c, { transposeA: true });
    case "convolution":
      return layer.transposed ? transposedKernelPart(layer, c) : kernelPart(layer, c);
    case "embedding":
      return tablePart(layer, c);
  }
}

/** [rows, out, in / groups, ...kernel] from patches [rows, groups, in / groups * window, positions] and cotangents. */
function kernelPart({ input: x, geometry }: ConvolutionLayer, c: Value): Value {
  const { groups } = geometry;
  const [rows, positions, out] = c.shape;
  const patches = unfold(x, geometry);
  const [, channels, window] = patches.shape;
  const grouped = reshape(patches, [rows, groups, (channels / groups) * window, positions]);
  const cotangents = reshape(permute(c, [0, 2, 1]), [rows, groups, out / groups, positions]);
  return matmul(cotangents, grouped, { transposeB: true });
}

/** [rows, in, out / groups, ...kernel]: inputs and cotangents change places. */
function transposedKernelPart({ input: x, geometry, output }: ConvolutionLayer, c: Value): Value {
  const [rows, channels, ...spatial] = x.shape;
  const image = reshape(permute(c, [0, 2, 1]), output.shape);
  const { groups } = geometry;
  const patches = unfold(image, geometry);
  const grouped = reshape(patches, [rows, groups, (patches.shape[1] / groups) * patches.shape[2], sizeOf(spatial)]);
  const inputs = reshape(x, [rows, groups, channels / groups, sizeOf(spatial)]);
  return matmul(inputs, grouped, { transposeB: true });
}

/** [rows, entries, size]: the one-hot matrix of the indices times the cotangents. */
function tablePart({ input: indices, weight }: EmbeddingLayer, c: Value): Value {
  const [entries] = weight!.value.shape;
  const all = constant({ data: BigInt64Array.from({ length: entries }, (_, i) => BigInt(i)), dims: [entries] });
  const count = constant({ data: BigInt64Array.of(BigInt(entries)), dims: [1] });
  const wide = cast(indices, "int64");
  const zero = constant({ data: BigInt64Array.of(0n), dims: [1] });
  const counted = where(less(wide, zero), add(wide, count), wide);
  const oneHot = indicator(equal(reshape(counted, [...indices.shape, 1]), all));
  return matmul(oneHot, c, { transposeA: true });
}
