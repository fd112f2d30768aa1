import type { AffineForm } from "../../graph/index.ts";
import { permute, reshape } from "../../primitives/index.ts";
import { sizeOf } from "../../tensors/index.ts";
import type { FoundLayer, Place } from "./place.ts";

/** Recognizes a convolution whose weights are a parameter; its rows are the first axis. */
export function convolution(
  { value, operand, strides, rows }: Place,
  { transposed, geometry }: AffineForm & { readonly kind: "convolution" },
): FoundLayer | undefined {
  const [x, weight] = value.inputs;
  const [count, channels, ...spatial] = value.shape;
  const isRowsFirst = rows === 1 || strides.get(value) === sizeOf(value.shape.slice(1));
  if (operand !== 1 || count !== rows || !isRowsFirst) return undefined;
  const positions = sizeOf(spatial);
  return {
    weight,
    layer: {
      kind: "convolution",
      transposed,
      geometry,
      input: x,
      arrange: (result) => permute(reshape(result, [rows, channels, positions]), [0, 2, 1]),
    },
  };
}
