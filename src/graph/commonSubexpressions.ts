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
  const register = (key: string, value: Value): Value => {
    byKey.set(key, value);
    canonical.set(value, value);
    return value;
  };
  const sharedValue = (value: Value): Value => {
    if (isInput(value)) return value;
    const inputs = value.inputs.map((input) => canonical.get(input)!);
    const key = keyOf(value, inputs);
    const known = byKey.get(key);
    if (known !== undefined) return known;
    if (inputs.every((input, i) => input === value.inputs[i])) return register(key, value);
    const rebuilt = apply(value.primitive, inputs, value.params);
    const applied = rebuilt.primitive === value.primitive && inputs.every((input, i) => input === rebuilt.inputs[i]);
    if (applied) return register(key, rebuilt);
    // Something simpler came out, perhaps made of values not seen before.
    const [simpler] = share([rebuilt]);
    byKey.set(key, simpler);
    return simpler;
  };
  const share = (roots: readonly Value[]): Value[] => {
    for (const value of topologicalOrder(roots, canonical)) {
      if (!canonical.has(value)) canonical.set(value, sharedValue(value));
    }
    return roots.map((root) => canonical.get(root)!);
  };
  return share(outputs);
}

function keyOf({ primitive, params }: Value, inputs: readonly Value[]): string {
  const operands = inputs.map((input) => input.id);
  if (primitive.commutative) operands.sort((a, b) => a - b);
  // Told apart by identity: a name does not have to be unique.
  return `${identityKey(primitive)}(${operands.join()})${primitive.key?.(params) ?? JSON.stringify(params)}`;
}
