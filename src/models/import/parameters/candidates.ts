import type { FileNode } from "../../../onnx/index.ts";
import { valueNamed } from "../../../tensors/index.ts";
import { isDiscrete } from "../analysis/discrete.ts";
import type { PreparedModel } from "../prepared/preparedModel.ts";

/** Positions of float operands that no derivative passes through: sizes, scales, ratios, conditions. */
const WITHOUT_DERIVATIVE: Readonly<Record<string, readonly number[]>> = {
  Dropout: [1, 2],
  Range: [0, 1, 2],
  Resize: [1, 2],
  Upsample: [1],
};

/**
 * Names of all values from which a differentiable path leads to an output, whatever operators lie between: constants among
 * them are candidates for weights. Outputs of integers or text count only where there are no others.
 */
export function differentiableValues({ nodes, outputs }: Pick<PreparedModel, "nodes" | "outputs">): Set<string> {
  const floats = outputs.filter(({ dtype }) => dtype === null || /float/.test(dtype));
  const found = new Set((floats.length > 0 ? floats : outputs).map(({ name }) => name));
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i];
    if (isDiscrete(node) || !node.outputs.some((name) => found.has(name))) continue;
    for (const name of operandsWithDerivative(node)) found.add(name);
  }
  return found;
}

function operandsWithDerivative({ op, domain, inputs, captures }: FileNode): string[] {
  const without = domain === "" ? (valueNamed(WITHOUT_DERIVATIVE, op) ?? []) : [];
  return [...inputs.filter((name, position) => name !== "" && !without.includes(position)), ...captures];
}
