import { malformedCsv, type QuotedRow, quotedRow } from "./csvQuotedRow.ts";
import { decimalReader } from "./decimalReader.ts";
import { numberOfText } from "./numberOfCell.ts";
import type { Decimal } from "./table.ts";

/** Consecutive rows of CSV text, whose cells become text or numbers when they are read. */
export interface CsvRows {
  readonly count: number;
  /** Line where a row begins, counted from 1. */
  line(row: number): number;
  /** Number of cells of a row. */
  width(row: number): number;
  /** Text of a cell, without the space around it. */
  cell(row: number, column: number): string;
  /** Number of a cell in decimal notation, or NaN. */
  number(row: number, column: number): number;
}

/** How CSV text is read. */
export interface CsvSyntax {
  /** One ASCII character. */
  readonly separator: string;
  /** Character before the fraction of a number. */
  readonly decimal: Decimal;
  /** Name of the file in messages. */
  readonly name: string;
}

/** Bytes of text that are looked at together. */
const BLOCK = 2 ** 20;
/** Longest row; JavaScript strings are not longer. */
const LONGEST = 2 ** 28;
/** Longest text that V8 copies out of a longer one. A longer slice would keep the whole block in memory. */
const COPIED = 12;

const LINE_FEED = 10;
const RETURN = 13;
const QUOTE = 34;

/**
 * Rows of a CSV file (RFC 4180) in their order: lines end with LF, CR or both; space around cells is removed; a quoted cell may
 * contain separators, line ends and doubled quotes. Empty lines are skipped. Memory holds one block of text or one row, whichever is
 * longer, and four bytes a cell.
 *
 * This is not a library, because it must read a row of 20 MB in less than a second, and a large file on every pass: it only finds where
 * cells begin, and makes text of those that are not plain numbers.
 *
 * @throws CurvatureError "file" for quotes in the wrong place and rows beyond 2^28 bytes
 */
export function* csvRows(bytes: Uint8Array, syntax: CsvSyntax): Generator<CsvRows> {
  let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  let line = 1;
  let size = BLOCK;
  while (at < bytes.length) {
    const end = Math.min(at + size, bytes.length);
    const found = rowsOfBlock(bytes.subarray(at, end), { ...syntax, isLast: end === bytes.length, line });
    if (found.rows.count > 0) yield found.rows;
    if (end === bytes.length) return;
    at += found.used;
    line = found.line;
    // For a row longer than the block, enlarge the block, so that a byte is looked at about twice at most.
    size = found.used === 0 ? 2 * size : BLOCK;
    if (size > LONGEST) throw tooLong(syntax.name, line);
  }
}

/**
 * As `csvRows`, for a file that arrives in chunks: the rows that end within each chunk. Memory holds one chunk or one row, whichever is
 * longer.
 */
export async function* csvRowsOfChunks(chunks: AsyncIterable<Uint8Array>, syntax: CsvSyntax): AsyncGenerator<CsvRows> {
  let [rest, line, first] = [new Uint8Array(0), 1, true];
  // A row longer than a chunk is looked at again only when twice as many bytes have come.
  let enough = 0;
  for await (const chunk of chunks) {
    const marked = first && chunk[0] === 0xef && chunk[1] === 0xbb && chunk[2] === 0xbf;
    rest = joined(rest, marked ? chunk.subarray(3) : chunk);
    first = false;
    if (rest.length > LONGEST) throw tooLong(syntax.name, line);
    if (rest.length < enough) continue;
    const found = rowsOfBlock(rest, { ...syntax, isLast: false, line });
    enough = found.used === 0 ? 2 * rest.length : 0;
    rest = rest.subarray(found.used);
    line = found.line;
    if (found.rows.count > 0) yield found.rows;
  }
  const { rows } = rowsOfBlock(rest, { ...syntax, isLast: true, line });
  if (rows.count > 0) yield rows;
}

function tooLong(name: string, line: number) {
  return malformedCsv(name, `line ${line} goes on for more than ${LONGEST} bytes`);
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

interface Block extends CsvSyntax {
  readonly isLast: boolean;
  /** Line of the first row. */
  readonly line: number;
}

/** Rows that end within a block, the bytes that they take, and the line after them. */
interface BlockRows {
  readonly rows: CsvRows;
  readonly used: number;
  readonly line: number;
}

/** Where the cells of rows are. */
interface Found {
  /** First byte of each cell without quotes. After the last cell of a row follows its end plus 1, as if one more began there. */
  readonly starts: IntegerList;
  /** Place in `starts` of each row's first cell, and the length of `starts`. */
  readonly firsts: number[];
  readonly lines: number[];
  /** Cells of the rows with quotes. */
  readonly quoted: Map<number, readonly string[]>;
}

function rowsOfBlock(bytes: Uint8Array, block: Block): BlockRows {
  const { isLast, name, separator } = block;
  const code = separator.charCodeAt(0);
  // This encoding has one character for each byte, so positions in text and bytes are the same.
  let decoded: string | undefined;
  const text = () => {
    decoded ??= new TextDecoder("latin1").decode(bytes);
    return decoded;
  };
  const found: Found = { starts: integerList(), firsts: [], lines: [], quoted: new Map() };
  const { starts } = found;
  const cells = { code, starts };
  let [used, line] = [0, block.line];
  while (used < bytes.length) {
    const first = starts.length;
    append(starts, used);
    const end = lineEnd(bytes, used, cells);
    const quoted =
      bytes[end] === QUOTE ? quotedRow({ text: text(), bytes, isLast, separator, name }, used, line) : null;
    const next = quoted === null ? afterLineEnd(bytes, end, isLast) : quoted?.next;
    if (next === undefined) {
      starts.length = first;
      break;
    }
    addRow(found, { first, line, end, quoted: quoted ?? undefined, bytes });
    line = quoted?.line ?? line + 1;
    used = next;
  }
  found.firsts.push(starts.length);
  return { rows: readRows(bytes, { found, text, decimal: block.decimal }), used, line };
}

interface FoundRow {
  readonly first: number;
  readonly line: number;
  readonly end: number;
  readonly quoted: QuotedRow | undefined;
  readonly bytes: Uint8Array;
}

/** Adds a row, unless its line is empty. */
function addRow({ starts, firsts, lines, quoted }: Found, row: FoundRow): void {
  const { first, end, bytes } = row;
  if (row.quoted !== undefined) {
    starts.length = first;
    quoted.set(lines.length, row.quoted.cells);
  } else {
    append(starts, end + 1);
    const isSingle = starts.length - first === 2;
    if (isSingle && cellText(bytes, starts.values[first]!, end) === "") {
      starts.length = first;
      return;
    }
  }
  firsts.push(first);
  lines.push(row.line);
}

/** Appends the cells of a line after its first, and returns the position of its end or of the first quote in it. */
function lineEnd(
  bytes: Uint8Array,
  from: number,
  { code, starts }: { readonly code: number; readonly starts: IntegerList },
): number {
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === code) append(starts, at + 1);
    else if (byte === LINE_FEED || byte === RETURN || byte === QUOTE) return at;
  }
  return bytes.length;
}

/** Position after the line end at `end`; undefined if the line or the second half of CR LF may go on in the next block. */
function afterLineEnd(bytes: Uint8Array, end: number, isLast: boolean): number | undefined {
  if (end === bytes.length) return isLast ? end : undefined;
  if (bytes[end] !== RETURN) return end + 1;
  if (end + 1 === bytes.length && !isLast) return undefined;
  return bytes[end + 1] === LINE_FEED ? end + 2 : end + 1;
}

function readRows(
  bytes: Uint8Array,
  { found, text, decimal }: { readonly found: Found; readonly decimal: Decimal; text(): string },
): CsvRows {
  const { starts, firsts, lines, quoted } = found;
  const { values } = starts;
  const read = decimalReader(bytes, decimal.charCodeAt(0));
  return {
    count: lines.length,
    line: (row) => lines[row]!,
    width: (row) => quoted.get(row)?.length ?? firsts[row + 1]! - firsts[row]! - 1,
    cell(row, column) {
      const place = firsts[row]! + column;
      return quoted.get(row)?.[column] ?? cellText(bytes, values[place]!, values[place + 1]! - 1);
    },
    number(row, column) {
      if (quoted.size > 0 && quoted.has(row)) return numberOfText(quoted.get(row)![column]!, decimal);
      const place = firsts[row]! + column;
      const from = values[place]!;
      const to = values[place + 1]! - 1;
      const value = read(from, to);
      return Number.isNaN(value) ? numberOfText(text().slice(from, to).trim(), decimal) : value;
    },
  };
}

const decoder = new TextDecoder();

/** Text of a cell that keeps no longer text in memory. */
function cellText(bytes: Uint8Array, from: number, to: number): string {
  if (to - from > COPIED) return decoder.decode(bytes.subarray(from, to)).trim();
  let text = "";
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    if (byte > 127) return decoder.decode(bytes.subarray(from, to)).trim();
    text += String.fromCharCode(byte);
  }
  return text.trim();
}

/** Whole numbers in an array that grows. */
interface IntegerList {
  values: Int32Array;
  length: number;
}

function integerList(): IntegerList {
  return { values: new Int32Array(2 ** 12), length: 0 };
}

function append(list: IntegerList, value: number): void {
  if (list.length === list.values.length) {
    const longer = new Int32Array(2 * list.length);
    longer.set(list.values);
    list.values = longer;
  }
  list.values[list.length++] = value;
}
