import { input, type Value } from "../graph/index.ts";
import type { LinearOperator, RunOptions } from "../linalg/operator.ts";
import { column, type Matrix, toPrecision, type Vector, zeros } from "../tensors/index.ts";
import { addInto, checkLength, columnFeeds, scaledTo, vectorFeeds, vectorName } from "./flatVectors.ts";
import { byParameter } from "./lossAndGradient.ts";
import type { Tensors } from "./residualCache.ts";
import type { BatchGraph, BatchProduct, EvaluatedBatch, Risk } from "./risk.ts";

/** A symmetric matrix in the parameters that is a sum over batches. */
export interface ParameterProductOptions {
  /** Tells it apart from the other matrices of a risk. */
  readonly key: string;
  readonly psd: boolean;
  /** What the sum over batches is multiplied with. */
  readonly scale: number;
  /** The batch's share of A v, one value a parameter, for one value a parameter of v. */
  readonly product: (
    batch: BatchGraph,
    v: readonly Value[],
    constants: { readonly [name: string]: Value },
  ) => readonly Value[];
  /** Further inputs of a batch, by name, that are the same in every product of this matrix. */
  readonly constants?: {
    /** Tells matrices with the same graph but other numbers here apart. */
    readonly key: string;
    readonly inputs: (batch: BatchGraph) => { readonly [name: string]: Value };
    readonly feed: (batch: EvaluatedBatch) => Tensors;
    /** Done before the first product. */
    readonly prepare: (options: RunOptions) => Promise<void>;
  };
}

/**
 * The linear operator of such a matrix. A product is one pass over the data; K columns at once share what depends on the
 * batch alone and are computed in chunks that fit the memory set aside for them.
 */
export function parameterProduct(risk: Risk, options: ParameterProductOptions): LinearOperator {
  const { engine, parameters, size, dtype } = risk;
  const { key, psd, scale, constants } = options;
  const product: BatchProduct = {
    key,
    ...(constants && { residualKey: `${key} ${constants.key}` }),
    build: (batch) => buildProduct(risk, { batch, options }),
  };

  const matvec = async (x: Vector, run: RunOptions = {}): Promise<Vector> => {
    checkLength(x, size);
    await constants?.prepare(run);
    const vectors = vectorFeeds(toPrecision(x, dtype), parameters);
    const sum = new Float64Array(size);
    await engine.run(product, {
      feed: (batch) => ({ ...vectors, ...constants?.feed(batch) }),
      collect: (results) => addInto(sum, { results, parameters }),
      options: run,
    });
    return scaledTo(sum, { scale, dtype });
  };

  const chunk = async (columns: readonly Vector[], run: RunOptions): Promise<Vector[]> => {
    if (columns.length === 1) return [await matvec(columns[0], run)];
    const vectors = columnFeeds(columns, { parameters, dtype });
    const sums = columns.map(() => new Float64Array(size));
    await engine.run(product, {
      feed: (batch) => ({ ...vectors, ...constants?.feed(batch) }),
      collect: (results) => {
        sums.forEach((sum, k) => {
          addInto(sum, { results: columnOf(results, k, columns.length), parameters });
        });
      },
      columns: columns.length,
      options: run,
    });
    return sums.map((sum) => scaledTo(sum, { scale, dtype }));
  };

  const matmat = async (X: Matrix, run: RunOptions = {}): Promise<Matrix> => {
    checkLength(X.data.subarray(0, X.rows), size);
    await constants?.prepare(run);
    const atOnce = await engine.columnsAtOnce(product);
    const data = zeros(size * X.columns, dtype);
    for (let first = 0; first < X.columns; first += atOnce) {
      const count = Math.min(atOnce, X.columns - first);
      const columns = Array.from({ length: count }, (_, k) => column(X, first + k));
      (await chunk(columns, run)).forEach((result, k) => {
        data.set(result, (first + k) * size);
      });
    }
    return { rows: size, columns: X.columns, data };
  };
  return { shape: [size, size], dtype, symmetric: true, psd, matvec, matmat };
}

function buildProduct(
  risk: Risk,
  { batch, options }: { readonly batch: BatchGraph; readonly options: ParameterProductOptions },
) {
  const v = risk.parameters.map(({ name, dims }) => input(vectorName(name), dims));
  const constants = options.constants?.inputs(batch) ?? {};
  const results = options.product(batch, v, constants);
  return {
    vectors: Object.fromEntries(risk.parameters.map(({ name }, i) => [vectorName(name), v[i]])),
    constants,
    outputs: byParameter(risk.parameters, results),
  };
}

/** Row k of outputs that have a leading axis of columns. */
function columnOf(results: Tensors, k: number, columns: number): Tensors {
  return Object.fromEntries(
    Object.entries(results).map(([name, { data, dims }]) => {
      const size = data.length / columns;
      return [name, { data: (data as Vector).subarray(k * size, (k + 1) * size), dims: dims.slice(1) }];
    }),
  );
}
