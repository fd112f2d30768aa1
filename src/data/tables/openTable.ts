import { CurvatureError } from "../../errors/index.ts";
import type { RangeFile } from "../../files/index.ts";
import type { Contents } from "../readSource.ts";
import { isArrayFile } from "../streamArray.ts";
import { streamOf, streamOfContents } from "../streamSource.ts";
import { checkedRange } from "../takeRows.ts";
import { arrowStream, arrowTable, isArrow } from "./arrowTable.ts";
import { csvStream, csvTable, type TableOptions } from "./csvTable.ts";
import { jsonTable } from "./jsonTable.ts";
import { isParquet, parquetTable } from "./parquetTable.ts";
import type { TableFile } from "./table.ts";

/** Formats of tables. */
export type TableFormat = "csv" | "jsonl" | "parquet" | "arrow";

/** Format of a table by its first bytes, of text also by its name. */
export function tableFormat(bytes: Uint8Array, name: string): TableFormat {
  if (isParquet(bytes)) return "parquet";
  if (isArrow(bytes)) return "arrow";
  if (/[.](jsonl|ndjson|json)([.]gz)?$/i.test(name)) return "jsonl";
  const first = bytes.find((byte) => byte > 32 && byte < 128);
  return first === 0x7b || first === 0x5b ? "jsonl" : "csv"; // { or [
}

/** A table whose file is in memory. */
export async function openTable(contents: Contents, options: TableOptions = {}): Promise<TableFile> {
  const { bytes, name } = contents;
  if (options.rows !== undefined) checkedRange(options.rows, { where: name }); // checked before rows are skipped by it
  const format = tableFormat(bytes, name);
  if (format === "csv") return csvTable(contents, options);
  if (format === "arrow") return arrowTable(contents);
  if (format === "jsonl") {
    const lines = bytes.reduce((count, byte) => (byte === 10 ? count + 1 : count), 1);
    return jsonTable(streamOfContents(contents), { heldBytes: bytes.length, mostRows: lines });
  }
  const slice = (start: number, end?: number) => bytes.slice(start, end).buffer as ArrayBuffer;
  return parquetTable({ name, heldBytes: bytes.length, file: { byteLength: bytes.length, slice } });
}

/** A table whose file is read again on every pass. */
export async function openTableStream(file: RangeFile, options: TableOptions = {}): Promise<TableFile> {
  const { name } = file;
  if (options.rows !== undefined) checkedRange(options.rows, { where: name });
  const stream = await streamOf(file);
  let head = new Uint8Array(0);
  for await (const chunk of stream.chunks()) {
    head = chunk.slice(0, 4096);
    break;
  }
  if (isArrayFile(head)) {
    throw new CurvatureError(
      "unsupported",
      `${name}: expected an array that is not compressed, so that its rows are found by their offset; unpack it (gunzip), or leave out stream (--stream)`,
    );
  }
  const format = tableFormat(head, name);
  if (format === "csv") return csvStream(stream, options);
  if (format === "jsonl") return jsonTable(stream, { heldBytes: 0 });
  if (format === "arrow") return arrowStream(file);
  const slice = async (start: number, end = file.size) => {
    const bytes = await file.range(start < 0 ? file.size + start : start, end - start);
    return bytes.slice().buffer;
  };
  return parquetTable({ name, heldBytes: 0, file: { byteLength: file.size, slice } });
}
