import type { Value } from "./primitive.ts";

/** Everything the outputs are computed from, inputs before what uses them. Values in `stop` are listed but not looked into. */
export function topologicalOrder(
  outputs: readonly Value[],
  stop: Pick<ReadonlySet<Value>, "has"> = new Set<Value>(),
): Value[] {
  const order: Value[] = [];
  const seen = new Set<Value>();
  // Values that are being looked into, and how many of their inputs have been: a stack, since networks are deeper than JavaScript's.
  const path: Value[] = [];
  const visited: number[] = [];
  const enter = (value: Value): void => {
    const before = seen.size;
    if (seen.add(value).size === before) return;
    if (value.inputs.length === 0 || stop.has(value)) order.push(value);
    else visited[path.push(value) - 1] = 0;
  };
  for (const output of outputs) {
    enter(output);
    while (path.length > 0) {
      const last = path.length - 1;
      const { inputs } = path[last];
      if (visited[last] < inputs.length) enter(inputs[visited[last]++]);
      else order.push(path.pop()!);
    }
  }
  return order;
}

/** The values of `order` (topological) that depend on one of `roots`, roots included. */
export function dependents(order: readonly Value[], roots: Iterable<Value>): Set<Value> {
  const found = new Set(roots);
  for (const value of order) {
    for (const input of value.inputs) {
      if (!found.has(input)) continue;
      found.add(value);
      break;
    }
  }
  return found;
}

/** In how many places each value of `order` is read: operands of the others, and outputs. */
export function countUses(order: readonly Value[], outputs: readonly Value[]): ReadonlyMap<Value, number> {
  const uses = new Map<Value, number>();
  for (const { inputs } of order) for (const input of inputs) uses.set(input, (uses.get(input) ?? 0) + 1);
  for (const output of outputs) uses.set(output, (uses.get(output) ?? 0) + 1);
  return uses;
}
