import { CurvatureError } from "../errors/index.ts";
import type { Tensor } from "../tensors/index.ts";
import type { Table } from "./readTable.ts";

/** Type of the targets of a data set: class labels 0, 1, ..., or numbers. */
export type TargetType = "class" | "number";

/** Options that choose the target column of a table. */
export interface LabelOptions {
  /**
   * Name of the target column, or its number from 0 (negative numbers count from the end: -1 is the last); false if the table has no
   * targets. The last column by default.
   */
  readonly label?: number | string | false;
  /** "class" (the default): whole numbers from 0, kept as int32. "number": float32. */
  readonly targetType?: TargetType;
}

/**
 * Splits a table into features `[rows, columns - 1]` in float64 and targets `[rows]`.
 *
 * @throws CurvatureError if there is no such column or no other column, or a class label is negative or not a whole number
 */
export function splitTable(
  table: Table,
  { label, targetType = "class" }: LabelOptions = {},
): { readonly features: Tensor; readonly targets?: Tensor } {
  const { rows, columns, values } = table;
  const target = label === false ? undefined : labelColumn(table, label);
  if (target === undefined) return { features: { data: values, dims: [rows, columns] } };
  if (columns === 1) {
    throw new CurvatureError(
      "data",
      `${table.name}: expected feature columns beside the label column, got one column; say label: false if it is a feature`,
    );
  }
  const features = new Float64Array(rows * (columns - 1));
  const targets = targetType === "class" ? new Int32Array(rows) : new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const cells = values.subarray(row * columns, (row + 1) * columns);
    features.set(cells.subarray(0, target), row * (columns - 1));
    features.set(cells.subarray(target + 1), row * (columns - 1) + target);
    const value = cells[target]!;
    if (targetType === "class" && !isLabel(value)) {
      throw new CurvatureError(
        "data",
        `${table.place(row, target)}: expected a class label 0, 1, 2, ..., got ${value}; is this the label column?`,
      );
    }
    targets[row] = value;
  }
  return { features: { data: features, dims: [rows, columns - 1] }, targets: { data: targets, dims: [rows] } };
}

function isLabel(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < 2 ** 31;
}

function labelColumn({ name, names, columns }: Table, label: number | string = columns - 1): number {
  const named = names?.indexOf(String(label)) ?? -1;
  if (typeof label === "string" && named >= 0) return named;
  const number = typeof label === "number" || /^\s*-?\d+\s*$/.test(label) ? Number(label) : Number.NaN;
  const column = number < 0 ? number + columns : number;
  if (Number.isInteger(column) && column >= 0 && column < columns) return column;
  throw new CurvatureError(
    "argument",
    `${name}: there is no label column ${JSON.stringify(label)}; expected ${columnChoices(names, columns)}`,
  );
}

function columnChoices(names: readonly string[] | undefined, columns: number): string {
  const numbers = `a number from 0 to ${columns - 1} (or -1 for the last)`;
  if (names === undefined) return `${numbers}, since the file has no header`;
  const shown = names.length > 12 ? [...names.slice(0, 10), "...", names.at(-1)] : names;
  return `${shown.join(", ")}, or ${numbers}`;
}
