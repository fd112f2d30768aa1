import { CurvatureError } from "../../errors/index.ts";
import type { ByteStream } from "../streamSource.ts";
import { type Cell, describePlace, type TableFile, type TablePart } from "./table.ts";

/** Longest line; JavaScript strings are not longer. */
const LONGEST = 2 ** 28;

interface JsonRow {
  readonly line: number;
  readonly value: { readonly [key: string]: Cell } | readonly Cell[];
}

/**
 * The rows of a JSON lines file: one object a line, whose keys are the columns of the first, or one list a line. Empty lines are skipped.
 *
 * @throws CurvatureError "file" for a line that is no JSON object or list, and for a file without rows; while rows are read, "data" for a row
 *   with other columns than the first
 */
export async function jsonTable(
  stream: ByteStream,
  { heldBytes, mostRows }: { readonly heldBytes: number; readonly mostRows?: number },
): Promise<TableFile> {
  const { name } = stream;
  const first = await firstRow(stream);
  if (first === undefined)
    throw new CurvatureError("file", `${name}: expected rows as JSON, one a line, got an empty file`);
  const isList = Array.isArray(first.value);
  const names = isList ? undefined : Object.keys(first.value);
  const columns = isList ? (first.value as readonly Cell[]).length : names!.length;
  if (columns === 0)
    throw new CurvatureError("data", `${name}: line ${first.line}: expected columns, got ${isList ? "[]" : "{}"}`);
  const table = { name, columns, heldBytes, ...(names && { names }), ...(mostRows && { mostRows }) };
  return {
    ...table,
    async *parts({ from = 0, to = Number.POSITIVE_INFINITY, signal }) {
      let start = 0;
      for await (const rows of rowLists(stream, signal)) {
        const [first, last] = [Math.max(from - start, 0), Math.min(to - start, rows.length)];
        if (first < last) yield partOf(rows.slice(first, last), { ...table, start: start + first });
        start += rows.length;
        if (start >= to) return;
      }
    },
  };
}

async function firstRow(stream: ByteStream): Promise<JsonRow | undefined> {
  for await (const rows of rowLists(stream)) if (rows.length > 0) return rows[0];
  return undefined;
}

function partOf(
  rows: readonly JsonRow[],
  { start, ...table }: Pick<TableFile, "name" | "names" | "columns"> & { readonly start: number },
): TablePart {
  for (const [i, row] of rows.entries()) {
    const wrong = otherColumns(row.value, table);
    if (wrong === undefined) continue;
    throw new CurvatureError("data", `${describePlace({ ...table, line: row.line, row: start + i })}: ${wrong}`);
  }
  const { names } = table;
  return {
    start,
    rows: rows.length,
    cell:
      names === undefined
        ? (row, column) => (rows[row]!.value as readonly Cell[])[column]
        : (row, column) => (rows[row]!.value as { readonly [key: string]: Cell })[names[column]!],
    line: (row) => rows[row]!.line,
  };
}

/** What is wrong with the columns of a row. A missing key is an empty cell, which only matters if the column is read. */
function otherColumns(
  value: JsonRow["value"],
  { names, columns }: Pick<TableFile, "names" | "columns">,
): string | undefined {
  if (Array.isArray(value)) {
    if (names !== undefined) return "expected an object as in the first line, got a list";
    return value.length === columns
      ? undefined
      : `expected ${columns} columns as in the first line, got ${value.length}`;
  }
  if (names === undefined) return "expected a list as in the first line, got an object";
  const other = Object.keys(value).find((key) => !names.includes(key));
  return other === undefined
    ? undefined
    : `expected the columns ${names.join(", ")} of the first line, got also ${JSON.stringify(other)}`;
}

/** The rows whose lines end within each chunk of the file. */
async function* rowLists({ name, chunks }: ByteStream, signal?: AbortSignal): AsyncGenerator<readonly JsonRow[]> {
  const decoder = new TextDecoder("utf-8");
  let pending: string[] = [];
  let pendingLength = 0;
  let line = 1;
  const parsed = (lines: readonly string[]) =>
    lines.flatMap((text) => {
      const at = line++;
      return text.trim() === "" ? [] : [{ line: at, value: parseRow(text, { name, line: at }) }];
    });
  for await (const chunk of chunks(signal)) {
    const lines = decoder.decode(chunk, { stream: true }).split("\n");
    pending.push(lines[0]!);
    pendingLength += lines[0]!.length;
    if (pendingLength > LONGEST)
      throw new CurvatureError("file", `${name}: line ${line} goes on for more than ${LONGEST} characters`);
    if (lines.length === 1) continue;
    const last = lines.pop()!;
    const rows = parsed([pending.join(""), ...lines.slice(1)]);
    [pending, pendingLength] = [[last], last.length];
    if (rows.length > 0) yield rows;
  }
  const rows = parsed([pending.join("") + decoder.decode()]);
  if (rows.length > 0) yield rows;
}

function parseRow(text: string, { name, line }: { readonly name: string; readonly line: number }): JsonRow["value"] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const why = /(?<!["\w])-?(NaN|Infinity)(?!["\w])/.exec(text)?.[1];
    const advice =
      why === undefined
        ? 'a file that is one JSON list becomes one row a line by jq -c ".[]"'
        : `${why} is no number of JSON; repair or leave out such rows`;
    throw new CurvatureError(
      "file",
      `${name}: line ${line}: expected one JSON object or list a line, got ${JSON.stringify(text.slice(0, 40))}; ${advice}`,
      { cause },
    );
  }
  if (typeof value === "object" && value !== null) return value as JsonRow["value"];
  throw new CurvatureError(
    "file",
    `${name}: line ${line}: expected one JSON object or list a line, got ${JSON.stringify(value).slice(0, 40)}`,
  );
}
