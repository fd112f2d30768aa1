import { parse } from "csv-parse/browser/esm/sync";
import { CurvatureError } from "../errors/index.ts";
import { checkedRange, type RowRange } from "./takeRows.ts";

/** How the text of a table is read. */
export interface TableOptions {
  /**
   * Whether the first line names the columns. "auto": it does if its cells are all different, not all numbers, none but
   * the first is empty, and the numbers among them count up by one (0, 1, 2, ..., as pandas names columns).
   */
  readonly header?: "auto" | boolean;
  /** One character between cells; by default the comma, semicolon or tab that the first line has most of. */
  readonly separator?: string;
  /** Data rows to read, `[from, to)`, counted from 0 without the header. */
  readonly rows?: RowRange;
}

/** Numbers of a table in row-major order, and what is needed to name a place in its file. */
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
 * Table of finite numbers, from CSV text with or without quotes and a header. Empty lines are passed over.
 *
 * @throws CurvatureError naming line, row and column of the first row with too many or too few cells or the first cell
 *   that is empty, no number, NaN or infinite; or if there are no rows, or not as many as asked for
 */
export function readTable(bytes: Uint8Array, name: string, options: TableOptions = {}): Table {
  const text = decodeText(bytes, name);
  const { separator = likelySeparator(text), header = "auto", rows: range } = options;
  const [first] = parseCsv(text, { name, separator, to: 1 }).records;
  if (first === undefined) throw new CurvatureError("file", `${name}: expected rows of numbers, got an empty file`);
  const hasHeader = header === "auto" ? isHeader(first.cells) : header;
  const skip = (hasHeader ? 1 : 0) + (range?.[0] ?? 0);
  const to = range?.[1] === undefined ? undefined : range[1] + (hasHeader ? 1 : 0);
  if (range !== undefined) checkedRange(range, { where: name }); // before anything is skipped by it
  const names = hasHeader ? first.cells : undefined;
  const { values, lines, records } = parseNumbers(text, {
    name,
    separator,
    skip,
    to,
    names,
    columns: first.cells.length,
  });
  const total = records - (hasHeader ? 1 : 0);
  if (total <= 0) {
    throw new CurvatureError("file", `${name}: expected rows of numbers, got a header and nothing below it`);
  }
  if (range !== undefined) checkedRange(range, { rows: total, where: name });
  const start = range?.[0] ?? 0;
  return {
    name,
    ...(names === undefined ? {} : { names }),
    columns: first.cells.length,
    rows: lines.length,
    values,
    place: (row, column) => describePlace({ name, names, line: lines[row]!, row: start + row, column }),
  };
}

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

function decodeText(bytes: Uint8Array, name: string): string {
  if (bytes.subarray(0, 4096).includes(0)) {
    throw new CurvatureError("file", `${name}: expected text (CSV), got binary data that is neither NPY, NPZ nor IDX`);
  }
  return new TextDecoder().decode(bytes); // also drops a byte order mark
}

function likelySeparator(text: string): string {
  const line = /[^\r\n]+/.exec(text)?.[0] ?? "";
  const count = (separator: string) => line.split(separator).length;
  return [",", ";", "\t"].reduce((best, next) => (count(next) > count(best) ? next : best));
}

function isHeader(cells: readonly string[]): boolean {
  if (new Set(cells).size < cells.length || cells.includes("", 1) || cells.some(isNotFinite)) return false;
  const numbers = cells.filter((cell) => cell !== "" && !Number.isNaN(Number(cell))).map(Number);
  const countUp = numbers.every((value, i) => Number.isInteger(value) && (i === 0 || value === numbers[i - 1]! + 1));
  return numbers.length < cells.length && countUp;
}

/** Whether a cell says, as NumPy, pandas or JavaScript do, that its number is none. */
function isNotFinite(cell: string): boolean {
  return /^[+-]?(nan|inf|infinity)$/i.test(cell);
}

interface CsvOptions {
  readonly name: string;
  readonly separator: string;
  /** Number of records after which to stop. */
  readonly to?: number | undefined;
  /** Takes each record as it is read, instead of their being kept. */
  readonly onRecord?: (cells: readonly string[], record: { readonly line: number; readonly index: number }) => void;
}

function parseCsv(text: string, { name, separator, to, onRecord }: CsvOptions) {
  const records: { cells: readonly string[]; line: number }[] = [];
  let failure: unknown;
  let count = 0;
  try {
    parse(text, {
      delimiter: separator,
      trim: true,
      skip_empty_lines: true,
      relax_column_count: true,
      ...(to === undefined ? {} : { to }),
      on_record(cells: string[], { lines: line }: { readonly lines: number }) {
        try {
          if (onRecord === undefined) records.push({ cells, line });
          else onRecord(cells, { line, index: count });
        } catch (error) {
          failure = error;
          throw error;
        }
        count++;
        return null;
      },
    });
  } catch (cause) {
    if (failure !== undefined) throw failure;
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new CurvatureError("file", `${name}: expected CSV text, but ${message}`, { cause });
  }
  return { records, count };
}

interface NumberOptions extends CsvOptions {
  readonly skip: number;
  readonly columns: number;
  readonly names: readonly string[] | undefined;
}

function parseNumbers(text: string, { skip, columns, names, ...options }: NumberOptions) {
  const header = names === undefined ? 0 : 1;
  const capacity = Math.max(0, Math.min(countLines(text), options.to ?? Number.POSITIVE_INFINITY) - skip);
  const values = new Float64Array(capacity * columns);
  const lines: number[] = [];
  const { count } = parseCsv(text, {
    ...options,
    onRecord(cells, { line, index }) {
      if (index < skip) return;
      const place = { name: options.name, names, line, row: index - header };
      if (cells.length !== columns) throw wrongColumns(place, cells.length, columns);
      const offset = lines.length * columns;
      for (let column = 0; column < columns; column++) {
        const value = Number(cells[column]);
        if (!Number.isFinite(value) || cells[column] === "") throw badCell({ ...place, column }, cells[column]!);
        values[offset + column] = value;
      }
      lines.push(line);
    },
  });
  return { values: values.subarray(0, lines.length * columns), lines, records: count };
}

/** At least the number of records: lines end with LF, CR or both. */
function countLines(text: string): number {
  let [feeds, returns] = [1, 1];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 10) feeds++;
    else if (code === 13) returns++;
  }
  return Math.max(feeds, returns);
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
      : isNotFinite(cell)
        ? `${cell}; repair or leave out such rows`
        : `"${cell.slice(0, 40)}"${isFirstLine(place) ? "; if this line names the columns, say header: true" : ""}`;
  return new CurvatureError("data", `${describePlace(place)}: expected a finite number, got ${got}`);
}

function isFirstLine({ row, names }: Place): boolean {
  return row === 0 && names === undefined;
}
