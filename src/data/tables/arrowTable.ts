import { CurvatureError } from "../../errors/index.ts";
import type { Contents } from "../readSource.ts";
import { decompressLz4 } from "./lz4Frame.ts";
import type { Cell, TableFile, TablePart } from "./table.ts";

/** Rows that are handed on at once. */
const ROWS_AT_ONCE = 2 ** 14;

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
  if (begins(bytes, "FEA1")) {
    throw new CurvatureError(
      "unsupported",
      `${name}: expected Feather version 2, got version 1; write it anew with pyarrow.feather.write_feather`,
    );
  }
  const table = await decoded(bytes, name);
  const names = table.schema.fields.map((field) => field.name);
  const rows = table.numRows;
  if (rows === 0 || names.length === 0)
    throw new CurvatureError("file", `${name}: expected rows of numbers, got a table without rows`);
  const columns = names.map((_, column) => table.getChildAt(column) as { at(row: number): Cell });
  return {
    name,
    names,
    columns: names.length,
    mostRows: rows,
    heldBytes: bytes.length,
    async *parts({ from = 0, to = rows, signal }): AsyncGenerator<TablePart> {
      const end = Math.min(to, rows);
      for (let start = from; start < end && !signal?.aborted; start += ROWS_AT_ONCE) {
        yield {
          start,
          rows: Math.min(ROWS_AT_ONCE, end - start),
          cell: (row, column) => columns[column]!.at(start + row),
        };
      }
    },
  };
}

async function decoded(bytes: Uint8Array, name: string) {
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
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CurvatureError(
      "file",
      `${name}: expected a complete Arrow (Feather) file, got one that cannot be read; copy it again, or write it anew (${why})`,
      { cause },
    );
  }
}
