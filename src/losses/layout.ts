import { CurvatureError } from "../errors/index.ts";
import type { Value } from "../graph/index.ts";
import { moveAxis, reshape } from "../primitives/index.ts";
import { formatDims, sizeOf } from "../tensors/index.ts";
import type { Reduction, TargetShape, TermLayout } from "./loss.ts";

/**
 * Terms of a loss on numbers: the last axis holds a term's outputs; outputs of shape [n] have one number a row.
 *
 * @param labelsPerOutput numbers of a target for each output; 1 where targets have the shape of the outputs
 * @throws CurvatureError "shape"
 */
export function lastAxisLayout(
  loss: string,
  {
    output,
    targets,
    labelsPerOutput = 1,
  }: { readonly output: readonly number[]; readonly targets: TargetShape; readonly labelsPerOutput?: number },
): TermLayout {
  const axis = Math.max(output.length - 1, 1);
  const outputs = output[axis] ?? 1;
  if (sizeOf(targets.dims) !== sizeOf(output) * labelsPerOutput || targets.dims[0] !== output[0]) {
    const expected =
      labelsPerOutput === 1 ? formatDims(output) : formatDims([...output.slice(0, -1), outputs * labelsPerOutput]);
    throw new CurvatureError(
      "shape",
      `${loss}: outputs of shape ${formatDims(output)} need targets of shape ${expected}, got ${formatDims(targets.dims)}`,
    );
  }
  return { positions: positionsOf(output, axis), outputs, axis };
}

/** Terms a row of outputs whose numbers lie along an axis. */
export function positionsOf(output: readonly number[], axis: number): number {
  return sizeOf(output.filter((_, i) => i !== 0 && i !== axis));
}

/** Outputs as [T, C], rows outermost. */
export function arrangeOutputs(output: Value, { outputs, axis }: TermLayout): Value {
  const last = axis < output.shape.length ? moveAxis(output, axis, output.shape.length - 1) : output;
  return reshape(last, [sizeOf(output.shape) / outputs, outputs]);
}

/** Targets as [T] where they have one number a term, else as [T, ...] with the axis of outputs last. */
export function arrangeTargets(targets: Value, layout: TermLayout): Value {
  const { shape } = targets;
  const terms = (shape[0] ?? 1) * layout.positions;
  if (sizeOf(shape) === terms && targets.type !== "float") return reshape(targets, [terms]);
  const last = layout.axis < shape.length ? moveAxis(targets, layout.axis, shape.length - 1) : targets;
  return reshape(last, [terms, sizeOf(shape) / terms]);
}

/**
 * Checks the reduction that a user asked for.
 *
 * @throws CurvatureError "argument"
 */
export function checkedReduction(loss: string, reduction: Reduction): Reduction {
  if (reduction === "mean" || reduction === "sum") return reduction;
  throw new CurvatureError("argument", `${loss}: reduction must be "mean" or "sum", got ${JSON.stringify(reduction)}`);
}
