import { pullback, vectorize } from "../autodiff/index.ts";
import { type Data, rebatch } from "../data/index.ts";
import { input, type Value } from "../graph/index.ts";
import type { RunOptions } from "../linalg/index.ts";
import type { BatchProduct, LayeredBatchGraph, LinearLayer, Risk } from "../operators/index.ts";
import { reshape, zeros } from "../primitives/index.ts";
import type { Tensor, TensorData } from "../tensors/index.ts";
import type { Head } from "./headFeatures.ts";
import { identityColumns } from "./passes/selectors.ts";
import { layerPlan } from "./plan/layerPlan.ts";
import { parameterUses } from "./plan/parameterUses.ts";
import { withTargets } from "./withTargets.ts";

/** Inputs and output gradients of the layers for some rows. The Jacobian of output c in a layer's weights [inputs, outputs] is the outer product of both. */
export interface LayerSidesBatch {
  /** Index of the first row. */
  readonly start: number;
  readonly rows: number;
  /** Outputs, [rows, C], row-major. */
  readonly f: Float64Array;
  readonly y: Tensor;
  /** Weights of the rows, [rows]; undefined if all are one. */
  readonly weights: TensorData | undefined;
  /** Of each layer of `sidedLayers`: its inputs [rows, inputs], and the gradients of the C outputs in its results [C, rows, outputs]. */
  readonly sides: readonly { readonly a: Float64Array; readonly g: Float64Array }[];
}

/** Most bytes of the sides that are in memory at once. */
const CHUNK_BYTES = 2 ** 26;

/** The layers of a risk, where each multiplies every row once by a matrix of its own, and no weight is outside of them. */
export async function sidedLayers(risk: Risk): Promise<readonly Head[] | undefined> {
  if (risk.layout.positions !== 1) return undefined;
  const batch = (await risk.engine.graph(2)).layered();
  if (batch.elsewhere.length > 0 || linearLayers(batch, risk.parameters.length) === undefined) return undefined;
  const plan = await layerPlan(risk);
  const matrices = plan.parameters.flatMap((own) => (own.form === "matrices" ? own.matrices : []));
  const areOwn = matrices.every(({ uses, groups, isTable }) => uses === 1 && groups === 1 && !isTable);
  const covered = matrices.reduce((sum, { indices, bias }) => sum + indices.length + (bias?.indices.length ?? 0), 0);
  if (!areOwn || covered !== risk.size) return undefined;
  return matrices.map(({ sizes: [inputs, outputs], indices: weight, bias }) => ({
    inputs,
    outputs,
    weight,
    bias: bias?.indices,
  }));
}

/** The layers with weights in the order of these, if each is a product of single vectors with a matrix that enters nowhere else. */
function linearLayers(batch: LayeredBatchGraph, parameters: number): readonly LinearLayer[] | undefined {
  const { layers } = batch;
  const uses = parameterUses(layers, parameters);
  if (uses.some(({ matrices }) => matrices.length > 1)) return undefined;
  const own = uses.flatMap(({ matrices }) => matrices.map(({ layer }) => layers[layer]));
  const linear = own.filter((layer): layer is LinearLayer => layer.kind === "linear" && layer.positions === 1);
  return linear.length === own.length ? linear : undefined;
}

const sidesProduct: BatchProduct = {
  build(batch) {
    const layered = batch.layered();
    const { f, y, weights, parameters } = layered;
    const layers = linearLayers(layered, parameters.length)!;
    const [rows, columns] = f.shape;
    const u = input("u", f.shape);
    const results = layers.map(({ output }) => output);
    const cotangents = pullback([f], results, [u]);
    const passes = { replacements: [identityColumns(rows, columns)], size: columns };
    const gradients = (layer: LinearLayer, cotangent: Value | null): Value => {
      const arranged = layer.arrange(cotangent ?? zeros(layer.output.shape));
      const own = reshape(arranged, [rows, arranged.shape[arranged.shape.length - 1]]);
      return cotangent === null ? zeros([columns, ...own.shape]) : vectorize([own], [u], passes)[0];
    };
    const sides = layers.flatMap((layer, i) => [
      [`a ${i}`, reshape(layer.input, [rows, layer.input.shape[layer.input.shape.length - 1]])] as const,
      [`g ${i}`, gradients(layer, cotangents[i])] as const,
    ]);
    return { outputs: { f, y, ...(weights !== undefined && { weights }), ...Object.fromEntries(sides) } };
  },
};

/**
 * Inputs and output gradients of the layers of `sidedLayers` for rows of data, some at a time: one forward and C reverse passes. They take `inputs + C outputs` numbers a row and
 * layer, where the Jacobian takes `C inputs outputs`.
 */
export async function* layerSides(risk: Risk, data: Data, options: RunOptions = {}): AsyncGenerator<LayerSidesBatch> {
  const layers = (await sidedLayers(risk))!;
  const numbers = layers.reduce((sum, { inputs, outputs }) => sum + inputs + risk.layout.outputs * outputs, 0);
  const atOnce = Math.max(2, Math.min(data.rows, Math.floor(CHUNK_BYTES / (8 * numbers))));
  const own = await risk.on(rebatch(withTargets(data, risk), Math.min(atOnce, data.rows)));
  const copy = ({ data: entries }: Tensor) => Float64Array.from(entries as Float64Array);
  try {
    for await (const { batch, outputs } of own.engine.batches(sidesProduct, { options })) {
      const { f, y, weights } = outputs;
      const sides = layers.map((_, i) => ({ a: copy(outputs[`a ${i}`]), g: copy(outputs[`g ${i}`]) }));
      yield { start: batch.start, rows: batch.rows, f: copy(f), y, weights: weights?.data, sides };
    }
  } finally {
    await own.dispose();
  }
}
