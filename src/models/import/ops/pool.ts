import { scalar, type Value } from "../../../graph/index.ts";
import {
  abs,
  averagePool,
  greater,
  maxPool,
  mean,
  pow,
  reduceMax,
  reduceSum,
  reshape,
  unfold,
  where,
} from "../../../primitives/index.ts";
import { type ImportedNode, int, ints, operand, outputShape, string, unsupported } from "./importedNode.ts";
import { type NodeWindows, windowsOf } from "./windows.ts";

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

/** Root of degree p of the sum of |x|^p over every window, padded by zeros; derivative 0 where all of it is 0. */
export function LpPool(node: ImportedNode): Value {
  const p = int(node, "p", 2);
  const x = operand(node, 0);
  return rootOf(reduceSum(unfold(powerOf(x, p), wholeWindows(node)), [2]), p);
}

/** Windows with so much padding behind that the last one is whole, where their number is rounded up: zeros add nothing. */
function wholeWindows(node: ImportedNode): NodeWindows {
  const { ceilMode, ...windows } = poolOptions(node);
  if (!ceilMode) return windows;
  const { kernel, strides, dilations, padsBefore } = windows;
  const sizes = operand(node, 0).shape.slice(2);
  const padsAfter = outputShape(node)
    .slice(2)
    .map((count, axis) => {
      const end = (count - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1;
      return Math.max(windows.padsAfter[axis], end - padsBefore[axis] - sizes[axis]);
    });
  return { ...windows, padsAfter };
}

/** Root of degree p of the sum of |x|^p of each channel over all positions. */
export function GlobalLpPool(node: ImportedNode): Value {
  const p = int(node, "p", 2);
  const x = operand(node, 0);
  return reshape(rootOf(reduceSum(powerOf(x, p), positions(x)), p), outputShape(node));
}

function powerOf(x: Value, p: number): Value {
  return p % 2 === 0 ? pow(x, p) : pow(abs(x), p);
}

function rootOf(sum: Value, p: number): Value {
  const positive = greater(sum, scalar(0));
  return where(positive, pow(where(positive, sum, scalar(1)), 1 / p), scalar(0));
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
