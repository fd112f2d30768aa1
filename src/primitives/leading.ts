import type { Value } from "../graph/index.ts";
import { permute, reshape } from "./movement.ts";

/**
 * K tensors along a leading axis as one tensor in which axis `axis` is K times as long: [K, ...s] -> [..., g K m, ...] where
 * s[axis] = g m. K stands outside the axis (g = 1), or within each of g groups of it.
 */
export function joinLeading(x: Value, axis: number, groups = 1): Value {
  const [size, ...shape] = x.shape;
  const before = shape.slice(0, axis);
  const after = shape.slice(axis + 1);
  const split = reshape(x, [size, ...before, groups, shape[axis] / groups, ...after]);
  const order = split.shape.map((_, i) => i).slice(1);
  order.splice(axis + 1, 0, 0);
  return reshape(permute(split, order), [...before, size * shape[axis], ...after]);
}

/** Undoes `joinLeading`: [..., g K m, ...] -> [K, ..., g m, ...]. */
export function splitLeading(
  x: Value,
  axis: number,
  { size, groups = 1 }: { readonly size: number; readonly groups?: number },
): Value {
  const before = x.shape.slice(0, axis);
  const after = x.shape.slice(axis + 1);
  const members = x.shape[axis] / (groups * size);
  const split = reshape(x, [...before, groups, size, members, ...after]);
  const order = split.shape.map((_, i) => i).filter((i) => i !== axis + 1);
  return reshape(permute(split, [axis + 1, ...order]), [size, ...before, groups * members, ...after]);
}
