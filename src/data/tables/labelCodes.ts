import { CurvatureError } from "../../errors/index.ts";
import { badCell, isEmpty, isNotFinite, numberOfCell } from "./numberOfCell.ts";
import { type Cell, type Decimal, describePlace, type Place } from "./table.ts";

/** Kind of the targets of a data set: class labels 0, 1, ..., or numbers. */
export type TargetType = "class" | "number";

/**
 * Labels of the cells of one column, in the order of the rows: whole numbers 0, 1, ... as they are, or names of classes. The labels of names are
 * known after the first pass: names are sorted by their characters, as scikit-learn and torchvision do, and numbered from 0.
 */
export interface LabelCodes {
  /** Whether cells are names even where they look like numbers. */
  readonly named: boolean;
  /** The number of a label, or the code of a name: its place in the order of first occurrence, until `settle` was called. */
  code(cell: Cell, place: () => Place): number;
  /** Ends the first pass. Returns the names in the order of their labels, and the label of each code; undefined for numbers. */
  settle(rows: number): { readonly names: readonly string[]; readonly labels: readonly number[] } | undefined;
}

/** More names than this, and more than one for two rows, are no classes. */
const MANY_NAMES = 100;

/**
 * @param options `classes` fixes the names and their order; `decimal` is that of the table; `where` names the column in messages
 */
export function labelCodes({
  classes,
  decimal,
  where,
}: {
  readonly classes?: readonly string[] | undefined;
  readonly decimal?: Decimal | undefined;
  readonly where: string;
}): LabelCodes {
  const codes = new Map<string, number>(classes?.map((name, i) => [name, i]));
  let firstName: { readonly place: Place; readonly text: string } | undefined;
  let firstNumber: { readonly place: Place; readonly value: number } | undefined;
  let settled = classes !== undefined;
  const named = (text: string, place: () => Place) => {
    firstName ??= { place: place(), text };
    if (firstNumber !== undefined) throw mixture(firstName, firstNumber);
    const known = codes.get(text);
    if (known !== undefined) return known;
    if (settled) throw unknownName(place(), { text, names: [...codes.keys()] });
    codes.set(text, codes.size);
    return codes.size - 1;
  };
  const numbered = (value: number, place: () => Place) => {
    if (!isLabel(value)) throw noLabel(place(), value);
    firstNumber ??= { place: place(), value };
    if (firstName !== undefined) throw mixture(firstName, firstNumber);
    return value;
  };
  return {
    named: classes !== undefined,
    code(cell, place) {
      if (classes !== undefined) return named(String(cell), place);
      const value = numberOfCell(cell, decimal);
      if (Number.isFinite(value)) return numbered(value, place);
      if (typeof cell !== "string" || isEmpty(cell) || isNotFinite(cell)) throw badCell(place(), { cell, decimal });
      return named(cell, place);
    },
    settle(rows) {
      if (codes.size === 0) return undefined;
      const names = classes ?? sortedNames(codes, { rows, where });
      const labels: number[] = [];
      for (const [label, name] of names.entries()) labels[codes.get(name)!] = label;
      if (!settled) for (const [label, name] of names.entries()) codes.set(name, label);
      settled = true;
      return { names, labels };
    },
  };
}

function sortedNames(
  codes: ReadonlyMap<string, number>,
  { rows, where }: { readonly rows: number; readonly where: string },
): readonly string[] {
  const [first] = codes.keys();
  if (codes.size > MANY_NAMES && 2 * codes.size > rows) {
    throw new CurvatureError(
      "data",
      `${where}: expected names of classes, got ${codes.size} different ones in ${rows} rows, as ${JSON.stringify(first)}; is this the label column?`,
    );
  }
  return [...codes.keys()].sort();
}

function isLabel(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < 2 ** 31;
}

function noLabel(place: Place, value: number): CurvatureError {
  return new CurvatureError(
    "data",
    `${describePlace(place)}: expected a class label 0, 1, 2, ..., got ${value}; is this the label column?`,
  );
}

function mixture(
  { place, text }: { readonly place: Place; readonly text: string },
  number: { readonly place: Place; readonly value: number },
): CurvatureError {
  const header =
    place.row === 0 && place.names === undefined ? "; if this line names the columns, say header: true" : "";
  const other = number.place.line === undefined ? `row ${number.place.row}` : `line ${number.place.line}`;
  return new CurvatureError(
    "data",
    `${describePlace(place)}: expected a finite number, got ${JSON.stringify(text.slice(0, 40))}${header}; ` +
      `labels are either all numbers or all names, and ${other} has ${number.value}`,
  );
}

function unknownName(
  place: Place,
  { text, names }: { readonly text: string; readonly names: readonly string[] },
): CurvatureError {
  const shown = names.length > 12 ? [...names.slice(0, 11), "..."] : names;
  return new CurvatureError(
    "data",
    `${describePlace(place)}: expected a class among ${shown.join(", ")}, got ${JSON.stringify(text.slice(0, 40))}`,
  );
}
