import { unwrittenVector } from "#runtime";
import { CurvatureError } from "../errors/index.ts";
import { input, type Value } from "../graph/index.ts";
import type { LinearOperator, RunOptions } from "../linalg/operator.ts";
import { type Matrix, toPrecision, type Vector, zeros } from "../tensors/index.ts";
import { checkLength, vectorFeeds, vectorName } from "./flatVectors.ts";
import { allColumns } from "./productPrograms.ts";
import type { Tensors } from "./residualCache.ts";
import type { BatchGraph, BatchProduct, BuiltProduct, EvaluatedBatch, PassOptions, Risk } from "./risk.ts";

/** A value of a batch for a vector v, one value a parameter. */
type InVector<Result> = (
  batch: BatchGraph,
  v: readonly Value[],
  constants: { readonly [name: string]: Value },
) => Result;

/** A symmetric matrix in the parameters that is a sum over batches. */
export interface ParameterProductOptions {
  /** Tells it apart from the other matrices of a risk. */
  readonly key: string;
  readonly psd: boolean;
  /** The batch's share of A v, one value a parameter. */
  readonly product: InVector<readonly Value[]>;
  /** The batch's share of v' A v, of shape []. */
  readonly form: InVector<Value>;
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
  const { size, dtype } = risk;
  const { arithmetic } = risk.engine;
  return {
    shape: [size, size],
    dtype,
    symmetric: true,
    psd: options.psd,
    ...products(risk, options),
    quadraticForms: quadraticForms(risk, options),
    ...(arithmetic && { arithmetic }),
  };
}

function products(risk: Risk, options: ParameterProductOptions): Pick<LinearOperator, "matvec" | "matmat"> {
  const { engine, parameters, size, dtype } = risk;
  const product = batchProduct(risk, options, {
    key: options.key,
    results: (...values) => ({ flat: options.product(...values) }),
  });
  const multiply = async (columns: Columns, runOptions: RunOptions): Promise<Vector> => {
    if (options.constants) await options.constants.prepare(runOptions);
    return engine.sum(product, passOf(columns, options, runOptions));
  };
  return {
    async matvec(x, runOptions = {}) {
      checkLength(x, size);
      return multiply({ count: 1, feeds: vectorFeeds(toPrecision(x, dtype), parameters) }, runOptions);
    },
    async matmat(X, runOptions = {}) {
      checkColumns(X, size);
      let data: Vector | undefined;
      for (const { first, ...columns } of chunks(risk, X, await engine.columnsAtOnce(product))) {
        const part = await multiply(columns, runOptions);
        if (columns.count === X.columns) return { rows: size, columns: X.columns, data: part };
        data ??= unwrittenVector(size * X.columns, dtype);
        data.set(part, first * size);
      }
      return { rows: size, columns: X.columns, data: data ?? zeros(0, dtype) };
    },
  };
}

function quadraticForms(risk: Risk, options: ParameterProductOptions): NonNullable<LinearOperator["quadraticForms"]> {
  const { engine, size } = risk;
  const product = batchProduct(risk, options, {
    key: `${options.key} form`,
    results: (...values) => ({ outputs: { form: options.form(...values) } }),
  });
  return async (X, runOptions = {}) => {
    checkColumns(X, size);
    if (options.constants) await options.constants.prepare(runOptions);
    const forms = new Float64Array(X.columns);
    for (const { first, ...columns } of chunks(risk, X, await engine.columnsAtOnce(product))) {
      const add = (shares: Vector) => shares.forEach((share, k) => void (forms[first + k] += share));
      const collect = ({ form }: Tensors) => add(form.data as Vector);
      await engine.run(product, { ...passOf(columns, options, runOptions), collect });
    }
    return forms;
  };
}

function passOf({ count, feeds }: Columns, { constants }: ParameterProductOptions, options: RunOptions): PassOptions {
  return { feed: (batch) => ({ ...feeds, ...constants?.feed(batch) }), columns: count, options };
}

/** Some columns of a matrix as an engine reads them. */
interface Columns {
  readonly count: number;
  readonly feeds: Tensors;
}

/** The columns of X, at most `most` at once, in chunks of like size. */
function* chunks({ parameters, size, dtype }: Risk, X: Matrix, most: number): Generator<Columns & { first: number }> {
  const atOnce = Math.ceil(X.columns / Math.max(Math.ceil(X.columns / most), 1));
  const given = toPrecision(X.data, dtype);
  for (let first = 0; first < X.columns; first += atOnce) {
    const count = Math.min(atOnce, X.columns - first);
    const data = given.subarray(first * size, (first + count) * size);
    const feeds = count === 1 ? vectorFeeds(data, parameters) : { [allColumns]: { data, dims: [count, size] } };
    yield { first, count, feeds };
  }
}

function checkColumns({ rows, columns, data }: Matrix, size: number): void {
  if (rows === size && data.length === rows * columns) return;
  throw new CurvatureError(
    "shape",
    `the risk has ${size} parameter entries, got a matrix of ${rows} rows and ${columns} columns with ${data.length} numbers`,
  );
}

function batchProduct(
  risk: Risk,
  { constants: further }: ParameterProductOptions,
  { key, results }: { readonly key: string; readonly results: InVector<Pick<BuiltProduct, "flat" | "outputs">> },
): BatchProduct {
  return {
    key,
    ...(further && { residualKey: `${key} ${further.key}` }),
    build(batch) {
      const v = risk.parameters.map(({ name, dims }) => input(vectorName(name), dims));
      const constants = further?.inputs(batch) ?? {};
      return {
        vectors: Object.fromEntries(risk.parameters.map(({ name }, i) => [vectorName(name), v[i]])),
        constants,
        ...results(batch, v, constants),
      };
    },
  };
}
