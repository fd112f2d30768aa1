import type { Dtype, Tensor, Vector } from "../tensors/index.ts";

/** What one row of a tensor holds: its dimensions, without the batch axis, and its element type. */
export interface RowType {
  readonly dims: readonly number[];
  readonly dtype: Dtype;
}

/** Consecutive rows of a data set. Arrays may be views on the data set's own: read them, never write to them. */
export interface Batch {
  /** Index in the data set of the first row. */
  readonly start: number;
  readonly rows: number;
  /** Tensors `[rows, ...]` by the model's input names; the name "" means the model's only input. */
  readonly inputs: { readonly [name: string]: Tensor };
  /** `[rows, ...]`: labels, values or probabilities, as the loss reads them. */
  readonly targets?: Tensor;
  /** Factor of each row's loss, `[rows]`. */
  readonly weights?: Vector;
}

/** What `batches` may be told. */
export interface BatchOptions {
  /** Ends the pass before its next batch with an error of code "aborted". */
  readonly signal?: AbortSignal;
}

/**
 * Rows of data in a fixed order, cut into batches. Every call of `batches` starts again at the first row and gives the
 * same rows: the matrices of this library are sums over such a pass, and each product makes one.
 */
export interface Data {
  readonly rows: number;
  /** Rows of each batch but the last, which may have fewer. */
  readonly batchSize: number;
  /** Where the rows come from, in a few words for reports and messages: a file's name, for instance. */
  readonly description: string;
  readonly inputs: { readonly [name: string]: RowType };
  readonly targets?: RowType;
  /** Whether batches bring weights; absent means no. */
  readonly weighted?: boolean;
  batches(options?: BatchOptions): AsyncIterable<Batch>;
}
