import type { Matrix } from "../../tensors/index.ts";
import { vectorFeeds } from "../engine/flatVectors.ts";
import { allColumns } from "../engine/productPrograms.ts";
import type { Risk, Tensors } from "../engine/risk.ts";

/** Some columns of a matrix in the form that an engine reads. */
export interface Columns {
  readonly count: number;
  readonly feeds: Tensors;
}

/** The columns of X in the risk's precision, in chunks of similar size with at most `most` columns. */
export function* columnChunks(
  { parameters, size }: Risk,
  X: Matrix,
  most: number,
): Generator<Columns & { first: number }> {
  const atOnce = Math.ceil(X.columns / Math.max(Math.ceil(X.columns / most), 1));
  for (let first = 0; first < X.columns; first += atOnce) {
    const count = Math.min(atOnce, X.columns - first);
    const data = X.data.subarray(first * size, (first + count) * size);
    const feeds = count === 1 ? vectorFeeds(data, parameters) : { [allColumns]: { data, dims: [count, size] } };
    yield { first, count, feeds };
  }
}
