import { CurvatureError } from "../errors/index.ts";

/** Rows a batch where the caller does not say: large enough to keep the kernels busy, small enough for any memory. */
const usualBatchSize = 512;

/** Batch size to use for so many rows: the asked one, or 512, and never more than there are rows. */
export function chooseBatchSize(batchSize: number | undefined, rows: number): number {
  if (batchSize === undefined) return Math.min(usualBatchSize, rows);
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new CurvatureError(
      "argument",
      `expected a batch size of 1, 2, 3, ... rows, got ${batchSize}; leave it out for ${usualBatchSize}`,
    );
  }
  return Math.min(batchSize, rows);
}
