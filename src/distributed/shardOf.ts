import { type Data, takeRows } from "../data/index.ts";
import { CurvatureError, checkObject } from "../errors/index.ts";
import { checkOptions } from "../linalg/operator/options.ts";
import type { Communicator } from "./communicator.ts";

/** Options of `shardOf`. */
export interface ShardOptions {
  /**
   * Number of parts that the rows are cut into, whatever the number of ranks, for the reduction "ordered". Each rank holds consecutive parts. A
   * multiple of the number of ranks loads them evenly.
   */
  readonly shards?: number;
}

/**
 * The rows of this rank: consecutive ones, those of rank 0 first, as evenly as possible. A rank has none where there are fewer rows than ranks.
 * The rows must be in the same order on all ranks; each computes with its own only.
 *
 * @throws CurvatureError "argument" for a number of shards that is not 1, 2, 3, ...
 */
export function shardOf(data: Data, communicator: Communicator, options: ShardOptions = {}): Data {
  checkObject(data, "shardOf expects data made by arrays, csv, loadData or asyncData", ["rows", "batches"]);
  checkObject(communicator, "shardOf expects a communicator", ["rank", "size"]);
  checkOptions("shardOf", options, "shards");
  const { rank, size } = communicator;
  const { shards } = options;
  if (shards === undefined) return rowsBetween(data, part(data.rows, { index: rank, of: size }));
  if (!Number.isInteger(shards) || shards < 1) {
    throw new CurvatureError("argument", `shardOf expects shards to be 1, 2, 3, ..., got ${shards}`);
  }
  const [first, end] = part(shards, { index: rank, of: size });
  const cut = (index: number) => part(data.rows, { index, of: shards });
  const own = rowsBetween(data, first === end ? [0, 0] : [cut(first)[0], cut(end - 1)[1]]);
  const all = Array.from({ length: end - first }, (_, i) => cut(first + i));
  return { ...own, shards: all.filter(([from, to]) => from < to).map((range) => rowsBetween(data, range)) };
}

/** The range of the part `index` when a number of things is split into `of` consecutive parts. */
function part(
  count: number,
  { index, of }: { readonly index: number; readonly of: number },
): [from: number, to: number] {
  return [Math.floor((index * count) / of), Math.floor(((index + 1) * count) / of)];
}

function rowsBetween(data: Data, [from, to]: readonly [from: number, to: number]): Data {
  if (from < to) return takeRows(data, [from, to]);
  return { ...data, rows: 0, description: `${data.description}, no rows`, async *batches() {} };
}
