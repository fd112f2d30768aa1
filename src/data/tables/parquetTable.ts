import type { AsyncBuffer, FileMetaData } from "hyparquet";
import { CurvatureError } from "../../errors/index.ts";
import type { Cell, TableFile, TablePart } from "./table.ts";

/** Whether bytes begin like a Parquet file. */
export function isParquet(bytes: Uint8Array): boolean {
  return [0x50, 0x41, 0x52, 0x31].every((byte, i) => bytes[i] === byte); // PAR1
}

/** A Parquet file, in memory or where ranges of it can be read. */
export interface ParquetFile {
  readonly name: string;
  readonly file: AsyncBuffer;
  readonly heldBytes: number;
}

/**
 * The rows of a Parquet file, compressed by any of its codecs. Reads the columns of a pass only; memory holds those of one row group.
 *
 * @throws CurvatureError "file" if the file is damaged, empty or encrypted
 */
export async function parquetTable({ name, file, heldBytes }: ParquetFile): Promise<TableFile> {
  const { parquetMetadataAsync, parquetSchema } = await import("hyparquet");
  const metadata = await wrapped(name, () => parquetMetadataAsync(file));
  const names = parquetSchema(metadata).children.map(({ element }) => element.name);
  const rows = Number(metadata.num_rows);
  if (rows === 0 || names.length === 0)
    throw new CurvatureError("file", `${name}: expected rows of numbers, got a table without rows`);
  return {
    name,
    names,
    columns: names.length,
    mostRows: rows,
    heldBytes,
    parts: ({ columns, from = 0, to = rows, signal }) =>
      rowGroups({
        name,
        file,
        metadata,
        columns: columns.map((column) => [column, names[column]!] as const),
        from,
        to,
        signal,
      }),
  };
}

interface GroupPass {
  readonly name: string;
  readonly file: AsyncBuffer;
  readonly metadata: FileMetaData;
  /** Number and name of each. */
  readonly columns: readonly (readonly [number: number, name: string])[];
  readonly from: number;
  readonly to: number;
  readonly signal: AbortSignal | undefined;
}

async function* rowGroups({ name, file, metadata, columns, from, to, signal }: GroupPass): AsyncGenerator<TablePart> {
  const { parquetScan } = await import("hyparquet");
  const { compressors } = await import("hyparquet-compressors");
  let groupStart = 0;
  for (const { num_rows } of metadata.row_groups) {
    const [rowStart, rowEnd] = [Math.max(groupStart, from), Math.min(groupStart + Number(num_rows), to)];
    groupStart += Number(num_rows);
    if (rowStart >= rowEnd) continue;
    const asked = { file, metadata, compressors, columns: columns.map(([, column]) => column), rowStart, rowEnd };
    const scan = await wrapped(name, () => parquetScan(asked));
    const cells = new Map<number, ArrayLike<Cell>>();
    for (const [number, column] of columns) {
      if (signal?.aborted) return;
      cells.set(number, await wrapped(name, () => scan.readColumn({ column, rowStart, rowEnd })));
    }
    yield { start: rowStart, rows: rowEnd - rowStart, cell: (row, column) => cells.get(column)![row] };
  }
}

async function wrapped<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof CurvatureError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CurvatureError(
      "file",
      `${name}: expected a complete Parquet file, got one that cannot be read; copy it again, or write it anew (${why})`,
      { cause },
    );
  }
}
