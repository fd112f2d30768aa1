import type { Data } from "./data.ts";

/** Data sets whose rows are found without reading those before, by their function `batches`. */
const direct = new WeakMap<Data["batches"], (from: number, to: number) => Data>();

/**
 * Marks a data set whose source finds rows `from` to `to` (exclusive) directly, so that parts and shards of it do not read the rows before.
 * The mark belongs to its function `batches`: a data set made from it with another one has none.
 */
export function withRowAccess(data: Data, between: (from: number, to: number) => Data): Data {
  direct.set(data.batches, between);
  return data;
}

/** Rows `from` to `to` of a data set, if its source finds them directly. */
export function rowsDirectly(data: Data, [from, to]: readonly [from: number, to: number]): Data | undefined {
  return direct.get(data.batches)?.(from, to);
}
