import { apply } from "./apply.ts";
import { identityKey, isInput } from "./leaves.ts";
import { topologicalOrder } from "./order.ts";
import type { Value } from "./primitive.ts";

/**
 * The outputs with equal applications (same primitive, same parameters, same inputs) computed once. Rebuilding also
 * applies simplifications that became visible, and drops what no output needs.
 */
export function shareCommonSubexpressions(outputs: readonly Value[]): Value[] {
  const canonical = new Map<Value, Value>();
  const byKey = new Map<string, Value>();
  for (const value of topologicalOrder(outputs)) {
    if (isInput(value)) {
      canonical.set(value, value);
      continue;
    }
    const inputs = value.inputs.map((input) => canonical.get(input)!);
    const key = keyOf(value, inputs);
    let shared = byKey.get(key);
    if (shared === undefined) {
      const unchanged = inputs.every((input, i) => input === value.inputs[i]);
      shared = unchanged ? value : apply(value.primitive, inputs, value.params);
      byKey.set(key, shared);
      if (!unchanged && !isInput(shared)) {
        const simplerKey = keyOf(shared, shared.inputs);
        shared = byKey.get(simplerKey) ?? shared;
        byKey.set(simplerKey, shared);
        byKey.set(key, shared);
      }
    }
    canonical.set(value, shared);
  }
  return outputs.map((output) => canonical.get(output)!);
}

function keyOf({ primitive, params }: Value, inputs: readonly Value[]): string {
  const operands = inputs.map((input) => input.id);
  if (primitive.commutative) operands.sort((a, b) => a - b);
  // Told apart by identity: a name does not have to be unique.
  return `${identityKey(primitive)}(${operands.join()})${primitive.key?.(params) ?? JSON.stringify(params)}`;
}
