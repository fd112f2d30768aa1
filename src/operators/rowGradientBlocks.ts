import { vectorize, vjp } from "../autodiff/index.ts";
import { rebatch, takeRows } from "../data/index.ts";
import { constant, input, type Value } from "../graph/index.ts";
import type { RunOptions } from "../linalg/operator/operator.ts";
import { scal } from "../linalg/vectors/vector.ts";
import { concat, reshape } from "../primitives/index.ts";
import { type Matrix, sizeOf, type Vector, zeros } from "../tensors/index.ts";
import type { BatchGraph, BatchProduct, Risk } from "./engine/risk.ts";
import { rowLossValues } from "./products/rowLosses.ts";

/** Gradients of consecutive rows. */
export interface RowGradientBlock {
  /** Index of the first row. */
  readonly start: number;
  /** [size, rows of the block], column n the gradient of row `start + n` as `rowGradients` has it. */
  readonly gradients: Matrix;
}

/**
 * The gradients of single rows themselves, `columns` of them at a time: one backward pass for each row alone. Memory is that of one block. For products with
 * all rows' gradients `rowGradients` needs none of them.
 */
export async function* rowGradientBlocks(
  risk: Risk,
  {
    columns,
    from = 0,
    to = risk.rows,
    ...options
  }: RunOptions & { readonly columns: number; readonly from?: number; readonly to?: number },
): AsyncGenerator<RowGradientBlock, void, void> {
  const { size, dtype, shard, model } = risk;
  // A file that computes so many rows at once takes no fewer.
  const data = rebatch(takeRows(risk.data, [from, to]), model.fixedRows ?? 1);
  const single = await risk.on(data, { shard: { ...shard, firstRow: shard.firstRow + from } });
  try {
    let start = from;
    let block: { readonly gradients: Matrix; filled: number } | undefined;
    for await (const { batch, outputs } of single.engine.batches(gradientsOfBatch, { options })) {
      const entries = outputs.gradients.data as Vector;
      for (let n = 0; n < batch.rows; n++) {
        block ??= { gradients: emptyBlock(size, Math.min(columns, to - start), dtype), filled: 0 };
        block.gradients.data.set(entries.subarray(n * size, (n + 1) * size), block.filled * size);
        block.filled++;
        if (block.filled < block.gradients.columns) continue;
        scal(shard.rows, block.gradients.data);
        yield { start, gradients: block.gradients };
        start += block.filled;
        block = undefined;
      }
    }
  } finally {
    await single.dispose();
  }
}

function emptyBlock(size: number, columns: number, dtype: Risk["dtype"]): Matrix {
  return { rows: size, columns, data: zeros(size * columns, dtype) };
}

/** The gradients of all rows of a small batch, [rows, size]. */
const gradientsOfBatch: BatchProduct = {
  build: (batch) => ({ outputs: { gradients: batch.rows === 1 ? gradientOf(batch) : gradientsOf(batch) } }),
};

function gradientOf(batch: BatchGraph): Value {
  const one = constant({ data: Float64Array.of(1), dims: [1] });
  return concat(
    vjp([rowLossValues(batch)], batch.parameters, [one]).map((part) => reshape(part, [1, sizeOf(part.shape)])),
    1,
  );
}

function gradientsOf(batch: BatchGraph): Value {
  const { rows, parameters } = batch;
  const u = input("u", [rows]);
  const identity = Float64Array.from({ length: rows * rows }, (_, i) => (i % (rows + 1) === 0 ? 1 : 0));
  const replacements = [constant({ data: identity, dims: [rows, rows] })];
  const parts = vectorize(vjp([rowLossValues(batch)], parameters, [u]), [u], { replacements, size: rows });
  return concat(
    parts.map((part) => reshape(part, [rows, sizeOf(part.shape) / rows])),
    1,
  );
}
