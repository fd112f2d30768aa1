import { unwrittenVector } from "#runtime";
import { input, type Value } from "../../graph/index.ts";
import type { LinearOperator, RunOptions } from "../../linalg/operator/operator.ts";
import { withInputCopy } from "../../linalg/vectors/inputCopy.ts";
import { type Matrix, type Vector, zeros } from "../../tensors/index.ts";
import { checkColumns, checkLength, vectorFeeds, vectorName } from "../engine/flatVectors.ts";
import type { BatchConstants, BatchGraph, BatchProduct, BuiltProduct, PassOptions, Risk } from "../engine/risk.ts";
import { checkRisk } from "./checkRisk.ts";
import { type Columns, columnChunks } from "./columnChunks.ts";

/** Mathematical definition, for any risk, of a symmetric matrix in the parameters that is a sum over batches. */
export interface CurvatureDefinition {
  /** Name of the matrix. */
  readonly name: string;
  /** Whether it is positive semidefinite. */
  readonly psd: boolean;
  /** The batch's share of A v, including the factor `batch.scale`. `v` and the result have one value per parameter, of its shape. */
  product(batch: BatchGraph, v: readonly Value[]): readonly Value[];
  /** The batch's share of v' A v, of shape []. Omit it unless it costs less than a product. */
  form?(batch: BatchGraph, v: readonly Value[]): Value;
}

/** A definition with further inputs of each batch. */
export interface DefinitionWithConstants extends Omit<CurvatureDefinition, "product" | "form"> {
  product(batch: BatchGraph, v: readonly Value[], constants: Values): readonly Value[];
  form?(batch: BatchGraph, v: readonly Value[], constants: Values): Value;
  /** The further inputs, by name. */
  constants?(batch: BatchGraph): Values;
}

/** Numbers of the further inputs. */
export interface PreparedConstants extends BatchConstants {
  /** Computes them before the first product. */
  prepare(options: RunOptions): Promise<void>;
}

type Values = { readonly [name: string]: Value };

const operators = new WeakMap<Risk, WeakMap<object, LinearOperator>>();

/**
 * The linear operator of a curvature matrix, [size, size], symmetric. A product is one pass over the data; K columns at once share the
 * computations that depend on the batch alone; they run in chunks that fit into the memory reserved for them. Programs are cached by the
 * identity of `definition.product`, so create a definition once, outside of loops, and use it for every risk.
 *
 * @throws CurvatureError "shape", from products, for vectors of another length than `risk.size`
 */
export function curvatureMatrix(risk: Risk, definition: CurvatureDefinition): LinearOperator {
  checkRisk(risk, "curvatureMatrix");
  const known = operators.get(risk) ?? new WeakMap<object, LinearOperator>();
  operators.set(risk, known);
  const made = known.get(definition) ?? matrixWithConstants(risk, definition);
  known.set(definition, made);
  return made;
}

/** The linear operator of a matrix whose batches have further inputs. */
export function matrixWithConstants(
  risk: Risk,
  definition: DefinitionWithConstants,
  constants?: PreparedConstants,
): LinearOperator {
  const { size, dtype } = risk;
  const { arithmetic } = risk.engine;
  return {
    shape: [size, size],
    dtype,
    symmetric: true,
    psd: definition.psd,
    ...products(risk, definition, constants),
    ...(definition.form && { quadraticForms: quadraticForms(risk, definition, constants) }),
    ...(arithmetic && { arithmetic }),
  };
}

function products(
  risk: Risk,
  definition: DefinitionWithConstants,
  constants: PreparedConstants | undefined,
): Pick<LinearOperator, "matvec" | "matmat"> {
  const { engine, parameters, size, dtype } = risk;
  const product = batchProduct(definition, "product", (...values) => ({ flat: definition.product(...values) }));
  const multiply = async (columns: Columns, options: RunOptions): Promise<Vector> => {
    if (constants) await constants.prepare(options);
    return engine.sum(product, passOf(columns, constants, options));
  };
  return {
    async matvec(x, options = {}) {
      checkLength(x, size);
      const run = (own: Vector) => multiply({ count: 1, feeds: vectorFeeds(own, parameters) }, options);
      return withInputCopy(x, run, { dtype });
    },
    async matmat(X, options = {}) {
      checkColumns(X, size);
      const { columns: count } = X;
      const run = async (own: Vector): Promise<Matrix> => {
        let data: Vector | undefined;
        for (const { first, ...columns } of columnChunks(
          risk,
          { ...X, data: own },
          await engine.columnsAtOnce(product),
        )) {
          const part = await multiply(columns, options);
          if (columns.count === count) return { rows: size, columns: count, data: part };
          data ??= unwrittenVector(size * count, dtype);
          data.set(part, first * size);
        }
        return { rows: size, columns: count, data: data ?? zeros(0, dtype) };
      };
      return withInputCopy(X.data, run, { dtype });
    },
  };
}

function quadraticForms(
  risk: Risk,
  definition: DefinitionWithConstants,
  constants: PreparedConstants | undefined,
): NonNullable<LinearOperator["quadraticForms"]> {
  const { engine, size, dtype } = risk;
  const product = batchProduct(definition, "form", (...values) => ({ outputs: { form: definition.form!(...values) } }));
  return async (X, options = {}) => {
    checkColumns(X, size);
    const run = async (own: Vector): Promise<Float64Array> => {
      if (constants) await constants.prepare(options);
      const forms = new Float64Array(X.columns);
      for (const { first, ...columns } of columnChunks(
        risk,
        { ...X, data: own },
        await engine.columnsAtOnce(product),
      )) {
        const { form } = await engine.total(product, passOf(columns, constants, options));
        forms.set(form.data as Vector, first);
      }
      return forms;
    };
    return withInputCopy(X.data, run, { dtype });
  };
}

function passOf({ count, feeds }: Columns, constants: BatchConstants | undefined, options: RunOptions): PassOptions {
  return { feed: () => feeds, ...(constants && { constants }), columns: count, options };
}

/** Products by their building function, so that definitions with the same function share programs. */
const built = new WeakMap<object, BatchProduct>();

function batchProduct(
  definition: DefinitionWithConstants,
  part: "product" | "form",
  results: (batch: BatchGraph, v: readonly Value[], constants: Values) => Pick<BuiltProduct, "flat" | "outputs">,
): BatchProduct {
  const identity = definition[part]!;
  const known = built.get(identity);
  if (known !== undefined) return known;
  const product: BatchProduct = {
    build(batch) {
      const v = batch.parameters.map(({ shape }, i) => input(vectorName(i), shape));
      const constants = definition.constants?.(batch) ?? {};
      const vectors = Object.fromEntries(v.map((value, i) => [vectorName(i), value]));
      return { vectors, constants, ...results(batch, v, constants) };
    },
  };
  built.set(identity, product);
  return product;
}
