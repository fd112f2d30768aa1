import type { RunOptions } from "../linalg/operator.ts";
import type { Likelihood } from "../losses/index.ts";
import { stream } from "../random/index.ts";
import type { Tensor, Vector } from "../tensors/index.ts";
import type { BatchProduct, EvaluatedBatch, Risk } from "./risk.ts";

/** Labels drawn from the model's predictive distribution, batch by batch. */
export interface SampledLabels {
  /** Draws them with one forward pass, the first time it is called. */
  prepare(options: RunOptions): Promise<void>;
  /** Labels of a batch: [S T] class indices or [S T, size] numbers, samples outermost. */
  of(batch: number): Tensor;
}

/** The outputs of the terms, [T, C]. */
const outputsProduct: BatchProduct = { key: "term outputs", build: ({ f }) => ({ outputs: { f } }) };

/** Draws S labels for every term. The numbers drawn for a row depend on the seed and the row's index alone. */
export function sampledLabels(
  risk: Risk,
  { likelihood, labels, seed }: { readonly likelihood: Likelihood; readonly labels: number; readonly seed: number },
): SampledLabels {
  const drawn = new Map<number, Tensor>();
  let ready: Promise<void> | undefined;
  const draw = (options: RunOptions) =>
    risk.engine.run(outputsProduct, {
      collect: ({ f }, batch) => void drawn.set(batch.index, drawBatch(f, { batch, likelihood, labels, seed })),
      options,
    });
  return {
    prepare(options) {
      ready ??= draw(options).catch((error: unknown) => {
        ready = undefined;
        throw error;
      });
      return ready;
    },
    of: (batch) => drawn.get(batch)!,
  };
}

function drawBatch(
  outputs: Tensor,
  request: {
    readonly batch: EvaluatedBatch;
    readonly likelihood: Likelihood;
    readonly labels: number;
    readonly seed: number;
  },
): Tensor {
  const { batch, likelihood, labels, seed } = request;
  const [terms, size] = outputs.dims;
  const f = outputs.data as Vector;
  const positions = terms / batch.rows;
  const labelSize = likelihood.labelSize(size);
  const values = new Float64Array(labels * terms * labelSize);
  for (let row = 0; row < batch.rows; row++) {
    const random = stream(seed, "labels", batch.start + row);
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
