import type { Value } from "./primitive.ts";

/** Everything the outputs are computed from, inputs before what uses them. Values in `stop` are listed but not looked into. */
export function topologicalOrder(
  outputs: readonly Value[],
  stop: Pick<ReadonlySet<Value>, "has"> = new Set<Value>(),
): Value[] {
  const order: Value[] = [];
  const state = new Map<Value, "open" | "done">();
  // An explicit stack, since networks are deeper than JavaScript's.
  const stack: Value[] = [...outputs].reverse();
  while (stack.length > 0) {
    const value = stack[stack.length - 1];
    const seen = state.get(value);
    if (seen !== undefined) {
      stack.pop();
      if (seen === "open") {
        state.set(value, "done");
        order.push(value);
      }
      continue;
    }
    state.set(value, "open");
    if (stop.has(value)) continue;
    for (let i = value.inputs.length - 1; i >= 0; i--) if (!state.has(value.inputs[i])) stack.push(value.inputs[i]);
  }
  return order;
}

/** The values of `order` (topological) that depend on one of `roots`, roots included. */
export function dependents(order: readonly Value[], roots: Iterable<Value>): Set<Value> {
  const found = new Set(roots);
  for (const value of order) if (!found.has(value) && value.inputs.some((input) => found.has(input))) found.add(value);
  return found;
}
