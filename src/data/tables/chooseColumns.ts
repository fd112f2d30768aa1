import { CurvatureError } from "../../errors/index.ts";
import type { TableFile } from "./table.ts";

/** A column by its name or its number from 0 (negative numbers count from the end: -1 is the last). */
export type ColumnName = number | string;

/** One column or several; a text may list several with commas: `"y0,y1"`. */
export type ColumnList = ColumnName | readonly ColumnName[];

/** Options that say what each column of a table is. */
export interface ColumnOptions {
  /** Columns of the targets, or false if the table has none. The last column by default. */
  readonly label?: ColumnList | false;
  /** Columns that are no inputs, for example an identifier. */
  readonly drop?: ColumnList;
  /** Columns that are inputs, in this order; default: all but the label and those dropped. */
  readonly columns?: ColumnList;
  /** Column with the factor of each row's loss, 0 or more. */
  readonly rowWeights?: ColumnName;
}

/** Numbers of the columns of the inputs and of the targets. */
export interface ChosenColumns {
  readonly features: readonly number[];
  readonly labels: readonly number[];
  /** Number of the column of row weights. */
  readonly weights?: number;
}

type Columns = Pick<TableFile, "name" | "names" | "columns">;

/**
 * Columns of inputs and targets.
 *
 * @throws CurvatureError "argument" for a column that does not exist, is named twice, or is both dropped and used; "data" if no column is left
 *   for the inputs
 */
export function chooseColumns(table: Columns, options: ColumnOptions = {}): ChosenColumns {
  const { label, drop, columns, rowWeights } = options;
  const labels = label === false ? [] : numbersOf(table, { list: label ?? -1, role: "label column" });
  const dropped = drop === undefined ? [] : numbersOf(table, { list: drop, role: "column to drop" });
  const chosen = columns === undefined ? undefined : numbersOf(table, { list: columns, role: "column" });
  const clash = [...labels, ...(chosen ?? [])].find((column) => dropped.includes(column));
  const both = chosen?.find((column) => labels.includes(column));
  if (clash !== undefined) {
    throw twoRoles(table, {
      column: clash,
      roles: `dropped and ${labels.includes(clash) ? "the label" : "an input"}`,
      label,
    });
  }
  if (both !== undefined) throw twoRoles(table, { column: both, roles: "an input and the label", label });
  const weights = rowWeights === undefined ? undefined : weightColumn(table, { rowWeights, labels, chosen, label });
  const all = Array.from({ length: table.columns }, (_, column) => column);
  const features =
    chosen ?? all.filter((column) => !labels.includes(column) && !dropped.includes(column) && column !== weights);
  if (features.length > 0) return { features, labels, ...(weights !== undefined && { weights }) };
  const rest = table.columns === 1 ? "one column; say label: false if it is a feature" : "none; check label and drop";
  throw new CurvatureError("data", `${table.name}: expected feature columns beside the label column, got ${rest}`);
}

interface WeightColumn {
  readonly label: ColumnOptions["label"] | undefined;
  readonly rowWeights: ColumnName;
  readonly labels: readonly number[];
  readonly chosen: readonly number[] | undefined;
}

function weightColumn(table: Columns, { rowWeights, labels, chosen, label }: WeightColumn): number {
  const column = numberOfColumn(table, rowWeights, "column of row weights");
  if (labels.includes(column)) throw twoRoles(table, { column, roles: "the row weights and the label", label });
  if (chosen?.includes(column)) throw twoRoles(table, { column, roles: "the row weights and an input", label });
  return column;
}

function twoRoles(
  table: Columns,
  {
    column,
    roles,
    label,
  }: { readonly column: number; readonly roles: string; readonly label: ColumnOptions["label"] | undefined },
): CurvatureError {
  const advice = label === undefined ? "; name the label column (--label), the last by default" : "";
  return new CurvatureError(
    "argument",
    `${table.name}: column ${nameOf(table, column)} cannot be both ${roles}${advice}`,
  );
}

/** A column in a message. */
export function nameOf({ names }: Pick<Columns, "names">, column: number): string {
  return names?.[column] === undefined ? String(column) : `"${names[column]}"`;
}

function numbersOf(
  table: Columns,
  { list, role }: { readonly list: ColumnList; readonly role: string },
): readonly number[] {
  const found = asList(table, list).map((column) => numberOfColumn(table, column, role));
  const twice = found.find((column, i) => found.indexOf(column) < i);
  if (twice === undefined) return found;
  throw new CurvatureError("argument", `${table.name}: ${role} ${nameOf(table, twice)} is named twice`);
}

/** A text that is no column's name is split at its commas. */
function asList({ names }: Columns, list: ColumnList): readonly ColumnName[] {
  if (typeof list === "number") return [list];
  if (typeof list !== "string") return list;
  return names?.includes(list) ? [list] : list.split(",").map((name) => name.trim());
}

/**
 * Number of a column.
 *
 * @param role what the column is for, for the message
 */
export function numberOfColumn({ name, names, columns }: Columns, asked: ColumnName, role: string): number {
  const named = names?.indexOf(String(asked)) ?? -1;
  if (typeof asked === "string" && named >= 0) return named;
  const number = typeof asked === "number" || /^\s*-?\d+\s*$/.test(asked) ? Number(asked) : Number.NaN;
  const column = number < 0 ? number + columns : number;
  if (Number.isInteger(column) && column >= 0 && column < columns) return column;
  throw new CurvatureError(
    "argument",
    `${name}: there is no ${role} ${JSON.stringify(asked)}; expected ${columnChoices(names, columns)}`,
  );
}

function columnChoices(names: readonly string[] | undefined, columns: number): string {
  const numbers = `a number from 0 to ${columns - 1} (or -1 for the last)`;
  if (names === undefined) return `${numbers}, since the file has no header`;
  const shown = names.length > 12 ? [...names.slice(0, 10), "...", names.at(-1)] : names;
  return `${shown.join(", ")}, or ${numbers}`;
}
