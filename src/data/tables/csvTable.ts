import { CurvatureError } from "../../errors/index.ts";
import { checkSize, compressionOf, type ReadOptions } from "../../files/index.ts";
import type { Contents } from "../readSource.ts";
import type { ByteStream } from "../streamSource.ts";
import type { RowRange } from "../takeRows.ts";
import { type CsvRows, csvRows, csvRowsOfChunks } from "./csvRows.ts";
import { isNotFinite, isOtherNumber, numberOfText } from "./numberOfCell.ts";
import { type Decimal, describePlace, type TableFile, type TablePart } from "./table.ts";

/** Options of reading a table. */
export interface TableOptions extends ReadOptions {
  /**
   * Whether the first line names the columns. With "auto", it does if its cells are all different, not all of them are numbers (in any
   * notation), no cell but the first is empty, and the numbers among them count up by one (0, 1, 2, ..., as pandas names columns).
   */
  readonly header?: "auto" | boolean;
  /** The character between cells; default: the comma, semicolon or tab, whichever is most frequent in the first line. */
  readonly separator?: string;
  /** The character before the fraction of a number: "." (the default), or "," in tables whose cells are separated by another one. */
  readonly decimal?: Decimal;
  /** Data rows to read, `[from, to)`, counted from 0 without the header. */
  readonly rows?: RowRange;
}

/** Bytes of memory for the text of a cell while its row is read. */
const CELL_BYTES = 64;

/**
 * The rows of CSV text, with or without quotes and a header; empty lines are skipped.
 *
 * @throws CurvatureError "file" for bytes that are no text, or no rows; while rows are read, "data" for a row with too many or too few cells
 */
export function csvTable(contents: Contents, options: TableOptions = {}): TableFile {
  const { bytes, name, memoryLimit } = contents;
  const separator = checkedSeparator(bytes, { name, options });
  const firstCells = count(bytes.subarray(0, firstLineEnd(bytes)), separator) + 1;
  checkSize(bytes.length + firstCells * CELL_BYTES, { what: `${name}: a row of ${firstCells} columns`, memoryLimit });
  const syntax = { name, separator, decimal: options.decimal ?? "." };
  const first = csvRows(bytes, syntax).next().value ?? undefined;
  return tableOf(first, {
    name,
    options,
    heldBytes: bytes.length,
    // A row takes a line, and two bytes per cell, so for any text the numbers take at most four times its bytes.
    mostRows: (columns) => Math.min(lineCount(bytes), Math.floor((bytes.length + 1) / (2 * columns))),
    blocks: () => csvRows(bytes, syntax),
  });
}

/** As `csvTable`, reading the file again on every pass; memory holds one chunk of it. */
export async function csvStream(stream: ByteStream, options: TableOptions = {}): Promise<TableFile> {
  const { name } = stream;
  let head = new Uint8Array(0);
  for await (const chunk of stream.chunks()) {
    head = chunk.slice();
    break;
  }
  const separator = checkedSeparator(head, { name, options });
  const syntax = { name, separator, decimal: options.decimal ?? "." };
  const blocks = (signal?: AbortSignal) => csvRowsOfChunks(stream.chunks(signal), syntax);
  let first: CsvRows | undefined;
  for await (const rows of blocks()) {
    first = rows;
    break;
  }
  return tableOf(first, { name, options, heldBytes: 0, blocks });
}

interface Opened {
  readonly name: string;
  readonly options: TableOptions;
  readonly heldBytes: number;
  readonly mostRows?: (columns: number) => number;
  blocks(signal?: AbortSignal): Iterable<CsvRows> | AsyncIterable<CsvRows>;
}

function tableOf(first: CsvRows | undefined, { name, options, heldBytes, mostRows, blocks }: Opened): TableFile {
  const { header = "auto", decimal = "." } = options;
  if (first === undefined) throw new CurvatureError("file", `${name}: expected rows of numbers, got an empty file`);
  const columns = first.width(0);
  const cells = Array.from({ length: columns }, (_, column) => first.cell(0, column));
  const names = (header === "auto" ? isHeader(cells, decimal) : header) ? cells : undefined;
  const table = { name, columns, heldBytes, ...(names && { names }) };
  return {
    ...table,
    decimal,
    namesGuessed: header === "auto",
    ...(mostRows && { mostRows: mostRows(columns) }),
    async *parts({ from = 0, to = Number.POSITIVE_INFINITY, signal }) {
      let start = names === undefined ? 0 : -1;
      for await (const rows of blocks(signal)) {
        const [first, last] = [Math.max(from - start, start < 0 ? 1 : 0), Math.min(to - start, rows.count)];
        if (first < last) yield partOf(rows, { ...table, start: start + first, first, last });
        start += rows.count;
        if (start >= to) return;
      }
    },
  };
}

interface PartPlace extends Pick<TableFile, "name" | "names" | "columns"> {
  readonly start: number;
  /** Rows of the block, the last exclusive. */
  readonly first: number;
  readonly last: number;
}

function partOf(rows: CsvRows, { start, first, last, ...table }: PartPlace): TablePart {
  for (let row = first; row < last; row++) {
    const width = rows.width(row);
    if (width === table.columns) continue;
    const place = describePlace({ ...table, line: rows.line(row), row: start + row - first });
    throw new CurvatureError("data", `${place}: expected ${table.columns} columns as in the first line, got ${width}`);
  }
  return {
    start,
    rows: last - first,
    cell: (row, column) => rows.cell(first + row, column),
    number: (row, column) => rows.number(first + row, column),
    line: (row) => rows.line(first + row),
  };
}

function checkedSeparator(
  bytes: Uint8Array,
  { name, options }: { readonly name: string; readonly options: TableOptions },
): string {
  checkText(bytes, name);
  const { decimal = "." } = options;
  if (decimal !== "." && decimal !== ",") {
    throw new CurvatureError("argument", `expected decimal to be "." or ",", got ${JSON.stringify(decimal)}`);
  }
  const { separator = likelySeparator(bytes, decimal) } = options;
  if (!/^[\0-\x7f]$/.test(separator) || /["\r\n]/.test(separator)) {
    throw new CurvatureError(
      "argument",
      `expected a separator of one ASCII character that is no quote or line end, got ${JSON.stringify(separator)}`,
    );
  }
  if (separator !== decimal) return separator;
  throw new CurvatureError(
    "argument",
    `expected a separator other than the decimal ${JSON.stringify(decimal)}; numbers with a decimal comma need cells between semicolons or tabs`,
  );
}

function checkText(bytes: Uint8Array, name: string): void {
  const packed = compressionOf(bytes);
  if (packed === undefined && !bytes.subarray(0, 4096).includes(0)) return;
  if (isImage(bytes)) {
    throw new CurvatureError(
      "file",
      `${name}: expected rows, got a single image; give a folder of images with a subfolder for each class, a zip archive of one, or a list of files`,
    );
  }
  const what = packed ?? "binary data that is neither NPY, NPZ nor IDX";
  throw new CurvatureError("file", `${name}: expected text (CSV), got ${what}`);
}

/** Whether bytes begin as PNG or JPEG files do. */
function isImage(bytes: Uint8Array): boolean {
  const [a, b, c, d] = bytes;
  return (a === 0x89 && b === 0x50 && c === 0x4e && d === 0x47) || (a === 0xff && b === 0xd8 && c === 0xff);
}

function likelySeparator(bytes: Uint8Array, decimal: Decimal): string {
  const line = bytes.subarray(0, firstLineEnd(bytes));
  const candidates = decimal === "," ? [";", "\t"] : [",", ";", "\t"];
  return candidates.reduce((best, next) => (count(line, next) > count(line, best) ? next : best));
}

/** End of the first line that is not empty. */
function firstLineEnd(bytes: Uint8Array): number {
  const isEnd = (byte: number) => byte === 10 || byte === 13;
  let start = 0;
  while (start < bytes.length && isEnd(bytes[start]!)) start++;
  let end = start;
  while (end < bytes.length && !isEnd(bytes[end]!)) end++;
  return end;
}

function lineCount(bytes: Uint8Array): number {
  return Math.max(count(bytes, "\n"), count(bytes, "\r")) + 1;
}

function count(bytes: Uint8Array, character: string): number {
  const code = character.charCodeAt(0);
  let found = 0;
  for (let i = 0; i < bytes.length; i++) if (bytes[i] === code) found++;
  return found;
}

function isHeader(cells: readonly string[], decimal: Decimal): boolean {
  if (cells.includes("", 1) || cells.some(isNotFinite) || cells.some(isOtherNumber)) return false;
  if (new Set(cells).size < cells.length) return false;
  const numbers = cells.map((cell) => numberOfText(cell, decimal)).filter((value) => !Number.isNaN(value));
  const countUp = numbers.every((value, i) => Number.isInteger(value) && (i === 0 || value === numbers[i - 1]! + 1));
  return numbers.length < cells.length && countUp;
}
