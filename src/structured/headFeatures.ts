import { pullback } from "../autodiff/index.ts";
import type { Data } from "../data/index.ts";
import { input, topologicalOrder } from "../graph/index.ts";
import type { RunOptions } from "../linalg/index.ts";
import type { BatchGraph, BatchProduct, LinearLayer, Risk } from "../operators/index.ts";
import type { Tensor, TensorData } from "../tensors/index.ts";
import { layerPlan, type PlannedMatrix } from "./plan/layerPlan.ts";
import { withTargets } from "./withTargets.ts";

/** A linear layer that gives the outputs, and holds all weights of a risk: `f = phi W + b`. */
export interface Head {
  readonly inputs: number;
  readonly outputs: number;
  /** Where W [inputs, outputs], row-major, and b [outputs] are in flat vectors. */
  readonly weight: Int32Array;
  readonly bias: Int32Array | undefined;
}

/** Features and outputs of the terms of some rows. */
export interface HeadBatch {
  readonly start: number;
  readonly rows: number;
  /** phi, [T, inputs], row-major. */
  readonly features: Float64Array;
  /** [T, outputs], row-major. */
  readonly f: Float64Array;
  readonly y: Tensor;
  readonly weights: TensorData | undefined;
}

/** The layer that all weights of a risk are of, if its results are the outputs. */
export async function headOf(risk: Risk): Promise<Head | undefined> {
  const { positions, outputs } = risk.layout;
  const batch = await risk.engine.graph(2);
  if (headLayer(batch) === undefined) return undefined;
  const plan = await layerPlan(risk);
  const matrices = plan.parameters.flatMap((own) => (own.form === "matrices" ? own.matrices : []));
  const [matrix] = matrices as readonly PlannedMatrix[];
  if (matrices.length !== 1 || matrix.groups !== 1 || matrix.isTable || matrix.sizes[1] !== outputs) return undefined;
  const covered = matrix.indices.length + (matrix.bias?.indices.length ?? 0);
  if (positions < 1 || covered !== risk.size) return undefined;
  return { inputs: matrix.sizes[0], outputs, weight: matrix.indices, bias: matrix.bias?.indices };
}

/** The one linear layer with weights of the risk, if its results in their order are the outputs of the terms. */
export function headLayer(batch: BatchGraph): LinearLayer | undefined {
  const { layers, elsewhere, f, layout } = batch.layered();
  const own = layers.filter(({ weight, bias }) => weight !== undefined || bias !== undefined);
  const [layer] = own;
  if (own.length !== 1 || elsewhere.length > 0 || layer.kind !== "linear" || layer.positions !== layout.positions) {
    return undefined;
  }
  const u = input("u", f.shape);
  const [cotangent] = pullback([f], [layer.output], [u]);
  if (cotangent === null) return undefined;
  // Views of one memory: the same numbers in the same order.
  const isCopy = topologicalOrder([layer.arrange(cotangent)]).every(
    (value) => value === u || value.primitive.view === true,
  );
  return isCopy ? layer : undefined;
}

const featuresProduct: BatchProduct = {
  build(batch) {
    const layered = batch.layered();
    const { f, y, weights } = layered;
    const features = headLayer(batch)!.input;
    return { outputs: { features, f, y, ...(weights !== undefined && { weights }) } };
  },
};

/** Features and outputs of rows, batch by batch: a forward pass. */
export async function* headFeatures(risk: Risk, data: Data, options: RunOptions = {}): AsyncGenerator<HeadBatch> {
  const own = await risk.on(withTargets(data, risk));
  try {
    for await (const { batch, outputs } of own.engine.batches(featuresProduct, { options })) {
      const { features, f, y, weights } = outputs;
      yield {
        start: batch.start,
        rows: batch.rows,
        features: Float64Array.from(features.data as Float64Array),
        f: Float64Array.from(f.data as Float64Array),
        y,
        weights: weights?.data,
      };
    }
  } finally {
    await own.dispose();
  }
}
