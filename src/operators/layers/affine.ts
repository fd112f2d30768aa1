import { sizeOf } from "../../tensors/index.ts";
import type { FoundLayer, Place } from "./place.ts";

/** A product of elements with a parameter that is smaller than the result, the same for all rows. */
export function scaling({ value, operand, strides }: Place): FoundLayer | undefined {
  const [weight, input] = [value.inputs[operand], value.inputs[1 - operand]];
  if (!strides.has(input) && !strides.has(value)) return undefined;
  return { weight, layer: { kind: "affine", input, arrange: (result) => result } };
}

/** A sum with a parameter, the same for all rows. */
export function shifting({ value, operand, strides, rows }: Place): FoundLayer | undefined {
  const bias = value.inputs[operand];
  if (!strides.has(value.inputs[1 - operand]) && !strides.has(value)) return undefined;
  if (rows > 1 && sizeOf(bias.shape) === sizeOf(value.shape)) return undefined;
  return { bias, layer: { kind: "affine", arrange: (result) => result } };
}
