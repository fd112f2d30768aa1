import type { Value } from "../../graph/index.ts";
import { permute, reshape } from "../../primitives/index.ts";
import { sizeOf } from "../../tensors/index.ts";

/** The layout of a value whose rows lie `stride` elements apart. */
export interface RowArrangement {
  readonly rows: number;
  readonly stride: number;
  /** Size of the last axis, which is kept. */
  readonly size: number;
}

/** Whether a value can be rearranged to [rows, positions, size]: each vector along the last axis must belong to one row. */
export function isArrangeable({ rows, stride, size }: RowArrangement): boolean {
  return rows === 1 || stride % size === 0;
}

/** Rearranges [outer, rows, inner, size], split into any axes, to [rows, outer * inner, size]. */
export function rowsFirst(value: Value, { rows, stride, size }: RowArrangement): Value {
  const all = sizeOf(value.shape);
  const positions = size === 0 ? 0 : all / (rows * size);
  const within = stride / size;
  const outer = rows === 1 ? 1 : positions / within;
  if (outer === 1) return reshape(value, [rows, positions, size]);
  return reshape(permute(reshape(value, [outer, rows, within, size]), [1, 0, 2, 3]), [rows, positions, size]);
}
