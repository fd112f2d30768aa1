import { apply } from "./apply.ts";
import { topologicalOrder } from "./order.ts";
import type { Value } from "./primitive.ts";

/**
 * The outputs with some values replaced by others of the same shape; what does not depend on a replaced value is kept as it is.
 *
 * @param rebuild a value on other inputs; by default with simplifications that they allow
 */
export function substitute(
  outputs: readonly Value[],
  replacements: ReadonlyMap<Value, Value>,
  rebuild: (value: Value, inputs: readonly Value[]) => Value = (value, inputs) =>
    apply(value.primitive, inputs, value.params),
): Value[] {
  const replaced = new Map(replacements);
  for (const value of topologicalOrder(outputs, replacements)) {
    if (replaced.has(value) || !value.inputs.some((input) => replaced.has(input))) continue;
    const inputs = value.inputs.map((input) => replaced.get(input) ?? input);
    replaced.set(value, rebuild(value, inputs));
  }
  return outputs.map((output) => replaced.get(output) ?? output);
}
