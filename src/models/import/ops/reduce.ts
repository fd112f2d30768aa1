import { normalizeAxis, scalar, type Value } from "../../../graph/index.ts";
import {
  abs,
  add,
  exp,
  greater,
  log,
  mean,
  reduceMax,
  reduceMin,
  reduceSum,
  reshape,
  sqrt,
  square,
  sub,
  where,
  withOnes,
} from "../../../primitives/index.ts";
import { type ImportedNode, int, listed, operand, outputShape } from "../importedNode.ts";

/** Sum over axes. */
export function ReduceSum(node: ImportedNode): Value {
  return reduced(node, reduceSum);
}

/** Mean over axes. */
export function ReduceMean(node: ImportedNode): Value {
  return reduced(node, mean);
}

/** Sum of squares over axes. */
export function ReduceSumSquare(node: ImportedNode): Value {
  return reduced(node, (x, axes) => reduceSum(square(x), axes));
}

/** Sum of magnitudes over axes, with derivative 0 at 0 as in PyTorch. */
export function ReduceL1(node: ImportedNode): Value {
  return reduced(node, (x, axes) => reduceSum(abs(x), axes));
}

/** Root of the sum of squares over axes, with derivative 0 at 0 as in PyTorch. */
export function ReduceL2(node: ImportedNode): Value {
  return reduced(node, (x, axes) => {
    const sum = reduceSum(square(x), axes);
    const positive = greater(sum, scalar(0));
    return where(positive, sqrt(where(positive, sum, scalar(1))), scalar(0));
  });
}

/** Logarithm of the sum over axes. */
export function ReduceLogSum(node: ImportedNode): Value {
  return reduced(node, (x, axes) => log(reduceSum(x, axes)));
}

/** Logarithm of the sum of exponentials over axes, stable for any x. */
export function ReduceLogSumExp(node: ImportedNode): Value {
  return reduced(node, (x, axes) => {
    const largest = reduceMax(x, axes);
    const shifted = sub(x, reshape(largest, withOnes(x.shape, axes)));
    return add(log(reduceSum(exp(shifted), axes)), largest);
  });
}

/** Maximum over axes; equal maxima share the derivative, as in PyTorch's amax. */
export function ReduceMax(node: ImportedNode): Value {
  return reduced(node, reduceMax);
}

/** Minimum over axes; equal minima share the derivative, as in PyTorch's amin. */
export function ReduceMin(node: ImportedNode): Value {
  return reduced(node, reduceMin);
}

/** A reduction over the axes that an attribute (in older operator sets) or an operand names; over all where none does. */
function reduced(node: ImportedNode, over: (x: Value, axes: readonly number[]) => Value): Value {
  const x = operand(node, 0);
  const given = listed(node, "axes", 1) ?? [];
  const unnamed = int(node, "noop_with_empty_axes", 0) !== 0 ? [] : x.shape.map((_, axis) => axis);
  const axes = given.length === 0 ? unnamed : given.map((axis) => normalizeAxis(node.op, axis, x.shape.length));
  return reshape(over(x, axes), outputShape(node));
}
