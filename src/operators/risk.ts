import type { Data } from "../data/index.ts";
import type { Value } from "../graph/index.ts";
import type { Arithmetic, RunOptions } from "../linalg/operator.ts";
import type { Loss, TermLayout } from "../losses/index.ts";
import type { Model, Parameter } from "../models/index.ts";
import type { Precision, Tensor, Vector } from "../tensors/index.ts";

/** A parameter that is differentiated, with its place in flat vectors. */
export interface RiskParameter extends Omit<Parameter, "data"> {
  /** Index of its first entry in a flat vector; entries follow row-major. */
  readonly offset: number;
  readonly size: number;
}

/**
 * The objective L(theta) = c sum over loss terms of a model on a data set, as a function of the chosen parameters theta. It
 * owns compiled graphs and kept residuals: call `dispose` (or use `await using`) when done.
 */
export interface Risk {
  readonly model: Model;
  readonly lossFunction: Loss;
  readonly data: Data;
  readonly dtype: Precision;
  /** Chosen parameters in the order of the model. */
  readonly parameters: readonly RiskParameter[];
  /** Number of entries of all chosen parameters. */
  readonly size: number;
  /** Rows of the data set. */
  readonly rows: number;
  /** What the sum over terms is multiplied with: 1 for "sum", 1 / denominator for "mean". */
  readonly scale: number;
  /** How outputs are cut into loss terms. */
  readonly layout: TermLayout;
  /** What was done to model or data that a reader of results should know. */
  readonly notices: readonly string[];
  /** Value of L. One forward pass. */
  loss(options?: RunOptions): Promise<number>;
  /** Gradient of L in the chosen parameters, [size]. One forward and backward pass. */
  gradient(options?: RunOptions): Promise<Vector>;
  /** The chosen parameters themselves, [size]; a copy. */
  theta(): Vector;
  /** A flat vector [size] cut into the parameters' shapes, by name; views. */
  split(vector: Vector): { readonly [name: string]: Tensor };
  /** The flat vector of tensors by parameter name; parameters that are not given are zero. */
  join(tensors: { readonly [name: string]: Tensor }): Vector;
  /** Frees compiled graphs and residuals. A pass over the data that still runs is finished first; later ones throw. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
  /** For the curvature matrices: evaluates graphs batch by batch. */
  readonly engine: RiskEngine;
}

/** One batch of the objective as values: what a curvature matrix is written with. */
export interface BatchGraph {
  /** Rows of the batch. */
  readonly rows: number;
  readonly parameters: readonly Value[];
  /** Model inputs by name. */
  readonly inputs: { readonly [name: string]: Value };
  /** The output as the model gives it. */
  readonly output: Value;
  /** The output as loss terms, [T, C]. */
  readonly f: Value;
  /** Targets of the terms. */
  readonly y: Value;
  /** Weight of each term, [T]; undefined if all are one. */
  readonly weights: Value | undefined;
  readonly loss: Loss;
  readonly layout: TermLayout;
}

/** A quantity that is computed batch by batch. */
export interface BatchProduct {
  /** Tells products of one risk apart: equal keys must mean equal graphs. */
  readonly key: string;
  /** Tells residuals apart that depend on constants besides the batch; default: `key`. */
  readonly residualKey?: string;
  /** The quantity on a batch of one shape; called once for each. */
  build(batch: BatchGraph): BuiltProduct;
}

/** A quantity on one batch, as values. */
export interface BuiltProduct {
  /** Further inputs, which change from call to call. What does not depend on them is kept. */
  readonly vectors?: { readonly [name: string]: Value };
  /** Further inputs that belong to the batch. */
  readonly constants?: { readonly [name: string]: Value };
  /** What `RiskEngine.run` gives. */
  readonly outputs?: { readonly [name: string]: Value };
  /** What `RiskEngine.sum` sums over the batches, one value a parameter. */
  readonly flat?: readonly Value[];
}

/** A batch while it is evaluated. */
export interface EvaluatedBatch {
  readonly index: number;
  readonly start: number;
  readonly rows: number;
}

/** What a pass over the data is given. */
export interface PassOptions {
  /** Vectors and constants for a batch. */
  readonly feed?: (
    batch: EvaluatedBatch,
  ) => { readonly [name: string]: Tensor } | Promise<{ readonly [name: string]: Tensor }>;
  /** Columns of the vectors that are computed at once; 1 by default. Vectors and outputs then have a leading axis of that size. */
  readonly columns?: number;
  readonly options?: RunOptions;
}

/** Evaluates products over the data set. */
export interface RiskEngine {
  /**
   * Runs a product on every batch in order; `collect` gets the outputs of each.
   *
   * @throws CurvatureError "aborted" when the signal fires, "argument" once the risk is disposed of
   */
  run(
    product: BatchProduct,
    call: PassOptions & {
      readonly collect: (outputs: { readonly [name: string]: Tensor }, batch: EvaluatedBatch) => void;
    },
  ): Promise<void>;
  /**
   * The sum over batches of a product's flat vector, [size], column after column; as accurate as in twice its precision.
   *
   * @throws as `run`
   */
  sum(product: BatchProduct, call: PassOptions): Promise<Vector>;
  /** Arithmetic on bases of parameter vectors, where the engine has a faster one than loops. */
  readonly arithmetic?: Arithmetic;
  /** Largest number of columns at once whose intermediate values fit the memory set aside for them. */
  columnsAtOnce(product: BatchProduct): Promise<number>;
}
