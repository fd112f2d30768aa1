import type { Data } from "../../data/index.ts";
import type { Value } from "../../graph/index.ts";
import type { RunOptions } from "../../linalg/operator/operator.ts";
import type { Arithmetic } from "../../linalg/vectors/arithmetic.ts";
import type { Loss, TermLayout } from "../../losses/index.ts";
import type { GraphStep, Model, Parameter } from "../../models/index.ts";
import type { Precision, Tensor, Vector } from "../../tensors/index.ts";
import type { BatchLayers } from "../layers/batchLayer.ts";

/** A parameter that is differentiated, with its place in flat vectors. */
export interface RiskParameter extends Omit<Parameter, "data"> {
  /** Index of its first entry in a flat vector; entries follow row-major. */
  readonly offset: number;
  readonly size: number;
}

/**
 * Settings that the bits of products depend on, besides model, data and vector. To resume or repeat a run with bit-identical results, use
 * the same settings. Plain data, for `stateStore` and records.
 */
export interface RiskSettings {
  readonly [name: string]: number | string;
  readonly dtype: Precision;
  /** Rows of a batch. */
  readonly batchSize: number;
  /** Largest size in bytes of kept residuals and the values alive at the same time. */
  readonly cache: number;
  /** Threads within one operation; "all" if the engine chooses. */
  readonly threads: number | "all";
}

/**
 * A part of a data set that is distributed over several risks, on one machine or several. Every additive quantity (loss, gradient, products
 * with all matrices, traces) summed over the shards is that of the whole data set.
 */
export interface Shard {
  /** Denominator of the loss for the whole data set, positive. The doc comment of the loss defines it. 1 for the reduction "sum". */
  readonly denominator: number;
  /** Rows of the whole data set. */
  readonly rows: number;
  /** Index in the whole data set of the first row of this shard. The random numbers of sampled labels depend on it. */
  readonly firstRow: number;
}

/**
 * The objective L(theta) = c sum over loss terms of a model on a data set, as a function of the chosen parameters theta. It owns compiled
 * graphs and kept residuals. Call `dispose` when done, or use `await using`.
 */
export interface Risk {
  readonly model: Model;
  readonly lossFunction: Loss;
  readonly data: Data;
  /** Names of the model's outputs that the loss reads. */
  readonly outputs: readonly string[];
  readonly dtype: Precision;
  /** Settings that the bits of products depend on, as given or chosen. */
  readonly settings: RiskSettings;
  /** Chosen parameters in the order of the model. */
  readonly parameters: readonly RiskParameter[];
  /** Number of entries of all chosen parameters. */
  readonly size: number;
  /** Rows of the data set. */
  readonly rows: number;
  /**
   * Rows that additive quantities (loss, gradient, products with matrices) are sums over: the rows of this risk, or with a communicator those of
   * all ranks.
   */
  readonly summedRows: number;
  /** Factor c of the sum over terms: 1 / shard.denominator. */
  readonly scale: number;
  /** Place of these rows in the whole data set. Without a given shard, these rows are the whole data set. */
  readonly shard: Shard;
  /** How outputs are split into loss terms. */
  readonly layout: TermLayout;
  /** Whether rows may influence one another. If so, the loss is a function of all rows of a batch together. */
  readonly coupledRows: boolean;
  /** Changes to the model or the data that a reader of the results should know. */
  readonly notices: readonly string[];
  /** Value of L. One forward pass. */
  loss(options?: RunOptions): Promise<number>;
  /** Gradient of L with respect to the chosen parameters, [size]. One forward and backward pass. */
  gradient(options?: RunOptions): Promise<Vector>;
  /** The values of the chosen parameters, [size]; a copy. */
  theta(): Vector;
  /** The parts of a flat vector [size] in the parameters' shapes, by name; views. */
  split(vector: Vector): { readonly [name: string]: Tensor };
  /** The flat vector [size] made of tensors by parameter name; entries of omitted parameters are zero. */
  join(tensors: { readonly [name: string]: Tensor }): Vector;
  /**
   * The same objective at other parameters. It shares the compiled graphs and the queue of this risk, and keeps its own residuals. Costs
   * one copy of `theta` and no pass over the data. It is disposed of with this risk, or alone by its own `dispose`. Its `model` keeps the
   * weights of the file.
   *
   * @param theta [size], copied
   * @throws CurvatureError "shape" for another length, "argument" for entries that are not finite
   */
  at(theta: Vector): Risk;
  /**
   * The same model, loss and parameters on other rows: a validation set, one row, another shard. It shares the compiled graphs for batches
   * of the same shape. Costs the checks of `empiricalRisk` on the new data. It is disposed of with this risk, or alone by its own
   * `dispose`.
   *
   * @throws CurvatureError "data" for rows that do not fit model or loss, "argument" for a shard that does not hold these rows
   */
  on(data: Data, options?: { readonly shard?: Shard }): Promise<Risk>;
  /**
   * Frees residuals and, for the risk that `empiricalRisk` made, the compiled graphs. A running pass over the data is finished first. Later
   * passes throw, also those of risks made from this one by `at` and `on`.
   */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
  /** Evaluates graphs batch by batch; used to implement curvature matrices. */
  readonly engine: RiskEngine;
}

/** One batch of the objective as symbolic values, from which curvature matrices are written. */
export interface BatchGraph {
  /** Rows of the batch. */
  readonly rows: number;
  readonly parameters: readonly Value[];
  /** Model inputs by name. */
  readonly inputs: { readonly [name: string]: Value };
  /** The output in the model's shape. */
  readonly output: Value;
  /** The output as loss terms, [T, C]. */
  readonly f: Value;
  /** Targets of the terms. */
  readonly y: Value;
  /** Weight of each term, [T], its row's weight included; undefined if all are one. */
  readonly weights: Value | undefined;
  /** Weight of each row, [rows]; undefined if the data have none. */
  readonly rowWeights: Value | undefined;
  /** Factor c of the sum over terms, of shape []. */
  readonly scale: Value;
  readonly loss: Loss;
  readonly layout: TermLayout;
  /**
   * The same batch with its layers. `output` and `f` are recomputed from the results of the layers, so that `pullback` can return
   * cotangents at these. Parameters, inputs, targets and weights are the same values. Created at the first call.
   *
   * @throws CurvatureError as the model's rules
   */
  layered(): LayeredBatchGraph;
  /** Results of the nodes of the model's file, to name nodes in messages. Absent without a file, or where its rows are stacked. */
  readonly steps?: readonly GraphStep[];
}

/** A batch with its layers. */
export interface LayeredBatchGraph extends BatchGraph, BatchLayers {}

/**
 * A quantity that is computed batch by batch. Compiled programs are cached by the identity of this object and shared by all risks of a
 * family, so create it once and keep it.
 */
export interface BatchProduct {
  /** The quantity on a batch of one shape; called once for each shape and number of columns. */
  build(batch: BatchGraph): BuiltProduct;
}

/** A quantity on one batch, as values. */
export interface BuiltProduct {
  /** Further inputs, which change from call to call. Values that do not depend on them are computed once and kept. */
  readonly vectors?: { readonly [name: string]: Value };
  /**
   * What the vectors of a batch are drawn from, by name: with these, `PassOptions.draw` gives the vectors in the middle of the pass. They are
   * evaluated with all that the vectors do not enter, once.
   */
  readonly sources?: { readonly [name: string]: Value };
  /** Further inputs that belong to the batch, given by `PassOptions.constants`. */
  readonly constants?: { readonly [name: string]: Value };
  /** Outputs by name, for `run`, `total` and `batches`. */
  readonly outputs?: { readonly [name: string]: Value };
  /** One value per parameter, of its shape. `RiskEngine.sum` sums them over the batches as one flat vector. */
  readonly flat?: readonly Value[];
}

/** The batch that is being evaluated. */
export interface EvaluatedBatch {
  readonly index: number;
  /** Index of its first row in the data of the risk. */
  readonly start: number;
  readonly rows: number;
}

/** Constants of a product that belong to the batch. Residuals are cached by the identity of this object. */
export interface BatchConstants {
  /** The numbers for a batch, by name. */
  of(batch: EvaluatedBatch): Tensors;
}

/** Tensors by name. */
export type Tensors = { readonly [name: string]: Tensor };

/** Options of one pass over the data. */
export interface PassOptions {
  /** The product's vectors for a batch. */
  readonly feed?: (batch: EvaluatedBatch) => Tensors | Promise<Tensors>;
  /** The vectors of a batch from the product's `sources`. */
  readonly draw?: (sources: Tensors, batch: EvaluatedBatch) => Tensors;
  /** The product's constants. */
  readonly constants?: BatchConstants;
  /** Number of columns that are computed at once, 1 by default. Vectors and outputs of several columns have a leading axis of that size. */
  readonly columns?: number;
  readonly options?: RunOptions;
}

/** Outputs of a product on one batch. */
export interface BatchOutputs {
  readonly batch: EvaluatedBatch;
  readonly outputs: Tensors;
}

/**
 * Evaluates products over the data set. With a communicator, the data set is that of all ranks, on which everything but `batches` must be called
 * in the same order: sums are over all ranks, `run` and `batches` are over the rank's own rows.
 */
export interface RiskEngine {
  /**
   * Runs a product on every batch in order; `collect` receives the outputs of each.
   *
   * @throws CurvatureError "aborted" when the signal fires, "argument" once the risk is disposed of
   */
  run(
    product: BatchProduct,
    call: PassOptions & { readonly collect: (outputs: Tensors, batch: EvaluatedBatch) => void },
  ): Promise<void>;
  /**
   * The outputs of a product batch by batch, each computed on request. Other products may run in between.
   *
   * @throws as `run`
   */
  batches(product: BatchProduct, call?: PassOptions): AsyncGenerator<BatchOutputs, void, void>;
  /**
   * The sums over batches of a product's outputs, which must be floats of a shape that is the same in every batch. Summed and returned in
   * float64, with compensation where the outputs are float64.
   *
   * @throws as `run`; "shape" for outputs whose shape depends on the batch, "unsupported" for outputs that are not floats
   */
  total(product: BatchProduct, call?: PassOptions): Promise<Tensors>;
  /**
   * The sum over batches of a product's flat vector, [size], column after column, as accurate as a sum in twice its precision.
   *
   * @throws as `run`
   */
  sum(product: BatchProduct, call?: PassOptions): Promise<Vector>;
  /**
   * The objective on a batch as values, to look at layers and shapes before a pass.
   *
   * @param rows number of rows of the batch; default: that of the first batch
   * @throws CurvatureError "data" for a risk without rows
   */
  graph(rows?: number): Promise<BatchGraph>;
  /**
   * The sums over all ranks of numbers that each rank computed from its own rows; without a communicator, the numbers themselves.
   *
   * @throws as `run`
   */
  sumOverRanks(values: Float64Array): Promise<Float64Array>;
  /**
   * Identity of what all risks made from one by `at` and `on` share: model, loss, outputs, parameters, precision. A key for what depends on these
   * alone.
   */
  readonly family: object;
  /** Arithmetic on bases of parameter vectors, if the engine's is faster than loops. */
  readonly arithmetic?: Arithmetic;
  /** Largest number of columns at once whose intermediate values fit into the memory reserved for them. */
  columnsAtOnce(product: BatchProduct): Promise<number>;
}
