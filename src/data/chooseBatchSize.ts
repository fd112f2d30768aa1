import { CurvatureError } from "../errors/index.ts";

/** Default number of rows per batch: large enough to keep the kernels busy, small enough for any memory. */
const usualBatchSize = 512;

/** Batch size for a number of rows: the requested one, or 512, and at most the number of rows. */
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
