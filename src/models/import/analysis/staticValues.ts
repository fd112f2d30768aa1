import type { FileNode } from "../../../onnx/index.ts";
import { traitsOf } from "../ops/operators.ts";
import { readBy } from "../prepared/sortNodes.ts";

/**
 * Names of values that are known once the shapes of the inputs are: computed from constants that are not parameters, and
 * from shapes (unless `shapes` is false).
 */
export function staticValues(
  nodes: readonly FileNode[],
  {
    constants,
    parameters,
    shapes = true,
  }: {
    readonly constants: Iterable<string>;
    readonly parameters: ReadonlySet<string>;
    readonly shapes?: boolean;
  },
): Set<string> {
  const known = new Set<string>();
  for (const name of constants) if (!parameters.has(name)) known.add(name);
  for (const node of nodes) {
    const { random, fromShape } = traitsOf(node);
    if (random) continue;
    const fixed = (shapes && fromShape !== undefined) || readBy(node).every((name) => known.has(name));
    if (fixed) for (const name of node.outputs) if (name !== "") known.add(name);
  }
  return known;
}
