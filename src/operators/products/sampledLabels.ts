import type { RunOptions } from "../../linalg/operator/operator.ts";
import type { Likelihood } from "../../losses/index.ts";
import { stream } from "../../random/index.ts";
import type { Tensor, Vector } from "../../tensors/index.ts";
import type { BatchProduct, EvaluatedBatch, Risk, Tensors } from "../engine/risk.ts";
import type { PreparedConstants } from "./curvatureMatrix.ts";

/** The outputs of the terms, [T, C]. */
const outputsProduct: BatchProduct = { build: ({ f }) => ({ outputs: { f } }) };

/** Labels of all batches, drawn before the first product or, from the outputs of a batch, in the middle of a pass. */
export interface SampledLabels extends PreparedConstants {
  /** `labels` of a batch from its outputs `f` [T, C]. */
  draw(sources: Tensors, batch: EvaluatedBatch): Tensors;
}

/**
 * S labels for every term, drawn from the model's predictive distribution with one forward pass before the first product: constants
 * `labels` of a batch, [S T] class indices or [S T, size] numbers, samples outermost. The labels of a row depend only on the seed and on
 * the row's index in the whole data set.
 */
export function sampledLabels(
  risk: Risk,
  { labels, seed }: { readonly labels: number; readonly seed: number },
): SampledLabels {
  const likelihood = risk.lossFunction.likelihood!;
  const { firstRow } = risk.shard;
  const drawn = new Map<number, Tensor>();
  let ready: Promise<void> | undefined;
  const draw = (options: RunOptions) =>
    risk.engine.run(outputsProduct, {
      collect: ({ f }, batch) =>
        void drawn.set(batch.index, drawBatch(f, { batch, firstRow, likelihood, labels, seed })),
      options,
    });
  return {
    draw: ({ f }, batch) => ({ labels: drawBatch(f, { batch, firstRow, likelihood, labels, seed }) }),
    prepare(options) {
      ready ??= draw(options).catch((error: unknown) => {
        ready = undefined;
        throw error;
      });
      return ready;
    },
    of: ({ index }) => ({ labels: drawn.get(index)! }),
  };
}

function drawBatch(
  outputs: Tensor,
  request: {
    readonly batch: EvaluatedBatch;
    /** Index of the risk's first row in the whole data set. */
    readonly firstRow: number;
    readonly likelihood: Likelihood;
    readonly labels: number;
    readonly seed: number;
  },
): Tensor {
  const { batch, firstRow, likelihood, labels, seed } = request;
  const [terms, size] = outputs.dims;
  const f = outputs.data as Vector;
  const positions = terms / batch.rows;
  const labelSize = likelihood.labelSize(size);
  const values = new Float64Array(labels * terms * labelSize);
  for (let row = 0; row < batch.rows; row++) {
    const random = stream(seed, "labels", firstRow + batch.start + row);
    for (let term = row * positions; term < (row + 1) * positions; term++) {
      for (let s = 0; s < labels; s++) {
        const at = (s * terms + term) * labelSize;
        likelihood.sample(f.subarray(term * size, (term + 1) * size), random, values.subarray(at, at + labelSize));
      }
    }
  }
  if (likelihood.label === "class")
    return { data: BigInt64Array.from(values, (label) => BigInt(label)), dims: [labels * terms] };
  return { data: values, dims: [labels * terms, labelSize] };
}
