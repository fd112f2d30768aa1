import { CurvatureError } from "../errors/index.ts";
import type { RunOptions } from "../linalg/operator.ts";
import type { Loss } from "../losses/index.ts";
import type { Model } from "../models/index.ts";
import { makeQueue } from "../runtime/index.ts";
import type { Precision, Tensor } from "../tensors/index.ts";
import { toPrecision } from "../tensors/index.ts";
import { type BatchShape, batchGraph, type FedBatchGraph } from "./batchGraph.ts";
import { engineArithmetic } from "./engineArithmetic.ts";
import { type FlatPart, flatSum } from "./flatVectors.ts";
import { feedName, type ProductPrograms, productPrograms } from "./productPrograms.ts";
import { type ResidualCache, residualCache, type Tensors } from "./residualCache.ts";
import type { BatchProduct, EvaluatedBatch, PassOptions, RiskEngine } from "./risk.ts";
import type { BoundBatch, BoundData } from "./riskData.ts";

/** What an engine works on. */
export interface EngineSettings {
  readonly model: Model;
  readonly loss: Loss;
  readonly bound: BoundData;
  readonly precision: Precision;
  readonly threads?: number;
  readonly outputs: readonly string[];
  /** Indices of the differentiated parameters among the model's. */
  readonly chosen: readonly number[];
  /** Bytes of residuals to keep between products. */
  readonly cache: number;
}

/** An engine, with what its owner needs besides running products. */
export interface OwnedEngine extends RiskEngine {
  /** The graph of a batch shape; built once. */
  graph(shape: BatchShape): Promise<FedBatchGraph>;
  release(): Promise<void>;
}

/**
 * Bytes of intermediate values that several columns at once may take. Columns share the cost of starting operations, which is
 * what small networks spend their time on; values that leave the processor's caches cost more than that gains (measured:
 * half the time a column for 1,210 parameters, a quarter less for 53,000, a tenth more for 1.5 million).
 */
const COLUMN_BYTES = 2 ** 25;
const MOST_COLUMNS = 32;
/** With fewer columns than this at once, one by one is as fast. */
const FEWEST_COLUMNS = 4;

/** Makes the engine of a risk. */
export function riskEngine(settings: EngineSettings): OwnedEngine {
  const { bound } = settings;
  const compiled = compiledProducts(settings);
  const cache = residualCache(settings.cache);
  const queue = makeQueue();
  const parameterFeeds = feedsOfParameters(settings);
  const size = entriesOf(settings);
  const basis = engineArithmetic(size, settings);
  let released = false;

  const evaluate = async (product: BatchProduct, batch: BoundBatch, call: BatchCall): Promise<Evaluation> => {
    const programs = await compiled.programs(product, batch.shape, call.columns);
    const feeds = { ...parameterFeeds, ...batchFeeds(batch), ...call.given };
    const key = product.residualKey ?? product.key;
    const residuals = await residualsOf(programs, { cache, product: key, index: call.index, feeds });
    const program = await (residuals === undefined ? programs.whole() : programs.linear());
    const outputs = await program.run(residuals === undefined ? feeds : { ...feeds, ...residuals });
    return { outputs, parts: programs.flat?.parts(outputs) ?? [] };
  };
  const pass = (
    product: BatchProduct,
    { feed, columns = 1, options = {} }: PassOptions,
    collect: (evaluation: Evaluation, batch: EvaluatedBatch) => void,
  ): Promise<void> =>
    queue(async () => {
      if (released) throw new CurvatureError("argument", "this risk has been disposed of; make a new one");
      const { data } = bound;
      let index = 0;
      report(options, { done: 0, total: data.rows });
      for await (const batch of data.batches()) {
        throwIfAborted(options.signal);
        const where: EvaluatedBatch = { index, start: batch.start, rows: batch.rows };
        const given = (await feed?.(where)) ?? {};
        collect(await evaluate(product, bound.bind(batch), { index, columns, given }), where);
        index++;
        report(options, { done: batch.start + batch.rows, total: data.rows });
      }
    });
  return {
    graph: compiled.graph,
    ...(basis.arithmetic && { arithmetic: basis.arithmetic }),
    run: (product, { collect, ...call }) => pass(product, call, ({ outputs }, batch) => collect(outputs, batch)),
    async sum(product, call) {
      const sum = flatSum(size * (call.columns ?? 1), settings.precision);
      await pass(product, call, ({ parts }) => sum.add(parts));
      return sum.result();
    },
    async columnsAtOnce(product) {
      for await (const batch of bound.data.batches()) {
        const { movingBytes } = await compiled.programs(product, bound.bind(batch).shape, 1);
        const fitting = Math.floor(COLUMN_BYTES / Math.max(movingBytes, 1));
        return fitting < FEWEST_COLUMNS ? 1 : Math.min(fitting, MOST_COLUMNS);
      }
      return 1;
    },
    release: () =>
      queue(async () => {
        released = true;
        cache.clear();
        await compiled.release();
        await basis.release();
      }),
  };
}

/** Graphs by batch shape, and programs by product, shape and number of columns; each is made once. */
function compiledProducts(settings: EngineSettings) {
  const { model, precision, threads, bound } = settings;
  const isTerm = bound.data.rows > bound.data.batchSize;
  const graphs = new Map<string, Promise<FedBatchGraph>>();
  const made = new Map<string, ProductPrograms>();
  const parameterNames = model.parameters.map(({ name }) => name);
  const graph = (shape: BatchShape) =>
    remembered(graphs, JSON.stringify(shape), () => batchGraph({ ...settings, shape }));
  return {
    graph,
    async programs(product: BatchProduct, shape: BatchShape, columns: number): Promise<ProductPrograms> {
      const key = `${product.key} x${columns} ${JSON.stringify(shape)}`;
      const known = made.get(key);
      if (known !== undefined) return known;
      const batch = await graph(shape);
      const engine = { precision, ...(threads !== undefined && { threads }) };
      const isRest = isTerm && shape.rows < bound.data.batchSize;
      const programs = productPrograms(product, { batch, parameterNames, columns, isTerm, isRest, ...engine });
      made.set(key, programs);
      return programs;
    },
    async release() {
      for (const programs of made.values()) await programs.release();
      made.clear();
      graphs.clear();
    },
  };
}

/** Kept or newly computed residuals; undefined where there are none or they are not to be kept. */
async function residualsOf(
  { residualBytes, residual }: ProductPrograms,
  call: { readonly cache: ResidualCache; readonly product: string; readonly index: number; readonly feeds: Tensors },
): Promise<Tensors | undefined> {
  const { cache, product, index, feeds } = call;
  if (residualBytes === undefined) return undefined;
  const kept = cache.get(product, index);
  if (kept !== undefined) return kept;
  if (!cache.admits(product, residualBytes)) return undefined;
  const fresh = await (await residual()).run(feeds);
  cache.put(product, index, fresh);
  return fresh;
}

/** Number of entries of all differentiated parameters. */
function entriesOf({ model, chosen }: EngineSettings): number {
  return chosen.reduce((sum, index) => sum + model.parameters[index].data.length, 0);
}

function feedsOfParameters({ model, precision }: EngineSettings): Tensors {
  return Object.fromEntries(
    model.parameters.map(({ name, data, dims }) => [
      feedName.parameter(name),
      { data: toPrecision(data, precision), dims },
    ]),
  );
}

interface BatchCall {
  readonly index: number;
  readonly columns: number;
  readonly given: Tensors;
}

/** What a batch gave: the outputs of the program, and in these the flat vector. */
interface Evaluation {
  readonly outputs: Tensors;
  readonly parts: readonly FlatPart[];
}

function batchFeeds({ inputs, targets, weights }: BoundBatch): Tensors {
  const feeds: Record<string, Tensor> = { [feedName.targets]: targets };
  for (const [name, tensor] of Object.entries(inputs)) feeds[feedName.input(name)] = tensor;
  if (weights !== undefined) feeds[feedName.weights] = weights;
  return feeds;
}

function report({ onProgress }: RunOptions, { done, total }: { readonly done: number; readonly total: number }): void {
  onProgress?.({ stage: "data", done, total });
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new CurvatureError("aborted", "stopped by the caller's signal", { cause: signal.reason });
}

/** The promise under a key, made once; a failed one is forgotten. */
function remembered<T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  let promise = known.get(key);
  if (promise === undefined) {
    promise = make();
    known.set(key, promise);
    promise.catch(() => known.delete(key));
  }
  return promise;
}
