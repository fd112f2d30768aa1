import type { Value } from "../../../graph/index.ts";
import { reshape } from "../../../primitives/index.ts";
import { type ImportedNode, int, operand } from "../importedNode.ts";

/** The input itself. */
export function Identity(node: ImportedNode): Value {
  return operand(node, 0);
}

/** A matrix: axes before `axis` in one, the others in the other. */
export function Flatten(node: ImportedNode): Value {
  const x = operand(node, 0);
  const axis = int(node, "axis", 1);
  const from = axis < 0 ? axis + x.shape.length : axis;
  const size = (dims: readonly number[]) => dims.reduce((product, dim) => product * dim, 1);
  return reshape(x, [size(x.shape.slice(0, from)), size(x.shape.slice(from))]);
}
