import type { Parameter } from "../../src/models/index.ts";
import type { Rows } from "./publicData.ts";

/*
 * A network of Gemm and Relu in turn, and its Gauss-Newton matrix, written out by hand in float64: no graph, no autodiff.
 */

/** One row: what went into each layer, and where the Relu after it passes. */
interface Pass {
  readonly inputs: readonly Float64Array[];
  readonly passes: readonly (readonly boolean[])[];
  readonly logits: Float64Array;
}

interface Layer {
  /** [outputs, inputs] */
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

function layersOf(parameters: readonly Parameter[]): readonly Layer[] {
  const layers: Layer[] = [];
  for (let i = 0; i < parameters.length; i += 2)
    layers.push({ weight: parameters[i].data as Float32Array, bias: parameters[i + 1].data as Float32Array });
  return layers;
}

function forward(layers: readonly Layer[], row: Float32Array, reluAtEnd: boolean): Pass {
  let values = Float64Array.from(row);
  const inputs: Float64Array[] = [];
  const passes: boolean[][] = [];
  for (const [i, { weight, bias }] of layers.entries()) {
    inputs.push(values);
    const next = Float64Array.from(bias, (start, o) =>
      values.reduce((sum, value, k) => sum + weight[o * values.length + k] * value, start),
    );
    const hasRelu = reluAtEnd || i < layers.length - 1;
    passes.push(Array.from(next, (value) => !hasRelu || value > 0));
    values = next.map((value, o) => (passes[i][o] ? value : 0));
  }
  return { inputs, passes, logits: values };
}

/** Derivatives of u . logits in what comes out of each layer, before its Relu. */
function backward(layers: readonly Layer[], { passes }: Pass, u: readonly number[]): readonly Float64Array[] {
  const deltas: Float64Array[] = [];
  let above = Float64Array.from(u);
  for (let i = layers.length - 1; i >= 0; i--) {
    const delta = above.map((value, o) => (passes[i][o] ? value : 0));
    deltas.unshift(delta);
    const { weight } = layers[i];
    const width = weight.length / delta.length;
    above = Float64Array.from({ length: width }, (_, k) =>
      delta.reduce((sum, value, o) => sum + weight[o * width + k] * value, 0),
    );
  }
  return deltas;
}

const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * b[i], 0);

/** Logits of each row, and B B' for the matrix B whose rows are the derivatives of u . logits in the weights: one for each u of each row. */
export function reluNetwork(
  parameters: readonly Parameter[],
  {
    rows,
    reluAtEnd,
    cotangents,
  }: {
    readonly rows: Rows;
    readonly reluAtEnd: boolean;
    readonly cotangents: (row: number) => readonly (readonly number[])[];
  },
): { readonly logits: readonly Float64Array[]; readonly gram: readonly (readonly number[])[] } {
  const layers = layersOf(parameters);
  const size = rows.data.length / rows.dims[0];
  const passes = Array.from({ length: rows.dims[0] }, (_, i) =>
    forward(layers, rows.data.subarray(i * size, (i + 1) * size), reluAtEnd),
  );
  const terms = passes.flatMap((pass, i) => cotangents(i).map((u) => ({ pass, deltas: backward(layers, pass, u) })));
  // A weight's derivative is delta times input, so products of derivatives are products of products.
  const gram = terms.map((a) =>
    terms.map((b) =>
      layers.reduce(
        (sum, _, i) => sum + dot(a.deltas[i], b.deltas[i]) * (dot(a.pass.inputs[i], b.pass.inputs[i]) + 1),
        0,
      ),
    ),
  );
  return { logits: passes.map(({ logits }) => logits), gram };
}
