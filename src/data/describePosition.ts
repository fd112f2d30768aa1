import { formatDims } from "../tensors/index.ts";

/**
 * Text for the position of an element in a tensor `[rows, ...]` whose rows have dimensions `dims`: `row 3`, `row 3, column 5`,
 * `row 3, position [0, 5, 1]`, all counted from 0.
 *
 * @param index of the element in row-major order
 */
export function describePosition(index: number, dims: readonly number[]): string {
  const place: number[] = [];
  let rest = index;
  for (const dim of dims.toReversed()) {
    place.unshift(rest % dim);
    rest = Math.floor(rest / dim);
  }
  if (dims.length === 0) return `row ${rest}`;
  return dims.length === 1 ? `row ${rest}, column ${place[0]}` : `row ${rest}, position ${formatDims(place)}`;
}
