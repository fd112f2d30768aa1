import { CurvatureError, checkObject } from "../errors/index.ts";
import { chooseBatchSize } from "./chooseBatchSize.ts";
import type { Data } from "./data.ts";
import { regroup } from "./regroup.ts";
import { checkedRows, formatRowType, type Rows, type RowsInput, rowTypeOf } from "./rows.ts";

/** A source of rows that can be read repeatedly. */
export interface AsyncDataOptions {
  /** Number of rows of each pass. */
  readonly rows: number;
  /** Starts a new pass: rows in parts of any size, in the same order each time. Arrays of a part must not be reused. */
  readonly batches: () => AsyncIterable<RowsInput> | Iterable<RowsInput>;
  /** Rows per batch, independent of the sizes of the source's parts; default: the size of the first part. */
  readonly batchSize?: number;
  /** Name of the data in reports and messages. */
  readonly description?: string;
}

/**
 * Data set read from a source on every pass: a database, a directory of images, a generator. Reads the first part of one pass to determine
 * types and dimensions. Memory holds one batch and one part of the source.
 *
 * @throws CurvatureError if `rows` or `batchSize` is not a positive integer or the source is empty; while batches are read, if a part
 *   differs in names, dimensions or element types from the first, or the number of rows of a pass is not `rows`
 */
export async function asyncData(options: AsyncDataOptions): Promise<Data> {
  checkObject(options, "asyncData expects { rows, batches }", ["rows", "batches"]);
  const { rows, batches, batchSize, description = "a source of batches" } = options;
  if (!Number.isInteger(rows) || rows < 1) {
    throw new CurvatureError("argument", `${description}: expected rows to be 1, 2, 3, ..., got ${rows}`);
  }
  const first = await firstOf(batches, description);
  const types = typesOf(first);
  const size = chooseBatchSize(batchSize ?? first.rows, rows);
  return {
    rows,
    batchSize: size,
    description,
    inputs: Object.fromEntries(Object.entries(first.inputs).map(([name, tensor]) => [name, rowTypeOf(tensor)])),
    ...(first.targets === undefined ? {} : { targets: rowTypeOf(first.targets) }),
    weighted: first.weights !== undefined,
    batches: ({ signal } = {}) =>
      regroup(checkedPass(batches, { rows, types, description }), {
        batchSize: size,
        ...(signal === undefined ? {} : { signal }),
      }),
  };
}

async function firstOf(batches: AsyncDataOptions["batches"], description: string): Promise<Rows> {
  for await (const part of batches()) {
    const rows = checkedRows(part, `${description}, first part`);
    if (rows.rows > 0) return rows;
  }
  throw new CurvatureError("data", `${description}: expected at least one row, got none`);
}

/** The properties that all parts of one source must share, in words. */
function typesOf({ inputs, targets, weights }: Rows): string {
  return [
    ...Object.entries(inputs)
      .map(([name, tensor]) => `${name === "" ? "input" : `input "${name}"`} ${formatRowType(rowTypeOf(tensor))}`)
      .sort(),
    targets === undefined ? "no targets" : `targets ${formatRowType(rowTypeOf(targets))}`,
    weights === undefined ? "no weights" : "weights",
  ].join(", ");
}

async function* checkedPass(
  batches: AsyncDataOptions["batches"],
  { rows, types, description }: { readonly rows: number; readonly types: string; readonly description: string },
): AsyncGenerator<Rows> {
  let seen = 0;
  for await (const given of batches()) {
    const part = checkedRows(given, `${description}, part at row ${seen}`);
    if (typesOf(part) !== types) {
      throw new CurvatureError(
        "data",
        `${description}: expected every part to have rows of ${types}, got ${typesOf(part)} at row ${seen}`,
      );
    }
    seen += part.rows;
    if (seen > rows) {
      throw new CurvatureError("data", `${description}: expected ${rows} rows, got at least ${seen}`);
    }
    yield part;
  }
  if (seen < rows) {
    throw new CurvatureError(
      "data",
      `${description}: expected ${rows} rows, got ${seen}; \`batches\` has to start a new pass each time it is called`,
    );
  }
}
