import { CurvatureError } from "../errors/index.ts";

/** A row of a CSV file as text. */
export interface CsvRecord {
  readonly cells: readonly string[];
  /** Line where the row begins, counted from 1. */
  readonly line: number;
}

/** Bytes that are decoded to text at once. */
const BLOCK = 2 ** 20;
/** Longest row; JavaScript strings are not longer. */
const LONGEST = 2 ** 28;

const QUOTE = '"';

/**
 * Rows of a CSV file (RFC 4180) one after the other: lines end with LF, CR or both; space around cells is removed; a quoted cell may
 * contain separators, line ends and doubled quotes. Empty lines are skipped. Memory holds one block of text or one row, whichever is
 * longer.
 *
 * This is not a library, because it must read a row of 20 MB in less than a second and with a few bytes of memory per cell.
 *
 * @param options `separator` is one ASCII character, `name` is the file's name in messages
 * @throws CurvatureError "file" for quotes in the wrong place and rows beyond 2^28 bytes
 */
export function* csvRecords(
  bytes: Uint8Array,
  { separator, name }: { readonly separator: string; readonly name: string },
): Generator<CsvRecord> {
  let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  let line = 1;
  let size = BLOCK;
  while (at < bytes.length) {
    const end = Math.min(at + size, bytes.length);
    const block = makeBlock(bytes.subarray(at, end), { isLast: end === bytes.length, separator, name });
    let place = 0;
    for (let row = nextRow(block, place, line); row !== undefined; row = nextRow(block, place, line)) {
      if (row.cells !== undefined) yield { cells: row.cells, line };
      [place, line] = [row.next, row.line];
    }
    at += place;
    if (block.isLast) return;
    // For a row longer than the block, enlarge the block, so that a byte is decoded about twice at most.
    size = place === 0 ? 2 * size : BLOCK;
    if (size > LONGEST) throw malformed(name, `line ${line} goes on for more than ${LONGEST} bytes`);
  }
}

/**
 * As `csvRecords`, for a file that arrives in chunks: the rows that end within each chunk, in lists. Memory holds one chunk or one row,
 * whichever is longer.
 */
export async function* csvRecordLists(
  chunks: AsyncIterable<Uint8Array>,
  { separator, name }: { readonly separator: string; readonly name: string },
): AsyncGenerator<readonly CsvRecord[]> {
  let [rest, line, first] = [new Uint8Array(0), 1, true];
  // A row longer than a chunk is looked at again only when twice as many bytes have come.
  let enough = 0;
  const rows = (bytes: Uint8Array, isLast: boolean) => {
    const found: CsvRecord[] = [];
    const block = makeBlock(bytes, { isLast, separator, name });
    let place = 0;
    for (let row = nextRow(block, place, line); row !== undefined; row = nextRow(block, place, line)) {
      if (row.cells !== undefined) found.push({ cells: row.cells, line });
      [place, line] = [row.next, row.line];
    }
    rest = bytes.slice(place);
    enough = place === 0 ? 2 * bytes.length : 0;
    return found;
  };
  for await (const chunk of chunks) {
    const marked = first && chunk[0] === 0xef && chunk[1] === 0xbb && chunk[2] === 0xbf;
    rest = joined(rest, marked ? chunk.subarray(3) : chunk);
    first = false;
    if (rest.length > LONGEST) throw malformed(name, `line ${line} goes on for more than ${LONGEST} bytes`);
    if (rest.length < enough) continue;
    const found = rows(rest, false);
    if (found.length > 0) yield found;
  }
  if (rest.length > 0) yield rows(rest, true);
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

interface Block {
  /** One character per byte. */
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly isLast: boolean;
  readonly separator: string;
  readonly name: string;
  /** Position of the next LF, CR or quote; infinite if there is none. */
  readonly next: (wanted: "\n" | "\r" | typeof QUOTE, from: number) => number;
}

function makeBlock(
  bytes: Uint8Array,
  rest: { readonly isLast: boolean; readonly separator: string; readonly name: string },
): Block {
  // This encoding has one character for each byte, so positions in text and bytes are the same.
  const text = new TextDecoder("latin1").decode(bytes);
  const known = new Map<string, number>();
  const next: Block["next"] = (wanted, from) => {
    const before = known.get(wanted) ?? -1;
    if (before >= from) return before;
    const found = text.indexOf(wanted, from);
    const place = found < 0 ? Number.POSITIVE_INFINITY : found;
    known.set(wanted, place);
    return place;
  };
  return { ...rest, text, bytes, next };
}

interface Row {
  /** Absent for an empty line. */
  readonly cells?: readonly string[];
  /** Position after its line end, and the number of the line there. */
  readonly next: number;
  readonly line: number;
}

/** The row at a position of a block; undefined at the end of the block, or if the row continues beyond it. */
function nextRow(block: Block, place: number, line: number): Row | undefined {
  const { text, isLast, next } = block;
  if (place >= text.length) return undefined;
  const end = Math.min(next("\n", place), next("\r", place), text.length);
  if (next(QUOTE, place) < end) return quotedRow(block, place, line);
  const after = afterLineEnd(block, end);
  if (after === undefined || (end === text.length && !isLast)) return undefined;
  const cells = plainCells(block, place, end);
  return { next: after, line: line + 1, ...(cells.length === 1 && cells[0] === "" ? {} : { cells }) };
}

/** Cells of a line without quotes. */
function plainCells(block: Block, from: number, to: number): readonly string[] {
  const line = block.text.slice(from, to);
  const cells = line.split(block.separator);
  if (isAscii(line)) {
    for (let i = 0; i < cells.length; i++) if (hasOuterSpace(cells[i]!)) cells[i] = cells[i]!.trim();
    return cells;
  }
  let start = from;
  return cells.map(({ length }) => {
    const cell = cellText(block, start, start + length);
    start += length + 1;
    return cell;
  });
}

function isAscii(text: string): boolean {
  return /^[\0-\x7f]*$/.test(text);
}

function hasOuterSpace(cell: string): boolean {
  return cell.charCodeAt(0) <= 32 || cell.charCodeAt(cell.length - 1) <= 32;
}

/** Position after the line end at `end`; undefined if the second half of CR LF may lie in the next block. */
function afterLineEnd({ text, isLast }: Block, end: number): number | undefined {
  if (text[end] !== "\r") return end + 1;
  if (end + 1 === text.length && !isLast) return undefined;
  return text[end + 1] === "\n" ? end + 2 : end + 1;
}

function cellText({ text, bytes }: Block, from: number, to: number): string {
  const cell = text.slice(from, to);
  return (isAscii(cell) ? cell : new TextDecoder().decode(bytes.subarray(from, to))).trim();
}

/** Parses a row with quotes, character by character. */
function quotedRow(block: Block, start: number, firstLine: number): Row | undefined {
  const { text, isLast, name, separator } = block;
  const cells: string[] = [];
  let [place, line] = [start, firstLine];
  for (;;) {
    const cell =
      text[skipSpace(block, place)] === QUOTE ? quotedCell(block, place, line) : plainCell(block, place, line);
    if (cell === undefined) return undefined;
    cells.push(cell.value);
    [place, line] = [cell.end, cell.line];
    if (place >= text.length) return isLast ? { cells, next: place, line } : undefined;
    if (text[place] === separator) {
      place++;
      continue;
    }
    if (text[place] !== "\n" && text[place] !== "\r") {
      throw malformed(
        name,
        `Invalid Closing Quote: line ${line} goes on after a quote; double the quotes inside a cell`,
      );
    }
    const after = afterLineEnd(block, place);
    return after === undefined ? undefined : { cells, next: after, line: line + 1 };
  }
}

function skipSpace({ text, separator }: Block, from: number): number {
  let place = from;
  while ((text[place] === " " || text[place] === "\t") && text[place] !== separator) place++;
  return place;
}

interface Cell {
  readonly value: string;
  readonly end: number;
  readonly line: number;
}

function plainCell(block: Block, from: number, line: number): Cell {
  const { text, name, separator, next } = block;
  const found = text.indexOf(separator, from);
  const end = Math.min(found < 0 ? text.length : found, next("\n", from), next("\r", from), text.length);
  if (text.slice(from, end).includes(QUOTE)) {
    throw malformed(
      name,
      `Invalid Opening Quote: a cell in line ${line} has a quote inside; put the whole cell in quotes`,
    );
  }
  return { value: cellText(block, from, end), end, line };
}

function quotedCell(block: Block, from: number, firstLine: number): Cell | undefined {
  const { text, bytes, isLast, name } = block;
  const start = skipSpace(block, from) + 1;
  let close = text.indexOf(QUOTE, start);
  while (close >= 0 && text[close + 1] === QUOTE) close = text.indexOf(QUOTE, close + 2);
  if (close < 0 || (close + 1 === text.length && !isLast)) {
    if (!isLast) return undefined;
    throw malformed(name, `Quote Not Closed: the quote opens in line ${firstLine}`);
  }
  const value = new TextDecoder().decode(bytes.subarray(start, close)).replaceAll('""', QUOTE);
  const lines = value.split(/\r\n|\r|\n/).length - 1;
  return { value: value.trim(), end: skipSpace(block, close + 1), line: firstLine + lines };
}

function malformed(name: string, why: string): CurvatureError {
  return new CurvatureError("file", `${name}: expected CSV text, but ${why}`);
}
