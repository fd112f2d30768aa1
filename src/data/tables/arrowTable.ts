import { CurvatureError } from "../../errors/index.ts";
import type { RangeFile } from "../../files/index.ts";
import type { Contents } from "../readSource.ts";
import { arrowMessages, damagedArrow } from "./arrowMessages.ts";
import { decompressLz4 } from "./lz4Frame.ts";
import type { Cell, TableFile, TablePart } from "./table.ts";

/** Rows that are handed on at once. */
const ROWS_AT_ONCE = 2 ** 14;
/** Bytes that tell the formats apart. */
const MAGIC_BYTES = 8;

/** Whether bytes begin like an Arrow file (Feather version 2), an Arrow stream or a Feather file of version 1. */
export function isArrow(bytes: Uint8Array): boolean {
  const isStream = bytes.length > 8 && bytes.subarray(0, 4).every((byte) => byte === 255);
  return isStream || begins(bytes, "ARROW1") || begins(bytes, "FEA1");
}

function begins(bytes: Uint8Array, text: string): boolean {
  return Array.from(text).every((character, i) => bytes[i] === character.charCodeAt(0));
}

/**
 * The rows of an Arrow file (Feather version 2) or stream, also with LZ4 or Zstandard buffers.
 *
 * @throws CurvatureError "file" if the file is damaged or empty; "unsupported" for version 1 of Feather
 */
export async function arrowTable({ bytes, name }: Contents): Promise<TableFile> {
  checkVersion(bytes, name);
  const table = await decoded(bytes, name);
  const names = namesOf(table);
  const rows = table.numRows;
  checkRows(name, { names, rows });
  return {
    name,
    names,
    columns: names.length,
    mostRows: rows,
    heldBytes: bytes.length,
    async *parts({ from = 0, to = rows, signal }) {
      yield* rowsOf(table, { from, to, first: 0, signal });
    },
  };
}

/**
 * As `arrowTable`, for a file of which one record batch at a time is read, with the dictionaries before it.
 *
 * @throws CurvatureError as `arrowTable`
 */
export async function arrowStream(file: RangeFile): Promise<TableFile> {
  const { name } = file;
  checkVersion(await file.range(0, MAGIC_BYTES), name);
  const messages = await arrowMessages(file);
  const read = ({ offset, length }: { readonly offset: number; readonly length: number }) => file.range(offset, length);
  const schema = await read(messages[0]!);
  const names = namesOf(await decoded([schema], name));
  const dictionaries = messages.filter(({ kind }) => kind === "dictionary");
  let rows = 0;
  const batches = messages
    .filter(({ kind }) => kind === "batch")
    .map((batch) => {
      const first = rows;
      rows += batch.rows;
      return { ...batch, first };
    });
  checkRows(name, { names, rows });
  return {
    name,
    names,
    columns: names.length,
    mostRows: rows,
    heldBytes: 0,
    async *parts({ from = 0, to = rows, signal }) {
      for (const batch of batches) {
        const { first, offset } = batch;
        if (signal?.aborted || first >= to) return;
        if (first + batch.rows <= from) continue;
        const before = dictionaries.filter((one) => one.offset < offset);
        const bytes = await Promise.all([...before, batch].map(read));
        yield* rowsOf(await decoded([schema, ...bytes], name), { from, to, first, signal });
      }
    },
  };
}

type Decoded = Awaited<ReturnType<typeof decoded>>;

function checkVersion(bytes: Uint8Array, name: string): void {
  if (!begins(bytes, "FEA1")) return;
  throw new CurvatureError(
    "unsupported",
    `${name}: expected Feather version 2, got version 1; write it anew with pyarrow.feather.write_feather`,
  );
}

function namesOf({ schema }: Decoded): readonly string[] {
  return schema.fields.map((field) => field.name);
}

function checkRows(name: string, { names, rows }: { readonly names: readonly string[]; readonly rows: number }): void {
  if (rows > 0 && names.length > 0) return;
  throw new CurvatureError("file", `${name}: expected rows of numbers, got a table without rows`);
}

interface ArrowRange {
  /** Rows of the file. */
  readonly from: number;
  readonly to: number;
  /** Index in the file of the table's first row. */
  readonly first: number;
  readonly signal: AbortSignal | undefined;
}

/** The rows of a range that are in a table, in parts. */
function* rowsOf(table: Decoded, { from, to, first, signal }: ArrowRange): Generator<TablePart> {
  const columns = namesOf(table).map((_, column) => table.getChildAt(column) as { at(row: number): Cell });
  const end = Math.min(to, first + table.numRows);
  for (let start = Math.max(from, first); start < end && !signal?.aborted; start += ROWS_AT_ONCE) {
    const skipped = start - first;
    yield {
      start,
      rows: Math.min(ROWS_AT_ONCE, end - start),
      cell: (row, column) => columns[column]!.at(skipped + row),
    };
  }
}

async function decoded(bytes: Uint8Array | Uint8Array[], name: string) {
  const { CompressionType, setCompressionCodec, tableFromIPC } = await import("@uwdata/flechette");
  const { decompressZstd } = await import("hyparquet-compressors");
  const encode = () => {
    throw new CurvatureError("unsupported", "Arrow files are read only");
  };
  setCompressionCodec(CompressionType.LZ4_FRAME, { encode, decode: decompressLz4 });
  setCompressionCodec(CompressionType.ZSTD, {
    encode, // A copy, since numbers of 8 bytes must begin at a multiple of 8.
    decode: (packed) => decompressZstd(packed).slice(),
  });
  try {
    return tableFromIPC(bytes, { useBigInt: true });
  } catch (cause) {
    throw damagedArrow(name, cause instanceof Error ? cause.message : String(cause), cause);
  }
}
