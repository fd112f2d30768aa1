import { checkObject } from "../errors/index.ts";
import { chooseBatchSize } from "./chooseBatchSize.ts";
import type { Data } from "./data.ts";
import { regroup } from "./regroup.ts";

/**
 * The same rows in batches of another size. Copies only batches that span two batches of the given data set.
 *
 * @throws CurvatureError if the batch size is not a positive integer
 */
export function rebatch(data: Data, batchSize: number): Data {
  checkObject(data, "rebatch expects data made by arrays, csv, loadData or asyncData", ["rows", "batches"]);
  const size = chooseBatchSize(batchSize, data.rows);
  if (size === data.batchSize || data.rows === 0) return data;
  const { shards } = data;
  return {
    ...data,
    batchSize: size,
    batches: (options) => regroup(data.batches(options), { batchSize: size }),
    ...(shards && { shards: shards.map((shard) => rebatch(shard, batchSize)) }),
  };
}
