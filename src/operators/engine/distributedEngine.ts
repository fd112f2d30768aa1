import {
  errorOnAllRanks,
  exchangeText,
  exclusively,
  orderedSum,
  settled,
  splitArithmetic,
  textHash,
} from "../../distributed/index.ts";
import type { RunOptions } from "../../linalg/operator/operator.ts";
import { arithmeticOf } from "../../linalg/vectors/vector.ts";
import { type Precision, sizeOf, toPrecision, type Vector } from "../../tensors/index.ts";
import type { BatchConstants, BatchProduct, EvaluatedBatch, PassOptions, Tensors } from "./risk.ts";
import type { OwnedEngine } from "./riskEngine.ts";
import type { Ranks } from "./riskFamily.ts";

/** Consecutive rows of a rank whose sums are kept apart. */
export interface EngineShard {
  readonly engine: OwnedEngine;
  /** Index among the rank's rows, and among its batches, of the first one. */
  readonly firstRow: number;
  readonly firstBatch: number;
}

/** Settings that the sums over ranks depend on. */
export interface DistributedSettings extends Ranks {
  /** Entries of a flat vector. */
  readonly size: number;
  readonly precision: Precision;
  /** Rows of this rank. */
  readonly rows: number;
}

/**
 * The engine over the rows of all ranks. Sums are added over the ranks: for "tree" as MPI does it, for "ordered" the sums of the shards one by one
 * in float64. Every call first settles whether the pass has succeeded on all ranks, an exchange of 24 bytes.
 *
 * @param whole the engine over the rank's rows
 * @param shards the engines over its shards; `whole` itself for "tree"
 */
export function distributedEngine(
  whole: OwnedEngine,
  shards: readonly EngineShard[],
  settings: DistributedSettings,
): OwnedEngine {
  const { communicator, size, splitBasis, rows } = settings;
  const shifted = shiftedCalls(rows);
  const split = splitBasis && { arithmetic: splitArithmetic(arithmeticOf(whole), { communicator, length: size }) };
  return {
    ...whole,
    ...split,
    settle: (call, work) => exclusively(communicator, () => settled(communicator, call, work)),
    ...ownPasses(shards, { communicator, shifted }),
    ...sums(shards, { ...settings, shifted }),
    sumOverRanks: (values) => exclusively(communicator, () => communicator.allReduce(values.slice())),
    columnsAtOnce: agreedColumns(shards, settings),
    async release() {
      for (const shard of shards) await shard.engine.release();
      await whole.release();
    },
  };
}

/** Passes over the rank's own rows. */
function ownPasses(
  shards: readonly EngineShard[],
  { communicator, shifted }: Pick<DistributedSettings, "communicator"> & { readonly shifted: ShiftedCall },
): Pick<OwnedEngine, "run" | "batches"> {
  return {
    run: (product, { collect, ...call }) =>
      exclusively(communicator, () =>
        settled(communicator, "run", async () => {
          for (const shard of shards) {
            const own = (outputs: Tensors, batch: EvaluatedBatch) => collect(outputs, moved(batch, shard));
            await shard.engine.run(product, { ...shifted(call, shard), collect: own });
          }
        }),
      ),
    async *batches(product, call = {}) {
      for (const shard of shards) {
        for await (const { batch, outputs } of shard.engine.batches(product, shifted(call, shard))) {
          yield { batch: moved(batch, shard), outputs };
        }
      }
    },
  };
}

/** Sums over the rows of all ranks. */
function sums(
  shards: readonly EngineShard[],
  settings: DistributedSettings & { readonly shifted: ShiftedCall },
): Pick<OwnedEngine, "total" | "sum"> {
  const { communicator, size, precision, reduction, shifted } = settings;
  const add = async (parts: readonly Vector[], length: number): Promise<Vector> => {
    if (reduction === "ordered") return orderedSum(communicator, parts, { length });
    return communicator.allReduce(parts[0]!);
  };
  return {
    total: (product, call = {}) =>
      exclusively(communicator, async () => {
        const totals = await settled(communicator, "total", () =>
          eachShard(shards, (shard) => shard.engine.total(product, shifted(call, shard))),
        );
        const form = await agreedForm(totals, settings);
        const parts = totals.map((tensors) => packed(tensors, form));
        return unpacked(await add(parts, lengthOf(form)), form);
      }),
    sum: (product, call = {}) =>
      exclusively(communicator, async () => {
        const length = size * (call.columns ?? 1);
        const vectors = await settled(communicator, `sum of ${length} entries`, () =>
          eachShard(shards, (shard) => shard.engine.sum(product, shifted(call, shard))),
        );
        return toPrecision(await add(vectors, length), precision);
      }),
  };
}

async function eachShard<T>(shards: readonly EngineShard[], work: (shard: EngineShard) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (const shard of shards) results.push(await work(shard));
  return results;
}

/** A batch of a shard as a batch of the rank. */
function moved(batch: EvaluatedBatch, { firstRow, firstBatch }: EngineShard): EvaluatedBatch {
  return { ...batch, index: batch.index + firstBatch, start: batch.start + firstRow };
}

/** Options of a pass over the rank's rows, as options of a pass over one of its shards. */
type ShiftedCall = (call: PassOptions, shard: EngineShard) => PassOptions;

function shiftedCalls(rows: number): ShiftedCall {
  // Residuals are cached by the identity of constants.
  const constantsOf = new WeakMap<BatchConstants, Map<number, BatchConstants>>();
  const constantsIn = (constants: BatchConstants, shard: EngineShard): BatchConstants => {
    const own = constantsOf.get(constants) ?? new Map<number, BatchConstants>();
    constantsOf.set(constants, own);
    const made = own.get(shard.firstBatch) ?? { of: (batch) => constants.of(moved(batch, shard)) };
    own.set(shard.firstBatch, made);
    return made;
  };
  const optionsIn = ({ onProgress, ...options }: RunOptions, { firstRow }: EngineShard): RunOptions => ({
    ...options,
    ...(onProgress && { onProgress: (at) => onProgress({ ...at, done: firstRow + at.done, total: rows }) }),
  });
  return ({ feed, draw, constants, options, ...call }, shard) => ({
    ...call,
    ...(feed && { feed: (batch) => feed(moved(batch, shard)) }),
    ...(draw && { draw: (sources, batch) => draw(sources, moved(batch, shard)) }),
    ...(constants && { constants: constantsIn(constants, shard) }),
    ...(options && { options: optionsIn(options, shard) }),
  });
}

/** Outputs of a product: their names and dimensions. */
type Form = readonly (readonly [name: string, dims: readonly number[]])[];

/** Entries of all outputs together. */
function lengthOf(form: Form): number {
  return form.reduce((sum, [, dims]) => sum + sizeOf(dims), 0);
}

/** The form of the sums, which a rank without rows learns from the first that has some. */
async function agreedForm(sums: readonly Tensors[], { communicator }: DistributedSettings): Promise<Form> {
  const texts = sums
    .map((tensors) => JSON.stringify(Object.entries(tensors).map(([name, { dims }]) => [name, dims])))
    .filter((text) => text !== "[]");
  const differing = texts.find((text) => text !== texts[0]);
  const own = texts[0] === undefined ? 0 : textHash(texts[0]);
  const hashes = await communicator.allGather(
    Float64Array.of(own, differing === undefined ? 0 : 1),
    new Float64Array(2 * communicator.size),
  );
  const known = hashes.filter((hash, i) => i % 2 === 0 && hash !== 0);
  const differs = hashes.some((flag, i) => i % 2 === 1 && flag === 1) || known.some((hash) => hash !== known[0]);
  if (differs) {
    throw errorOnAllRanks(
      "shape",
      "outputs have one shape on one rank or shard and another shape on another, so they have no total; sum over the rows in the product, or use batches",
    );
  }
  if (hashes.every((hash, i) => i % 2 === 1 || hash !== 0)) return JSON.parse(texts[0]!) as Form;
  const root = hashes.findIndex((hash, i) => i % 2 === 0 && hash !== 0) / 2;
  return JSON.parse(await exchangeText(communicator, texts[0] ?? "", { root })) as Form;
}

function packed(tensors: Tensors, form: Form): Float64Array {
  const values = new Float64Array(lengthOf(form));
  let at = 0;
  for (const [name, dims] of form) {
    // A rank without rows has no outputs: zeros.
    if (tensors[name] !== undefined) values.set(tensors[name].data as Vector, at);
    at += sizeOf(dims);
  }
  return values;
}

function unpacked(values: Vector, form: Form): Tensors {
  let at = 0;
  return Object.fromEntries(
    form.map(([name, dims]) => {
      const data = values.subarray(at, at + sizeOf(dims));
      at += data.length;
      return [name, { data, dims }];
    }),
  );
}

/** The least number of columns that fits on every rank, so that all of them make the same sums. */
function agreedColumns(
  shards: readonly EngineShard[],
  { communicator, rows }: DistributedSettings,
): OwnedEngine["columnsAtOnce"] {
  const known = new WeakMap<BatchProduct, Promise<number>>();
  const agree = async (product: BatchProduct) => {
    const own = await settled(communicator, "columnsAtOnce", () =>
      eachShard(shards, (shard) => shard.engine.columnsAtOnce(product)),
    );
    const least = rows === 0 ? Number.POSITIVE_INFINITY : Math.min(...own);
    const [negated] = await communicator.allReduce(Float64Array.of(-least), "max");
    return -negated!;
  };
  return (product) => {
    let made = known.get(product);
    if (made === undefined) {
      made = exclusively(communicator, () => agree(product));
      known.set(product, made);
      made.catch(() => known.delete(product));
    }
    return made;
  };
}
