import type { Place } from "../blocks/index.ts";

/** The place of a matrix [rows, columns] whose entries have these flat indices: a range, a transposed range, or the list. */
export function placeOf(indices: Int32Array, columns: number): Place {
  const rows = indices.length / columns;
  const offset = indices.length === 0 ? 0 : indices[0];
  if (indices.every((index, k) => index === offset + k)) return { offset };
  const isTransposed = indices.every((index, k) => index === offset + (k % columns) * rows + Math.floor(k / columns));
  return isTransposed ? { offset, transposed: [rows, columns] } : { indices };
}
