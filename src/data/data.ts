import type { Dtype, Tensor, Vector } from "../tensors/index.ts";

/** Dimensions of one row of a tensor, without the batch axis, and its element type. */
export interface RowType {
  readonly dims: readonly number[];
  readonly dtype: Dtype;
}

/** Consecutive rows of a data set. Arrays may be views of the data set's arrays: never write to them. */
export interface Batch {
  /** Index in the data set of the first row. */
  readonly start: number;
  readonly rows: number;
  /** Tensors `[rows, ...]` by the model's input names; the name "" means the model's only input. */
  readonly inputs: { readonly [name: string]: Tensor };
  /** `[rows, ...]`: labels, values or probabilities, depending on the loss. */
  readonly targets?: Tensor;
  /** Factor of each row's loss, `[rows]`. */
  readonly weights?: Vector;
}

/** Options of `batches`. */
export interface BatchOptions {
  /** Ends the pass before its next batch with an error of code "aborted". */
  readonly signal?: AbortSignal;
}

/**
 * Rows of data in a fixed order, split into batches. Every call of `batches` starts at the first row and returns the same rows. The
 * matrices of this library are sums over such a pass, and each product makes one.
 */
export interface Data {
  readonly rows: number;
  /** Rows of each batch but the last, which may have fewer. */
  readonly batchSize: number;
  /** Origin of the rows in a few words, for reports and messages, for example a file's name. */
  readonly description: string;
  readonly inputs: { readonly [name: string]: RowType };
  readonly targets?: RowType;
  /** Names of the classes in the order of their labels, if the file has names. */
  readonly classes?: readonly string[];
  /** Whether batches have weights; default: false. */
  readonly weighted?: boolean;
  /** The same rows in consecutive parts, whose sums an ordered reduction adds one by one; made by `shardOf`. */
  readonly shards?: readonly Data[];
  batches(options?: BatchOptions): AsyncIterable<Batch>;
}
