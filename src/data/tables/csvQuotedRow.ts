import { CurvatureError } from "../../errors/index.ts";

/** A row with quotes, which may take several lines. */
export interface QuotedRow {
  readonly cells: readonly string[];
  /** Position after its line end, and the number of the line there. */
  readonly next: number;
  readonly line: number;
}

/** Text that a row is part of. */
export interface QuotedBlock {
  /** One character per byte. */
  readonly text: string;
  readonly bytes: Uint8Array;
  /** Whether the file ends here. */
  readonly isLast: boolean;
  readonly separator: string;
  readonly name: string;
}

const QUOTE = '"';
const decoder = new TextDecoder();

/**
 * Parses the row at a position, which has quotes.
 *
 * @param firstLine number of its line
 * @returns undefined if the row goes on beyond the block
 * @throws CurvatureError "file" for a quote in the wrong place or one that is not closed
 */
export function quotedRow(block: QuotedBlock, start: number, firstLine: number): QuotedRow | undefined {
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
      throw malformedCsv(
        name,
        `Invalid Closing Quote: line ${line} goes on after a quote; double the quotes inside a cell`,
      );
    }
    const after = afterLineEnd(block, place);
    return after === undefined ? undefined : { cells, next: after, line: line + 1 };
  }
}

/** Position after the line end at `end`; undefined if the second half of CR LF may lie in the next block. */
function afterLineEnd({ text, isLast }: QuotedBlock, end: number): number | undefined {
  if (text[end] !== "\r") return end + 1;
  if (end + 1 === text.length && !isLast) return undefined;
  return text[end + 1] === "\n" ? end + 2 : end + 1;
}

function skipSpace({ text, separator }: QuotedBlock, from: number): number {
  let place = from;
  while ((text[place] === " " || text[place] === "\t") && text[place] !== separator) place++;
  return place;
}

interface Cell {
  readonly value: string;
  readonly end: number;
  readonly line: number;
}

function plainCell(block: QuotedBlock, from: number, line: number): Cell {
  const { text, name, separator } = block;
  let end = from;
  while (end < text.length && text[end] !== separator && text[end] !== "\n" && text[end] !== "\r") end++;
  if (text.slice(from, end).includes(QUOTE)) {
    throw malformedCsv(
      name,
      `Invalid Opening Quote: a cell in line ${line} has a quote inside; put the whole cell in quotes`,
    );
  }
  return { value: decoder.decode(block.bytes.subarray(from, end)).trim(), end, line };
}

function quotedCell(block: QuotedBlock, from: number, firstLine: number): Cell | undefined {
  const { text, bytes, isLast, name } = block;
  const start = skipSpace(block, from) + 1;
  let close = text.indexOf(QUOTE, start);
  while (close >= 0 && text[close + 1] === QUOTE) close = text.indexOf(QUOTE, close + 2);
  if (close < 0 || (close + 1 === text.length && !isLast)) {
    if (!isLast) return undefined;
    throw malformedCsv(name, `Quote Not Closed: the quote opens in line ${firstLine}`);
  }
  const value = decoder.decode(bytes.subarray(start, close)).replaceAll('""', QUOTE);
  const lines = /[\r\n]/.test(value) ? value.split(/\r\n|\r|\n/).length - 1 : 0;
  return { value: value.trim(), end: skipSpace(block, close + 1), line: firstLine + lines };
}

/** Error for text that is not CSV. */
export function malformedCsv(name: string, why: string): CurvatureError {
  return new CurvatureError("file", `${name}: expected CSV text, but ${why}`);
}
