import { CurvatureError, checkObject } from "../errors/index.ts";
import type { BatchOptions, Data } from "./data.ts";
import { regroup } from "./regroup.ts";
import { rowsDirectly } from "./rowAccess.ts";
import { type Rows, sliceRows } from "./rows.ts";

/** Rows `from`, ..., `to - 1`, counted from 0; without `to`, all from `from` on. */
export type RowRange = readonly [from: number, to?: number];

/**
 * Rows `from` to `to` (exclusive) of a data set, as a new data set whose first row has index 0.
 *
 * @throws CurvatureError if the range is empty or reaches beyond the data
 */
export function takeRows(data: Data, range: RowRange): Data {
  checkObject(data, "takeRows expects data made by arrays, csv, loadData or asyncData", ["rows", "batches"]);
  checkObject(range, "takeRows expects a range [from, to]", ["0"]);
  const [from, to] = checkedRange(range, { rows: data.rows, where: data.description });
  if (from === 0 && to === data.rows) return data;
  const description = `${data.description}, rows ${from}:${to}`;
  const found = rowsDirectly(data, [from, to]);
  if (found !== undefined) return { ...found, description };
  const batchSize = Math.min(data.batchSize, to - from);
  // The shards of a data set are not those of a part of it.
  const { shards: _, ...all } = data;
  return {
    ...all,
    rows: to - from,
    batchSize,
    description,
    batches: (options = {}) => regroup(within(data, { ...options, from, to }), { batchSize }),
  };
}

async function* within(
  data: Data,
  { from, to, ...options }: BatchOptions & { readonly from: number; readonly to: number },
): AsyncGenerator<Rows> {
  for await (const { start, ...rows } of data.batches(options)) {
    if (start >= to) return;
    const [first, last] = [Math.max(from - start, 0), Math.min(to - start, rows.rows)];
    if (first < last) yield sliceRows(rows, first, last);
  }
}

/** The range with its end filled in. Throws if it is empty or exceeds the given number of rows, if that is known. */
export function checkedRange(
  [from, to]: RowRange,
  { rows, where }: { readonly rows?: number; readonly where: string },
): readonly [number, number] {
  const limit = rows ?? Number.POSITIVE_INFINITY;
  const end = to ?? limit;
  if (Number.isInteger(from) && (Number.isInteger(end) || end === limit) && from >= 0 && from < end && end <= limit) {
    return [from, end];
  }
  throw new CurvatureError(
    "argument",
    `${where}: expected rows A:B with 0 <= A < B${rows === undefined ? "" : ` <= ${rows}`}, got ${from}:${to ?? ""}; ` +
      "row A is the first taken, row B the first left out",
  );
}
