import { CurvatureError } from "../../errors/index.ts";
import { type ColumnList, chooseColumns, nameOf } from "./chooseColumns.ts";
import { badCell, isEmpty } from "./numberOfCell.ts";
import { type Cell, placeOf, type TableFile, type TablePart } from "./table.ts";
import type { TextTokenizer, Tokens } from "./tokenizer.ts";

/** How text becomes inputs. */
export interface TokenizedOptions {
  readonly tokenizer: TextTokenizer;
  /** Names of the model's inputs. */
  readonly inputs: readonly string[];
  /** The column of text. */
  readonly columns?: ColumnList | undefined;
}

/** Names of columns that are taken for the text. */
const textNames = ["text", "sentence", "content", "prompt", "document"];

/**
 * A table with a column of text as one with a column of lists for each input of a model: token ids, masks (inputs with "mask" in their names) and
 * the types of tokens ("type" or "segment"). The text is the column that `columns` names, or one with a usual name, or the only one.
 *
 * @throws CurvatureError "argument" if the model has not one input of token ids, or the column of text cannot be found
 */
export function tokenizedTable(table: TableFile, { tokenizer, inputs, columns }: TokenizedOptions): TableFile {
  const text = textColumn(table, columns);
  const made = inputs.filter((input) => kindOf(input) !== "length").map((input) => [input, kindOf(input)] as const);
  const tokens = made.filter(([, kind]) => kind === "ids").map(([input]) => input);
  if (tokens.length !== 1) {
    throw new CurvatureError(
      "argument",
      `${tokenizer.name}: expected a model with one input of token ids, got ${tokens.join(", ") || "none"} among ${inputs.join(", ")}`,
    );
  }
  const others = Array.from({ length: table.columns }, (_, column) => column).filter((column) => column !== text);
  const names = [...made.map(([input]) => input), ...others.map((column) => table.names?.[column] ?? String(column))];
  const sourceOf = (column: number) => (column < made.length ? text : others[column - made.length]!);
  return {
    ...table,
    names,
    columns: names.length,
    namesGuessed: false,
    async *parts({ columns: wanted, ...pass }) {
      const sources = [...new Set(wanted.map(sourceOf))];
      for await (const part of table.parts({ ...pass, columns: sources })) {
        const encode = encoder(part, { table, text, tokenizer });
        yield {
          ...withoutNumbers(part),
          cell: (row, column) => {
            const kind = made[column]?.[1];
            return kind === undefined ? part.cell(row, sourceOf(column)) : listOf(encode(row), kind);
          },
        };
      }
    },
  };
}

type InputKind = "ids" | "mask" | "types" | "length";

function kindOf(input: string): InputKind {
  if (/mask/i.test(input)) return "mask";
  if (/type|segment/i.test(input)) return "types";
  return /len/i.test(input) ? "length" : "ids";
}

function listOf({ ids, types }: Tokens, kind: InputKind): Cell {
  if (kind === "mask") return ids.map(() => 1);
  return kind === "types" ? types : ids;
}

function withoutNumbers({ number: _, ...part }: TablePart): TablePart {
  return part;
}

/** The tokens of a row; those of the last row are kept, since its inputs are read one after the other. */
function encoder(
  part: TablePart,
  { table, text, tokenizer }: { readonly table: TableFile; readonly text: number; readonly tokenizer: TextTokenizer },
): (row: number) => Tokens {
  let last: { readonly row: number; readonly tokens: Tokens } | undefined;
  return (row) => {
    if (last?.row === row) return last.tokens;
    const cell = part.cell(row, text);
    if (typeof cell !== "string" || isEmpty(cell)) {
      throw badText(table, { part, row, text });
    }
    last = { row, tokens: tokenizer.encode(cell) };
    return last.tokens;
  };
}

function badText(
  table: TableFile,
  { part, row, text }: { readonly part: TablePart; readonly row: number; readonly text: number },
): CurvatureError {
  const { message } = badCell(placeOf(table, { part, row, column: text }), { cell: part.cell(row, text) });
  return new CurvatureError("data", message.replace("expected a finite number", "expected text for the tokenizer"));
}

function textColumn(table: TableFile, columns: ColumnList | undefined): number {
  if (columns !== undefined) {
    const { features } = chooseColumns(table, { columns, label: false });
    if (features.length === 1) return features[0]!;
    throw new CurvatureError(
      "argument",
      `${table.name}: expected one column of text for the tokenizer, got ${features.map((column) => nameOf(table, column)).join(", ")}`,
    );
  }
  const named = textNames.map((name) => table.names?.indexOf(name) ?? -1).find((column) => column >= 0);
  if (named !== undefined) return named;
  if (table.columns === 1) return 0;
  throw new CurvatureError(
    "argument",
    `${table.name}: expected a column ${textNames.slice(0, 3).join(", ")} for the tokenizer, or its name in columns (--columns); got ${table.names?.join(", ") ?? `${table.columns} columns without names`}`,
  );
}
