import { CurvatureError } from "../../errors/index.ts";
import type { Cell, Decimal, Place } from "./table.ts";
import { describePlace } from "./table.ts";

/** The number of a text in decimal notation (-1, 2.5, .5, 1e-3), or NaN. */
export function numberOfText(text: string, decimal: Decimal = "."): number {
  if (text === "") return Number.NaN;
  if (decimal === ",") return text.includes(".") ? Number.NaN : numberOfText(text.replace(",", "."));
  const second = text.charCodeAt(1) | 0x20;
  // Prefixes that JavaScript's Number also accepts: 0x, 0b, 0o.
  return second === 0x78 || second === 0x62 || second === 0x6f ? Number.NaN : Number(text);
}

/** The number of a cell, or NaN: text that is a decimal number counts as that number, true as 1, false as 0. */
export function numberOfCell(cell: Cell, decimal?: Decimal): number {
  if (typeof cell === "number") return cell;
  if (typeof cell === "string") return numberOfText(cell, decimal);
  return typeof cell === "bigint" || typeof cell === "boolean" ? Number(cell) : Number.NaN;
}

/** Whether a text is a number in a notation of programming languages, which is not accepted: 0xff, 0b1, 0o7, 1_000. */
export function isOtherNumber(text: string): boolean {
  return /^[+-]?(0[xbo][\da-f_]+|\d[\d_]*_[\d_]*(\.[\d_]*)?(e[+-]?\d+)?)$/i.test(text);
}

/** Whether a text is a spelling of NaN or infinity in NumPy, pandas or JavaScript. */
export function isNotFinite(text: string): boolean {
  return /^[+-]?(nan|inf|infinity)$/i.test(text);
}

/** Whether a cell has no value. */
export function isEmpty(cell: Cell): cell is "" | null | undefined {
  return cell === "" || cell === null || cell === undefined;
}

/** Error for a cell that is not a finite number. */
export function badCell(
  place: Place,
  { cell, decimal }: { readonly cell: Cell; readonly decimal?: Decimal | undefined },
): CurvatureError {
  return new CurvatureError(
    "data",
    `${describePlace(place)}: expected a finite number, got ${describeCell(cell, { place, decimal })}`,
  );
}

function describeCell(
  cell: Cell,
  { place, decimal }: { readonly place: Place; readonly decimal: Decimal | undefined },
): string {
  if (isEmpty(cell)) return "an empty cell";
  if (typeof cell === "object") return Array.isArray(cell) || ArrayBuffer.isView(cell) ? "a list" : "an object";
  const text = String(cell);
  if (typeof cell !== "string") return `${text}; repair or leave out such rows`;
  if (isOtherNumber(text)) return `"${text.slice(0, 40)}"; write numbers in decimal notation, as 255 or 2.55e2`;
  if (isNotFinite(text)) return `${text}; repair or leave out such rows`;
  return `"${text.slice(0, 40)}"${adviceOnText(text, { place, decimal })}`;
}

function adviceOnText(
  text: string,
  { place, decimal }: { readonly place: Place; readonly decimal: Decimal | undefined },
): string {
  if (place.row === 0 && place.names === undefined) return "; if this line names the columns, say header: true";
  if (decimal !== "," && Number.isFinite(numberOfText(text, ",")))
    return '; if the comma is a decimal one, say decimal: "," (--decimal ,)';
  return place.column === undefined ? "" : "; a column that is no input is left out by drop (--drop)";
}
