import { apply } from "./apply.ts";
import { topologicalOrder } from "./order.ts";
import type { Value } from "./primitive.ts";

/** The outputs with some values replaced by others of the same shape; what does not depend on a replaced value is kept as it is. */
export function substitute(outputs: readonly Value[], replacements: ReadonlyMap<Value, Value>): Value[] {
  const replaced = new Map(replacements);
  for (const value of topologicalOrder(outputs, new Set(replacements.keys()))) {
    if (replaced.has(value) || !value.inputs.some((input) => replaced.get(input) !== undefined)) continue;
    const inputs = value.inputs.map((input) => replaced.get(input) ?? input);
    replaced.set(value, apply(value.primitive, inputs, value.params));
  }
  return outputs.map((output) => replaced.get(output) ?? output);
}
