/** A cell of a table as its format gives it: text, a number, or a list of cells. */
export type Cell = string | number | bigint | boolean | null | undefined | object;

/** Consecutive rows of a table. */
export interface TablePart {
  readonly rows: number;
  /** Index in the file of the first row, counted from 0 without a header. */
  readonly start: number;
  /** The cell of a row, counted from the first of this part, in a column of the file. */
  cell(row: number, column: number): Cell;
  /** The number of such a cell, or NaN, where that is quicker than by `cell`. */
  number?(row: number, column: number): number;
  /** Line of a row, counted from 1, in formats that have lines. */
  line?(row: number): number;
}

/** Rows and columns that a pass over a table reads. */
export interface TablePass {
  /** Columns whose cells will be read; a format that stores columns apart reads no others. */
  readonly columns: readonly number[];
  /** First row to read, and the row after the last. */
  readonly from?: number;
  readonly to?: number;
  readonly signal?: AbortSignal;
}

/**
 * A file of rows and columns. Each format gives cells; what a cell must be, and every message about it, is decided in one place for all
 * formats (`readPart`).
 */
export interface TableFile {
  readonly name: string;
  /** Names of the columns, if the file has them. */
  readonly names?: readonly string[];
  readonly columns: number;
  /** Whether names were found by looking at the first line, which may also have been a row. */
  readonly namesGuessed?: boolean;
  /** Character before the fraction of numbers in text; "." by default. */
  readonly decimal?: Decimal;
  /** Rows that the file has at most; absent where it was not read. */
  readonly mostRows?: number;
  /** Bytes that are held in memory as long as this object is. */
  readonly heldBytes: number;
  /** Starts a pass. Parts come in the order of the file; each starts at or after `from`. */
  parts(pass: TablePass): AsyncIterable<TablePart>;
}

/** Character before the fraction of a number. */
export type Decimal = "." | ",";

/** A place in a table, for messages. */
export interface Place {
  readonly name: string;
  readonly names?: readonly string[] | undefined;
  readonly line?: number | undefined;
  readonly row: number;
  readonly column?: number;
}

/** Text of a place: `file: line 5 (row 3, column 6 "width", counted from 0)`; lines count from 1. */
export function describePlace({ name, names, line, row, column }: Place): string {
  const title = column === undefined || names?.[column] === undefined ? "" : ` "${names[column]}"`;
  const place =
    column === undefined ? `row ${row} counted from 0` : `row ${row}, column ${column}${title}, counted from 0`;
  return line === undefined ? `${name}: ${place}` : `${name}: line ${line} (${place})`;
}

/** The place of a cell of a part. */
export function placeOf(
  table: Pick<TableFile, "name" | "names">,
  { part, row, column }: { readonly part: TablePart; readonly row: number; readonly column?: number },
): Place {
  const { name, names } = table;
  const line = part.line?.(row);
  return { name, names, line, row: part.start + row, ...(column === undefined ? {} : { column }) };
}
