import { CurvatureError } from "../errors/index.ts";
import { checkSize, compressionOf, type ReadOptions } from "../files/index.ts";
import { csvRecords } from "./csvRecords.ts";
import type { Contents } from "./readSource.ts";
import { checkedRange, type RowRange } from "./takeRows.ts";

/** Options of reading a table. */
export interface TableOptions extends ReadOptions {
  /**
   * Whether the first line names the columns. With "auto", it does if its cells are all different, not all of them are numbers (in any
   * notation), no cell but the first is empty, and the numbers among them count up by one (0, 1, 2, ..., as pandas names columns).
   */
  readonly header?: "auto" | boolean;
  /** The character between cells; default: the comma, semicolon or tab, whichever is most frequent in the first line. */
  readonly separator?: string;
  /** Data rows to read, `[from, to)`, counted from 0 without the header. */
  readonly rows?: RowRange;
}

/** Numbers of a table in row-major order, with a function that names a place in its file. */
export interface Table {
  readonly name: string;
  /** Names of the columns, if the file has a header. */
  readonly names?: readonly string[];
  readonly columns: number;
  readonly rows: number;
  readonly values: Float64Array; // [rows, columns]
  /** `file: line 5 (row 3, column 6 "width")`: lines count from 1, rows and columns from 0. */
  place(row: number, column: number): string;
}

/**
 * Table of finite numbers in decimal notation (-1, 2.5, .5, 1e-3), from CSV text with or without quotes and a header. Empty lines are
 * skipped. Other notations (0xff, 0b1, 1_000, 1,5) are errors, because programs that write tables do not agree on their meaning.
 *
 * @throws CurvatureError naming line, row and column of the first row with too many or too few cells or the first cell that is empty, not a
 *   decimal number, NaN or infinite; or if there are no rows, fewer than requested, or more than the memory limit allows
 */
export function readTable(contents: Contents, options: TableOptions = {}): Table {
  const { bytes, name, memoryLimit } = contents;
  checkText(bytes, name);
  const { separator = likelySeparator(bytes), header = "auto", rows: range } = options;
  checkSeparator(separator);
  const firstCells = count(bytes.subarray(0, firstLineEnd(bytes)), separator) + 1;
  checkSize(bytes.length + firstCells * CELL_BYTES, { what: `${name}: a row of ${firstCells} columns`, memoryLimit });
  const first = csvRecords(bytes, { name, separator }).next().value;
  if (!first) throw new CurvatureError("file", `${name}: expected rows of numbers, got an empty file`);
  const columns = first.cells.length;
  const names = (header === "auto" ? isHeader(first.cells) : header) ? first.cells : undefined;
  if (range !== undefined) checkedRange(range, { where: name }); // checked before rows are skipped by it
  const { values, lines, rows: total } = parseNumbers(contents, { separator, names, columns, range });
  if (total <= 0) {
    throw new CurvatureError("file", `${name}: expected rows of numbers, got a header and nothing below it`);
  }
  if (range !== undefined) checkedRange(range, { rows: total, where: name });
  const start = range?.[0] ?? 0;
  return {
    name,
    ...(names === undefined ? {} : { names }),
    columns,
    rows: lines.length,
    values,
    place: (row, column) => describePlace({ name, names, line: lines[row]!, row: start + row, column }),
  };
}

/** Bytes of memory for the text of a cell while its row is read. */
const CELL_BYTES = 64;

interface Place {
  readonly name: string;
  readonly names: readonly string[] | undefined;
  readonly line: number;
  readonly row: number;
  readonly column?: number;
}

function describePlace({ name, names, line, row, column }: Place): string {
  if (column === undefined) return `${name}: line ${line} (row ${row} counted from 0)`;
  const title = names?.[column] === undefined ? "" : ` "${names[column]}"`;
  return `${name}: line ${line} (row ${row}, column ${column}${title}, counted from 0)`;
}

function checkText(bytes: Uint8Array, name: string): void {
  const packed = compressionOf(bytes);
  if (packed === undefined && !bytes.subarray(0, 4096).includes(0)) return;
  const what = packed ?? "binary data that is neither NPY, NPZ nor IDX";
  throw new CurvatureError("file", `${name}: expected text (CSV), got ${what}`);
}

function checkSeparator(separator: string): void {
  if (/^[\0-\x7f]$/.test(separator) && !/["\r\n]/.test(separator)) return;
  throw new CurvatureError(
    "argument",
    `expected a separator of one ASCII character that is no quote or line end, got ${JSON.stringify(separator)}`,
  );
}

function likelySeparator(bytes: Uint8Array): string {
  const line = bytes.subarray(0, firstLineEnd(bytes));
  return [",", ";", "\t"].reduce((best, next) => (count(line, next) > count(line, best) ? next : best));
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

function count(bytes: Uint8Array, character: string): number {
  const code = character.charCodeAt(0);
  let found = 0;
  for (let i = 0; i < bytes.length; i++) if (bytes[i] === code) found++;
  return found;
}

function isHeader(cells: readonly string[]): boolean {
  if (cells.includes("", 1) || cells.some(isNotFinite) || cells.some(isOtherNumber)) return false;
  if (new Set(cells).size < cells.length) return false;
  const numbers = cells.map(numberOf).filter((value) => !Number.isNaN(value));
  const countUp = numbers.every((value, i) => Number.isInteger(value) && (i === 0 || value === numbers[i - 1]! + 1));
  return numbers.length < cells.length && countUp;
}

/** The number of a cell in decimal notation, or NaN. */
function numberOf(cell: string): number {
  if (cell === "") return Number.NaN;
  const second = cell.charCodeAt(1) | 0x20;
  // Prefixes that JavaScript's Number also accepts: 0x, 0b, 0o.
  return second === 0x78 || second === 0x62 || second === 0x6f ? Number.NaN : Number(cell);
}

/** Whether a cell is a number in a notation of programming languages, which is not accepted: 0xff, 0b1, 0o7, 1_000. */
function isOtherNumber(cell: string): boolean {
  return /^[+-]?(0[xbo][\da-f_]+|\d[\d_]*_[\d_]*(\.[\d_]*)?(e[+-]?\d+)?)$/i.test(cell);
}

/** Whether a cell is a spelling of NaN or infinity in NumPy, pandas or JavaScript. */
function isNotFinite(cell: string): boolean {
  return /^[+-]?(nan|inf|infinity)$/i.test(cell);
}

interface NumberOptions {
  readonly separator: string;
  readonly columns: number;
  readonly names: readonly string[] | undefined;
  readonly range: RowRange | undefined;
}

/** The numbers of the rows of a range, their lines, and the number of rows read including those before the range. */
function parseNumbers(contents: Contents, { separator, columns, names, range }: NumberOptions) {
  const { bytes, name } = contents;
  const values = new Float64Array(columns * capacityOf(contents, { columns, range }));
  const lines: number[] = [];
  const [from, to] = [range?.[0] ?? 0, range?.[1] ?? Number.POSITIVE_INFINITY];
  let row = names === undefined ? 0 : -1;
  for (const { cells, line } of csvRecords(bytes, { name, separator })) {
    if (row >= to) break;
    if (row >= from) {
      readCells(cells, { values: values.subarray(lines.length * columns), place: { name, names, line, row }, columns });
      lines.push(line);
    }
    row++;
  }
  return { values: values.subarray(0, lines.length * columns), lines, rows: row };
}

/**
 * Upper bound on the number of rows: a row takes a line, and two bytes per cell. So for any text the numbers take at most four times its
 * bytes.
 */
function capacityOf(
  { bytes, name, memoryLimit }: Contents,
  { columns, range }: { readonly columns: number; readonly range: RowRange | undefined },
): number {
  const lines = Math.max(count(bytes, "\n"), count(bytes, "\r")) + 1;
  const most = Math.min(lines, Math.floor((bytes.length + 1) / (2 * columns)));
  const rows = Math.min(most, (range?.[1] ?? most) - (range?.[0] ?? 0));
  const what = `${name}: a table of ${rows} rows and ${columns} columns`;
  checkSize(bytes.length + 8 * rows * columns, { what, memoryLimit });
  return Math.max(rows, 0);
}

function readCells(
  cells: readonly string[],
  { values, place, columns }: { readonly values: Float64Array; readonly place: Place; readonly columns: number },
): void {
  if (cells.length !== columns) throw wrongColumns(place, cells.length, columns);
  for (let column = 0; column < columns; column++) {
    const value = numberOf(cells[column]!);
    if (!Number.isFinite(value)) throw badCell({ ...place, column }, cells[column]!);
    values[column] = value;
  }
}

function wrongColumns(place: Place, found: number, expected: number): CurvatureError {
  return new CurvatureError(
    "data",
    `${describePlace(place)}: expected ${expected} columns as in the first line, got ${found}`,
  );
}

function badCell(place: Place, cell: string): CurvatureError {
  const got =
    cell === ""
      ? "an empty cell"
      : isOtherNumber(cell)
        ? `"${cell.slice(0, 40)}"; write numbers in decimal notation, as 255 or 2.55e2`
        : isNotFinite(cell)
          ? `${cell}; repair or leave out such rows`
          : `"${cell.slice(0, 40)}"${isFirstLine(place) ? "; if this line names the columns, say header: true" : ""}`;
  return new CurvatureError("data", `${describePlace(place)}: expected a finite number, got ${got}`);
}

function isFirstLine({ row, names }: Place): boolean {
  return row === 0 && names === undefined;
}
