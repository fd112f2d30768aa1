import { CurvatureError } from "../errors/index.ts";
import type { Batch, BatchOptions } from "./data.ts";
import { concatenateRows, type Rows, sliceRows } from "./rows.ts";

/**
 * The same rows in batches of `batchSize`, the last one smaller. A batch that lies within one of the given parts is a view of it; one that
 * spans several is copied. Memory holds less than one batch of rows.
 */
export async function* regroup(
  parts: AsyncIterable<Rows> | Iterable<Rows>,
  { batchSize, signal }: BatchOptions & { readonly batchSize: number },
): AsyncGenerator<Batch> {
  let held: Rows[] = [];
  let heldRows = 0;
  let start = 0;
  throwIfAborted(signal);
  for await (const part of parts) {
    let used = 0;
    while (heldRows + part.rows - used >= batchSize) {
      const end = used + batchSize - heldRows;
      const rows = concatenateRows([...held, sliceRows(part, used, end)]);
      [held, heldRows, used] = [[], 0, end];
      yield { start, ...rows };
      throwIfAborted(signal);
      start += batchSize;
    }
    if (used === part.rows) continue;
    held.push(sliceRows(part, used, part.rows));
    heldRows += part.rows - used;
  }
  if (heldRows > 0) yield { start, ...concatenateRows(held) };
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  throw new CurvatureError("aborted", "the pass over the data was stopped by the caller's signal", {
    cause: signal.reason,
  });
}
