import { CurvatureError } from "../../errors/index.ts";
import { nameOf } from "./chooseColumns.ts";
import type { LabelCodes, TargetType } from "./labelCodes.ts";
import { isList, writeList } from "./lists.ts";
import { badCell, numberOfCell } from "./numberOfCell.ts";
import { describePlace, type Place, placeOf, type TableFile, type TablePart } from "./table.ts";
import type { PlannedInput, TablePlan } from "./tablePlan.ts";

/** Arrays that the numbers of a part are written to. */
export interface RowArrays {
  readonly inputs: readonly Float64Array[];
  readonly targets?: Float64Array;
  readonly weights?: Float64Array;
}

/** How cells become numbers. */
export interface RowReading {
  readonly table: TableFile;
  readonly plan: TablePlan;
  readonly targetType: TargetType;
  readonly codes: LabelCodes;
}

/** Numbers of each row that a plan reads. */
export function sizesOf({ inputs, labels }: TablePlan): {
  readonly inputs: readonly number[];
  readonly targets: number;
} {
  const size = (dims: readonly number[]) => dims.reduce((product, dim) => product * dim, 1);
  return { inputs: inputs.map(({ dims }) => size(dims)), targets: labels.columns.length === 0 ? 0 : size(labels.dims) };
}

/** Arrays for a number of rows. */
export function rowArrays(plan: TablePlan, rows: number): RowArrays {
  const { inputs, targets } = sizesOf(plan);
  return {
    inputs: inputs.map((size) => new Float64Array(rows * size)),
    ...(targets > 0 && { targets: new Float64Array(rows * targets) }),
    ...(plan.weights !== undefined && { weights: new Float64Array(rows) }),
  };
}

/**
 * Writes the cells of all rows of a part as numbers, from row `at` of the arrays on: the one place where the cells of any format are checked.
 *
 * @throws CurvatureError "data" naming file, line, row and column of the first cell that is empty, no number, NaN or infinite, or no label
 */
export function fillRows(
  part: TablePart,
  { reading, into, at }: { readonly reading: RowReading; readonly into: RowArrays; readonly at: number },
): void {
  const { plan } = reading;
  const sizes = sizesOf(plan);
  for (let row = 0; row < part.rows; row++) {
    for (const [i, input] of plan.inputs.entries()) {
      const size = sizes.inputs[i]!;
      writeInput(part, { reading, input, row, into: into.inputs[i]!, at: (at + row) * size });
    }
    if (into.targets !== undefined)
      writeTargets(part, { reading, row, into: into.targets, at: (at + row) * sizes.targets });
    if (into.weights !== undefined) into.weights[at + row] = weightOf(part, { reading, row });
  }
}

interface Written {
  readonly reading: RowReading;
  readonly row: number;
  readonly into: Float64Array;
  readonly at: number;
}

function writeInput(
  part: TablePart,
  { reading: { table }, input, row, into, at }: Written & { readonly input: PlannedInput },
): void {
  const { columns, dims, padding, of } = input;
  if (input.lists) {
    const cell = part.cell(row, columns[0]!);
    const place = () => placeOf(table, { part, row, column: columns[0]! });
    if (of === "cells") writeList(cell, { dims, padding, into, at, place });
    else if (!isList(cell)) throw badCell(place(), { cell });
    else if (of === "length") into[at] = cell.length;
    else into.fill(1, at, at + cell.length);
    return;
  }
  for (let i = 0; i < columns.length; i++) {
    into[at + i] = finiteNumber(part, { table, row, column: columns[i]! });
  }
}

function weightOf(part: TablePart, { reading, row }: Pick<Written, "reading" | "row">): number {
  const { table, plan } = reading;
  const column = plan.weights!;
  const weight = finiteNumber(part, { table, row, column });
  if (weight >= 0) return weight;
  const place = describePlace(placeOf(table, { part, row, column }));
  throw new CurvatureError("data", `${place}: expected a row weight of 0 or more, got ${weight}`);
}

/**
 * Checks the row weights of a whole table.
 *
 * @throws CurvatureError "data" if all are 0
 */
export function checkWeights({ table, plan }: RowReading, some: boolean): void {
  if (plan.weights === undefined || some) return;
  const where = `${table.name}: column ${nameOf(table, plan.weights)}`;
  throw new CurvatureError("data", `${where}: expected row weights of which one is positive, got 0 in all rows`);
}

interface CellPlace {
  readonly table: TableFile;
  readonly row: number;
  readonly column: number;
}

function finiteNumber(part: TablePart, { table, row, column }: CellPlace): number {
  const value = part.number?.(row, column) ?? numberOfCell(part.cell(row, column), table.decimal);
  if (Number.isFinite(value)) return value;
  throw badCell(placeOf(table, { part, row, column }), { cell: part.cell(row, column), decimal: table.decimal });
}

function writeTargets(part: TablePart, { reading, row, into, at }: Written): void {
  const { table, plan, targetType, codes } = reading;
  const { columns, dims, padding, lists } = plan.labels;
  for (let i = 0; i < columns.length; i++) {
    const column = columns[i]!;
    const place = () => placeOf(table, { part, row, column });
    if (lists) writeList(part.cell(row, column), { dims, padding, into, at, place });
    else if (targetType === "class" && columns.length === 1) into[at] = labelOf(part, { codes, row, column, place });
    else into[at + i] = finiteNumber(part, { table, row, column });
  }
}

interface LabelPlace {
  readonly codes: LabelCodes;
  readonly row: number;
  readonly column: number;
  readonly place: () => Place;
}

function labelOf(part: TablePart, { codes, row, column, place }: LabelPlace): number {
  const value = codes.named ? Number.NaN : (part.number?.(row, column) ?? Number.NaN);
  return codes.code(Number.isFinite(value) ? value : part.cell(row, column), place);
}
