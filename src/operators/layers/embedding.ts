import { reshape } from "../../primitives/index.ts";
import { sizeOf } from "../../tensors/index.ts";
import { isArrangeable, rowsFirst } from "./arrange.ts";
import type { FoundLayer, Place } from "./place.ts";

/** Recognizes a lookup of a parameter's rows by indices that differ between the rows of the batch. */
export function embedding({ value, operand, strides, rows }: Place): FoundLayer | undefined {
  const [table, indices] = value.inputs;
  if (operand !== 0) return undefined;
  const [entries, ...rest] = table.shape;
  const size = sizeOf(rest);
  const stride = rows === 1 ? size : strides.get(value);
  if (stride === undefined || size === 0 || !isArrangeable({ rows, stride, size })) return undefined;
  const listed = rowsFirst(indices, { rows, stride: stride / size, size: 1 });
  return {
    weight: reshape(table, [entries, size]),
    layer: {
      kind: "embedding",
      input: reshape(listed, listed.shape.slice(0, 2)),
      arrange: (result) => rowsFirst(result, { rows, stride, size }),
    },
  };
}
