import { CurvatureError } from "../../errors/index.ts";
import { formatDims } from "../../tensors/index.ts";
import { badCell, numberOfCell } from "./numberOfCell.ts";
import { type Cell, describePlace, type Place } from "./table.ts";

/** A list of cells. */
export type CellList = ArrayLike<Cell>;

/** Whether a cell is a list. */
export function isList(cell: Cell): cell is object & CellList {
  return Array.isArray(cell) || (ArrayBuffer.isView(cell) && !(cell instanceof DataView));
}

/** Dimensions of nested lists, by the first elements. */
export function listDims(list: CellList): readonly number[] {
  const first = list[0];
  return [list.length, ...(isList(first) ? listDims(first) : [])];
}

/** Where the numbers of a list go, and of which shape it must be. */
export interface ListTarget {
  readonly dims: readonly number[];
  /** Fills a list shorter than `dims[0]`; absent if it must have that length. */
  readonly padding?: number | undefined;
  readonly into: Float64Array;
  readonly at: number;
  readonly place: () => Place;
}

/**
 * Writes the numbers of nested lists in row-major order.
 *
 * @throws CurvatureError "data" if the shape differs or an element is no finite number
 */
export function writeList(cell: Cell, target: ListTarget): void {
  const { dims, padding, into, at, place } = target;
  const [length, ...rest] = dims;
  if (length === undefined) {
    const value = numberOfCell(cell);
    if (!Number.isFinite(value)) throw badCell(place(), { cell });
    into[at] = value;
    return;
  }
  const fits = isList(cell) && (cell.length === length || (padding !== undefined && cell.length < length));
  if (!fits) throw otherShape(place(), { dims, cell });
  const size = rest.reduce((product, dim) => product * dim, 1);
  for (let i = 0; i < cell.length; i++) writeList(cell[i], { dims: rest, into, at: at + i * size, place });
  if (padding !== undefined) into.fill(padding, at + cell.length * size, at + length * size);
}

function otherShape(
  place: Place,
  { dims, cell }: { readonly dims: readonly number[]; readonly cell: Cell },
): CurvatureError {
  const got = isList(cell)
    ? `one of shape ${formatDims(listDims(cell))}`
    : cell === null || cell === undefined || cell === ""
      ? "an empty cell"
      : JSON.stringify(String(cell).slice(0, 40));
  return new CurvatureError(
    "data",
    `${describePlace(place)}: expected a list of shape ${formatDims(dims)}, got ${got}`,
  );
}
