import { makeQueue } from "../../concurrency/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import type { RunOptions } from "../../linalg/operator/operator.ts";
import type { Precision, Tensor, Vector } from "../../tensors/index.ts";
import { toPrecision } from "../../tensors/index.ts";
import type { BatchShape, FedBatchGraph } from "./batchGraph.ts";
import { type CompiledProducts, compiledProducts, type EngineSettings } from "./compiledProducts.ts";
import { type EngineArithmetic, engineArithmetic } from "./engineArithmetic.ts";
import { type FlatPart, flatRanges, flatSum } from "./flatVectors.ts";
import { feedName, type ProductPrograms } from "./productPrograms.ts";
import { type ResidualCache, residualCache } from "./residualCache.ts";
import type { BatchConstants, BatchProduct, EvaluatedBatch, PassOptions, RiskEngine, Tensors } from "./risk.ts";
import type { BoundBatch, BoundData } from "./riskData.ts";
import { tensorSum } from "./tensorSum.ts";

/**
 * The engine that all views of a risk share: compiled programs, the residual cache, the queue, and the parameters that are not
 * differentiated.
 */
export interface SharedEngine {
  /** The graph of a batch shape; built once. */
  graph(shape: BatchShape): Promise<FedBatchGraph>;
  /** Weights of the chosen parameters when the engine was made, [size]. */
  readonly theta: Vector;
  view(settings: ViewSettings): OwnedEngine;
  /** Frees the compiled programs and all residuals. */
  release(): Promise<void>;
}

/** The settings of one view. */
export interface ViewSettings {
  readonly bound: BoundData;
  /** Weights of the chosen parameters, [size]; not to be changed afterwards. */
  readonly theta: Vector;
  readonly scale: number;
  /** Whether a view that this one was made from has been disposed of. */
  readonly isReleased: () => boolean;
}

/** The engine of a view, with further methods for its owner. */
export interface OwnedEngine extends RiskEngine {
  readonly isReleased: () => boolean;
  /**
   * Runs a rank's own work. If it fails on one rank of several, it fails on all of them with that rank's message.
   *
   * @param call what the work is, equal on all ranks
   */
  settle<T>(call: string, work: () => Promise<T>): Promise<T>;
  /** Frees the view's residuals once the running pass has ended. */
  release(): Promise<void>;
}

/**
 * Largest size in bytes of the intermediate values of several columns at once. Columns share the cost of starting operations, which
 * dominates in small networks. Values that exceed the processor's caches cost more than this saves (measured: half the time a column for
 * 1,210 parameters, a quarter less for 53,000, a tenth more for 1.5 million).
 */
const COLUMN_BYTES = 2 ** 25;
const MOST_COLUMNS = 32;
/** With fewer columns than this, computing them one by one is as fast. */
const FEWEST_COLUMNS = 4;

/** Creates the engine that the views of a risk share. Weights are copied. */
export function sharedEngine(settings: EngineSettings): SharedEngine {
  const { model, chosen, precision } = settings;
  const compiled = compiledProducts(settings);
  const cache = residualCache(settings.cache);
  const queue = makeQueue();
  const copy = (index: number) => toPrecision(model.parameters[index].data.slice(), precision);
  const ranges = flatRanges(chosen.map((index) => model.parameters[index].dims));
  const size = ranges.reduce((sum, range) => sum + range.size, 0);
  const basis = engineArithmetic(size, settings);
  const theta = precision === "float64" ? new Float64Array(size) : new Float32Array(size);
  chosen.forEach((index, i) => {
    theta.set(model.parameters[index].data, ranges[i].offset);
  });
  const fixed: Record<string, Tensor> = {};
  model.parameters.forEach(({ name, dims }, index) => {
    if (!chosen.includes(index)) fixed[feedName.parameter(name)] = { data: copy(index), dims };
  });
  const parameterFeeds = (weights: Vector): Tensors => {
    const feeds = { ...fixed };
    chosen.forEach((index, i) => {
      const { name, dims } = model.parameters[index];
      const { offset, size: own } = ranges[i];
      feeds[feedName.parameter(name)] = { data: weights.subarray(offset, offset + own), dims };
    });
    return feeds;
  };
  const shared: SharedParts = { compiled, cache, queue, basis, parameterFeeds, size, precision };
  return {
    graph: compiled.graph,
    theta,
    view: (view) => viewEngine(shared, view),
    release: () =>
      queue(async () => {
        cache.clear();
        await compiled.release();
        await basis.release();
      }),
  };
}

interface SharedParts {
  readonly compiled: CompiledProducts;
  readonly cache: ResidualCache;
  readonly queue: ReturnType<typeof makeQueue>;
  readonly basis: EngineArithmetic;
  readonly parameterFeeds: (theta: Vector) => Tensors;
  readonly size: number;
  readonly precision: Precision;
}

function viewEngine(shared: SharedParts, view: ViewSettings): OwnedEngine {
  const { queue, size, precision, cache, basis, compiled } = shared;
  const { data } = view.bound;
  const residualKeys = keysOfResiduals();
  let released = false;
  const isReleased = () => released || view.isReleased();
  const evaluate = evaluation(shared, view, residualKeys.of);
  const pass = (
    product: BatchProduct,
    call: PassOptions,
    collect: (evaluated: Evaluation, batch: EvaluatedBatch) => void,
  ): Promise<void> =>
    queue(async () => {
      for await (const { batch, bound } of boundBatches(view.bound, call.options)) {
        throwIfReleased(isReleased());
        collect(await evaluate(product, { batch, bound, call }), batch);
      }
    });
  return {
    family: compiled,
    ...(basis.arithmetic && { arithmetic: basis.arithmetic }),
    isReleased,
    run: (product, { collect, ...call }) => pass(product, call, ({ outputs }, batch) => collect(outputs, batch)),
    async *batches(product, call = {}) {
      for await (const { batch, bound } of boundBatches(view.bound, call.options)) {
        yield await queue(async () => {
          throwIfReleased(isReleased());
          const { outputs } = await evaluate(product, { batch, bound, call });
          return { batch, outputs };
        });
      }
    },
    async total(product, call = {}) {
      const sum = tensorSum();
      await pass(product, call, ({ outputs }) => sum.add(outputs));
      return sum.result();
    },
    async sum(product, call = {}) {
      const sum = flatSum(size * (call.columns ?? 1), precision);
      await pass(product, call, ({ parts }) => sum.add(parts));
      return sum.result();
    },
    async columnsAtOnce(product) {
      for await (const batch of data.batches()) {
        const { shape } = view.bound.bind(batch);
        const { dependentBytes } = await compiled.programs(product, { ...kindOf(view.bound, shape), columns: 1 });
        const fitting = Math.floor(COLUMN_BYTES / Math.max(dependentBytes, 1));
        return fitting < FEWEST_COLUMNS ? 1 : Math.min(fitting, MOST_COLUMNS);
      }
      return 1;
    },
    async graph(rows) {
      const shape = (await batchShape(view.bound)) ?? view.bound.example;
      if (shape !== undefined) return compiled.graph(rows === undefined ? shape : withRows(shape, rows));
      throw new CurvatureError("data", "the risk has no rows, so there is no batch to look at");
    },
    sumOverRanks: async (values) => values,
    settle: (_, work) => work(),
    release: () =>
      queue(async () => {
        released = true;
        cache.drop(residualKeys.all());
      }),
  };
}

/** The shape of the first batch; undefined without rows. */
export async function batchShape({ data, bind }: BoundData): Promise<BatchShape | undefined> {
  for await (const batch of data.batches()) return bind(batch).shape;
  return undefined;
}

/** The batches of a data set in the form that programs take, with progress and the caller's signal. */
async function* boundBatches({ data, bind }: BoundData, options: RunOptions = {}) {
  const { onProgress, signal } = options;
  let index = 0;
  onProgress?.({ stage: "data", done: 0, total: data.rows });
  for await (const batch of data.batches()) {
    throwIfAborted(signal);
    const { start, rows } = batch;
    yield { batch: { index, start, rows }, bound: bind(batch) };
    index++;
    onProgress?.({ stage: "data", done: start + rows, total: data.rows });
  }
}

/** The results of a batch: the outputs of the program, and the flat vector among them. */
interface Evaluation {
  readonly outputs: Tensors;
  readonly parts: readonly FlatPart[];
}

interface BatchCall {
  readonly batch: EvaluatedBatch;
  readonly bound: BoundBatch;
  readonly call: PassOptions;
}

function evaluation(
  { compiled, cache, parameterFeeds, precision }: SharedParts,
  { bound: data, theta, scale }: ViewSettings,
  residualKey: (product: BatchProduct, constants: BatchConstants | undefined) => object,
) {
  const own: Tensors = {
    ...parameterFeeds(theta),
    [feedName.scale]: { data: toPrecision(Float64Array.of(scale), precision), dims: [] },
  };
  return async (product: BatchProduct, { batch, bound, call }: BatchCall): Promise<Evaluation> => {
    const { columns = 1, constants, feed } = call;
    const programs = await compiled.programs(product, { ...kindOf(data, bound.shape), columns });
    const given = programs.feeds((await feed?.(batch)) ?? {}, constants?.of(batch) ?? {});
    const feeds = { ...own, ...batchFeeds(bound), ...given };
    if (programs.drawn !== undefined) {
      const first = await (await programs.drawn.first()).run(feeds);
      const vectors = programs.feeds(call.draw!(programs.drawn.sources(first), batch), {});
      const second = await (await programs.drawn.second()).run({ ...feeds, ...first, ...vectors });
      return { outputs: programs.outputs({ ...first, ...second }), parts: [] };
    }
    const key = residualKey(product, constants);
    const residuals = await residualsOf(programs, { cache, key, index: batch.index, feeds });
    const program = await (residuals === undefined ? programs.whole() : programs.linear());
    const results = await program.run(residuals === undefined ? feeds : { ...feeds, ...residuals });
    return { outputs: programs.outputs(results), parts: programs.flat?.parts(results) ?? [] };
  };
}

/** The shape of a batch with another number of rows. */
function withRows({ inputs, targets, ...rest }: BatchShape, rows: number): BatchShape {
  const resized = Object.entries(inputs).map(([name, [, ...row]]) => [name, [rows, ...row]] as const);
  const [, ...target] = targets.dims;
  return { ...rest, rows, inputs: Object.fromEntries(resized), targets: { ...targets, dims: [rows, ...target] } };
}

/** The kind of programs for a batch of a data set. */
function kindOf({ data }: BoundData, shape: BatchShape) {
  const hasMoreBatches = data.rows > data.batchSize;
  return { shape, hasMoreBatches, isLastPartial: hasMoreBatches && shape.rows < data.batchSize };
}

/** Keys under which a view keeps residuals: one for each product, and one for each product with constants. */
function keysOfResiduals() {
  const noConstants = {};
  const keys = new WeakMap<BatchProduct, WeakMap<object, object>>();
  const made = new Set<object>();
  return {
    of(product: BatchProduct, constants: BatchConstants | undefined): object {
      const own = keys.get(product) ?? new WeakMap<object, object>();
      keys.set(product, own);
      const known = own.get(constants ?? noConstants);
      if (known !== undefined) return known;
      const key = {};
      own.set(constants ?? noConstants, key);
      made.add(key);
      return key;
    },
    all: (): Iterable<object> => made,
  };
}

/** Kept or newly computed residuals; undefined if there are none or they are not to be kept. */
async function residualsOf(
  { residualNeed, residual }: ProductPrograms,
  call: { readonly cache: ResidualCache; readonly key: object; readonly index: number; readonly feeds: Tensors },
): Promise<Tensors | undefined> {
  const { cache, key, index, feeds } = call;
  if (residualNeed === undefined) return undefined;
  const kept = cache.get(key, index);
  if (kept !== undefined) return kept;
  if (!cache.reserve(key, index, residualNeed)) return undefined;
  const fresh = await (await residual()).run(feeds);
  cache.put(key, index, fresh);
  return fresh;
}

function batchFeeds({ inputs, targets, weights }: BoundBatch): Tensors {
  const feeds: Record<string, Tensor> = { [feedName.targets]: targets };
  for (const [name, tensor] of Object.entries(inputs)) feeds[feedName.input(name)] = tensor;
  if (weights !== undefined) feeds[feedName.weights] = weights;
  return feeds;
}

function throwIfReleased(isReleased: boolean): void {
  if (isReleased) throw new CurvatureError("argument", "this risk has been disposed of; make a new one");
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new CurvatureError("aborted", "stopped by the caller's signal", { cause: signal.reason });
}
