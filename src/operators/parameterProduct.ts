import { CurvatureError } from "../errors/index.ts";
import { input, type Value } from "../graph/index.ts";
import type { LinearOperator, RunOptions } from "../linalg/operator.ts";
import { type Matrix, toPrecision, type Vector, zeros } from "../tensors/index.ts";
import { checkLength, flatSum, flattened, vectorFeeds, vectorName } from "./flatVectors.ts";
import { allColumns } from "./productPrograms.ts";
import type { Tensors } from "./residualCache.ts";
import type { BatchGraph, BatchProduct, EvaluatedBatch, Risk } from "./risk.ts";

/** A symmetric matrix in the parameters that is a sum over batches. */
export interface ParameterProductOptions {
  /** Tells it apart from the other matrices of a risk. */
  readonly key: string;
  readonly psd: boolean;
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
  const { key, psd, constants } = options;
  const product: BatchProduct = {
    key,
    ...(constants && { residualKey: `${key} ${constants.key}` }),
    build: (batch) => buildProduct(risk, { batch, options }),
  };

  const run = async (vectors: Tensors, columns: number, runOptions: RunOptions): Promise<Vector> => {
    if (constants) await constants.prepare(runOptions);
    const sum = flatSum(dtype);
    await engine.run(product, {
      feed: (batch) => ({ ...vectors, ...constants?.feed(batch) }),
      collect: ({ result }) => sum.add(result),
      columns,
      options: runOptions,
    });
    return sum.result();
  };
  const matvec = async (x: Vector, runOptions: RunOptions = {}): Promise<Vector> => {
    checkLength(x, size);
    return run(vectorFeeds(toPrecision(x, dtype), parameters), 1, runOptions);
  };
  const matmat = async (X: Matrix, runOptions: RunOptions = {}): Promise<Matrix> => {
    checkColumns(X, size);
    const chunkCount = Math.ceil(X.columns / (await engine.columnsAtOnce(product)));
    const atOnce = Math.ceil(X.columns / Math.max(chunkCount, 1));
    const given = toPrecision(X.data, dtype);
    let data: Vector | undefined;
    for (let first = 0; first < X.columns; first += atOnce) {
      const count = Math.min(atOnce, X.columns - first);
      const part = given.subarray(first * size, (first + count) * size);
      const feeds = count === 1 ? vectorFeeds(part, parameters) : { [allColumns]: { data: part, dims: [count, size] } };
      const products = await run(feeds, count, runOptions);
      if (count === X.columns) return { rows: size, columns: count, data: products };
      data ??= zeros(size * X.columns, dtype);
      data.set(products, first * size);
    }
    return { rows: size, columns: X.columns, data: data ?? zeros(0, dtype) };
  };
  const { arithmetic } = engine;
  return { shape: [size, size], dtype, symmetric: true, psd, matvec, matmat, ...(arithmetic && { arithmetic }) };
}

function checkColumns({ rows, columns, data }: Matrix, size: number): void {
  if (rows === size && data.length === rows * columns) return;
  throw new CurvatureError(
    "shape",
    `the risk has ${size} parameter entries, got a matrix of ${rows} rows and ${columns} columns with ${data.length} numbers`,
  );
}

function buildProduct(
  risk: Risk,
  { batch, options }: { readonly batch: BatchGraph; readonly options: ParameterProductOptions },
) {
  const v = risk.parameters.map(({ name, dims }) => input(vectorName(name), dims));
  const constants = options.constants?.inputs(batch) ?? {};
  return {
    vectors: Object.fromEntries(risk.parameters.map(({ name }, i) => [vectorName(name), v[i]])),
    constants,
    outputs: { result: flattened(options.product(batch, v, constants)) },
  };
}
