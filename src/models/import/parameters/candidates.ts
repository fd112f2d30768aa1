import type { FileNode } from "../../../onnx/index.ts";
import { isNonDifferentiable } from "../analysis/nonDifferentiable.ts";
import { traitsOf } from "../ops/operators.ts";
import type { PreparedModel } from "../prepared/preparedModel.ts";

/**
 * Names of all values from which a differentiable path leads to an output, whatever operators lie between: constants among
 * them are candidates for weights. Outputs of integers or text count only where there are no others.
 */
export function differentiableValues({ nodes, outputs }: Pick<PreparedModel, "nodes" | "outputs">): Set<string> {
  const floats = outputs.filter(({ dtype }) => dtype === null || /float/.test(dtype));
  const found = new Set((floats.length > 0 ? floats : outputs).map(({ name }) => name));
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i];
    if (isNonDifferentiable(node) || !node.outputs.some((name) => found.has(name))) continue;
    for (const name of operandsWithDerivative(node)) found.add(name);
  }
  return found;
}

function operandsWithDerivative(node: FileNode): string[] {
  const { withoutDerivative: without = [] } = traitsOf(node);
  const { inputs, captures } = node;
  return [...inputs.filter((name, position) => name !== "" && !without.includes(position)), ...captures];
}
