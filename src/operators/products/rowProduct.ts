import type { RunOptions } from "../../linalg/operator/operator.ts";
import { withInputCopy } from "../../linalg/vectors/inputCopy.ts";
import { type Tensor, type Vector, zeros } from "../../tensors/index.ts";
import { checkVectorLength } from "../engine/flatVectors.ts";
import type { BatchProduct, Risk } from "../engine/risk.ts";

/** A product whose vector and result both belong to rows of the data, so that nothing is summed over batches. */
export interface RowProductOptions {
  /** With a vector named "u" and an output named "result". */
  readonly product: BatchProduct;
  /** Entries a row of the vector and of the result. */
  readonly sizes: readonly [input: number, output: number];
  /** Name of the operator in messages. */
  readonly name: string;
}

/** The function u -> result over the whole data set, one pass. */
export function rowProduct(risk: Risk, { product, sizes, name }: RowProductOptions) {
  const { engine, rows, dtype } = risk;
  const [inputSize, outputSize] = sizes;
  return async (u: Vector, options: RunOptions = {}): Promise<Vector> => {
    const length = rows * inputSize;
    checkVectorLength(u, length, `the ${name} takes vectors of ${length} entries (${rows} rows of ${inputSize})`);
    const result = zeros(rows * outputSize, dtype);
    const run = (own: Vector) =>
      engine.run(product, {
        feed: (batch) => ({ u: rowsOf(own, { ...batch, size: inputSize }) }),
        collect: ({ result: part }, { start }) => result.set(part.data as Vector, start * outputSize),
        options,
      });
    await withInputCopy(u, run, { dtype });
    return result;
  };
}

/** The entries of a vector that belong to the rows of a batch, a view. */
export function rowsOf(
  vector: Vector,
  batch: { readonly start: number; readonly rows: number; readonly size: number },
): Tensor {
  const { start, rows, size } = batch;
  return { data: vector.subarray(start * size, (start + rows) * size), dims: [rows * size] };
}
