import { CurvatureError } from "../errors/index.ts";
import type { Value } from "../graph/index.ts";
import { moveAxis, reshape } from "../primitives/index.ts";
import { formatDims, sizeOf } from "../tensors/index.ts";
import type { Reduction, TargetShape, TermLayout } from "./loss.ts";

/**
 * Term layout of a loss on numbers: the last axis holds a term's outputs; outputs of shape [n] have one number per row.
 *
 * @throws CurvatureError "shape"
 */
export function lastAxisLayout(
  loss: string,
  { output, targets }: { readonly output: readonly number[]; readonly targets: TargetShape },
): TermLayout {
  if (!fitsRows(targets.dims, output)) {
    throw new CurvatureError(
      "shape",
      `${loss}: outputs of shape ${formatDims(output)} need targets of that shape, got ${formatDims(targets.dims)}${labelAdvice(output, targets)}`,
    );
  }
  const axis = Math.max(output.length - 1, 1);
  return { positions: positionsOf(output, axis), outputs: output[axis] ?? 1, axis };
}

/**
 * Whether targets have the expected shape: the same number of rows, and the same other axes up to axes of size 1 or flattening to one axis.
 */
export function fitsRows(dims: readonly number[], expected: readonly number[]): boolean {
  if (dims[0] !== expected[0] || sizeOf(dims) !== sizeOf(expected)) return false;
  const [own, wanted] = [dims, expected].map((shape) => shape.slice(1).filter((dim) => dim !== 1));
  return own.length === 1 || own.join() === wanted.join();
}

/** Number of terms in a row of outputs whose numbers lie along an axis. */
export function positionsOf(output: readonly number[], axis: number): number {
  return sizeOf(output.filter((_, i) => i !== 0 && i !== axis));
}

/** Rearranges outputs to [T, C], rows outermost. */
export function arrangeOutputs(output: Value, { outputs, axis }: TermLayout): Value {
  const last = axis < output.shape.length ? moveAxis(output, axis, output.shape.length - 1) : output;
  return reshape(last, [sizeOf(output.shape) / outputs, outputs]);
}

/** Rearranges targets to [T] if they have one number per term, else to [T, ...] with the axis of outputs last. */
export function arrangeTargets(targets: Value, layout: TermLayout): Value {
  const { shape } = targets;
  const terms = (shape[0] ?? 1) * layout.positions;
  if (sizeOf(shape) === terms && targets.type !== "float") return reshape(targets, [terms]);
  const last = layout.axis < shape.length ? moveAxis(targets, layout.axis, shape.length - 1) : targets;
  return reshape(last, [terms, sizeOf(shape) / terms]);
}

/**
 * Checks the reduction that a user requested.
 *
 * @throws CurvatureError "argument"
 */
export function checkedReduction(loss: string, reduction: Reduction): Reduction {
  if (reduction === "mean" || reduction === "sum") return reduction;
  throw new CurvatureError("argument", `${loss}: reduction must be "mean" or "sum", got ${JSON.stringify(reduction)}`);
}

/** One target where several outputs are: class labels, as a rule. */
function labelAdvice(output: readonly number[], { dims }: TargetShape): string {
  return dims.length === output.length - 1 ? "; for class labels choose crossEntropy" : "";
}
