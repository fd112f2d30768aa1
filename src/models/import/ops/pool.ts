import type { Value } from "../../../graph/index.ts";
import { averagePool, maxPool, mean, reduceMax, reshape } from "../../../primitives/index.ts";
import { type ImportedNode, int, ints, operand, outputShape, string, unsupported } from "../importedNode.ts";
import { windowsOf } from "../windows.ts";

/**
 * Maximum of every window. The derivative goes to the first of equal maxima, as in PyTorch. The positions of the maxima, the
 * second output, have no rule.
 */
export function MaxPool(node: ImportedNode): Value {
  return maxPool(operand(node, 0), poolOptions(node));
}

/** Mean of every window, with or without the padding. */
export function AveragePool(node: ImportedNode): Value {
  const countIncludePad = int(node, "count_include_pad", 0) !== 0;
  return averagePool(operand(node, 0), { ...poolOptions(node), countIncludePad });
}

/** Mean of each channel over all positions. */
export function GlobalAveragePool(node: ImportedNode): Value {
  const x = operand(node, 0);
  return reshape(mean(x, positions(x)), outputShape(node));
}

/** Maximum of each channel over all positions; equal maxima share the derivative, where PyTorch's pooling gives it to one. */
export function GlobalMaxPool(node: ImportedNode): Value {
  const x = operand(node, 0);
  return reshape(reduceMax(x, positions(x)), outputShape(node));
}

function positions({ shape }: Value): number[] {
  return shape.map((_, axis) => axis).slice(2);
}

function poolOptions(node: ImportedNode) {
  const { shape } = operand(node, 0);
  const kernel = ints(node, "kernel_shape");
  if (kernel === undefined) throw unsupported(node, "lacks its kernel_shape");
  if (shape.length < 3 || shape.length > 5) {
    throw unsupported(node, `has ${shape.length - 2} spatial axes, but 1 to 3 have a rule`);
  }
  // Padding by name settles the number of windows, so that there is nothing left to round up.
  const ceilMode = int(node, "ceil_mode", 0) !== 0 && string(node, "auto_pad", "NOTSET") === "NOTSET";
  return { ...windowsOf(node, { spatial: shape.slice(2), kernel }), ceilMode };
}
