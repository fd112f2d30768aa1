import { normalizeAxis, scalar, type Value } from "../../../graph/index.ts";
import {
  abs,
  add,
  concat,
  exp,
  filled,
  greater,
  log,
  mean,
  mul,
  permute,
  reduceMax,
  reduceMin,
  reduceSum,
  reshape,
  slice,
  sqrt,
  square,
  sub,
  where,
  withOnes,
} from "../../../primitives/index.ts";
import { sizeOf } from "../../../tensors/index.ts";
import { type ImportedNode, int, listed, operand, outputShape } from "./importedNode.ts";
import type { OperatorTraits } from "./traits.ts";

/** Sum over axes. */
export function ReduceSum(node: ImportedNode): Value {
  return reduced(node, reduceSum);
}
ReduceSum.traits = { axesOperandSince: 13 } satisfies OperatorTraits;

/** Mean over axes. */
export function ReduceMean(node: ImportedNode): Value {
  return reduced(node, mean);
}
ReduceMean.traits = { averages: true } satisfies OperatorTraits;

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
  return reduced(node, (x, axes) => safeRoot(reduceSum(square(x), axes)));
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

/**
 * Product over axes, of halves, of halves of these and so on: in this form the derivatives at zeros are products of the other
 * elements, without a division.
 */
export function ReduceProd(node: ImportedNode): Value {
  return reduced(node, (x, axes) => {
    const kept = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
    const outer = kept.map((axis) => x.shape[axis]);
    const count = sizeOf(axes.map((axis) => x.shape[axis]));
    if (count === 0) return filled(outer, 1);
    return reshape(productAlong(reshape(permute(x, [...kept, ...axes]), [sizeOf(outer), count])), outer);
  });
}

/** Products of the rows of a matrix, by halves: exact derivatives where factors are 0, in about twice the multiplications. */
export function productAlong(x: Value): Value {
  let factors = x;
  for (let n = x.shape[1]; n > 1; n = factors.shape[1]) {
    const half = Math.floor(n / 2);
    const [left, right] = [0, half].map((start) => slice(factors, { axis: 1, start, limit: start + half }));
    const product = mul(left, right);
    factors = n % 2 === 0 ? product : concat([product, slice(factors, { axis: 1, start: n - 1, limit: n })], 1);
  }
  return reshape(factors, [x.shape[0]]);
}

/** Maximum over axes; equal maxima share the derivative, as in PyTorch's amax. */
export function ReduceMax(node: ImportedNode): Value {
  return reduced(node, reduceMax);
}

/** Minimum over axes; equal minima share the derivative, as in PyTorch's amin. */
export function ReduceMin(node: ImportedNode): Value {
  return reduced(node, reduceMin);
}

/** Square root with derivative 0 at 0. */
export function safeRoot(x: Value): Value {
  const positive = greater(x, scalar(0));
  return where(positive, sqrt(where(positive, x, scalar(1))), scalar(0));
}

/** A reduction over the axes that an attribute (in older operator sets) or an operand names; over all where none does. */
function reduced(node: ImportedNode, over: (x: Value, axes: readonly number[]) => Value): Value {
  const x = operand(node, 0);
  const given = listed(node, "axes", 1) ?? [];
  const unnamed = int(node, "noop_with_empty_axes", 0) !== 0 ? [] : x.shape.map((_, axis) => axis);
  const axes = given.length === 0 ? unnamed : given.map((axis) => normalizeAxis(node.op, axis, x.shape.length));
  return reshape(over(x, axes), outputShape(node));
}
