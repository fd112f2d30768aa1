import type { FileNode } from "../../../onnx/index.ts";
import { readBy } from "../prepared/sortNodes.ts";

/** Operators whose result depends on the shape of their input only. */
const SHAPE_ONLY: ReadonlySet<string> = new Set(["EyeLike", "Shape", "Size"]);

/** Operators that give other numbers at every run. */
export const RANDOM: ReadonlySet<string> = new Set([
  "RandomNormal",
  "RandomNormalLike",
  "RandomUniform",
  "RandomUniformLike",
  "Bernoulli",
  "Multinomial",
]);

/**
 * Names of values that are known once the shapes of the inputs are: computed from constants that are no parameters, and
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
    if (RANDOM.has(node.op)) continue;
    const fixed =
      (shapes && node.domain === "" && SHAPE_ONLY.has(node.op)) || readBy(node).every((name) => known.has(name));
    if (fixed) for (const name of node.outputs) if (name !== "") known.add(name);
  }
  return known;
}
