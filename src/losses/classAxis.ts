import { CurvatureError } from "../errors/index.ts";
import { formatDims, sizeOf } from "../tensors/index.ts";
import type { TargetShape } from "./loss.ts";

/** Position of the axis of classes in outputs with more than two axes: [n, c, ...] or [n, ..., c]. */
export type ClassAxis = "second" | "last";

/**
 * The axis of classes in outputs of a shape: the requested one, or the one that the shape of the targets implies, since class indices omit
 * that axis. An axis of size 1 is never chosen if another one fits.
 *
 * @throws CurvatureError "shape" if the targets fit neither reading, or both
 */
export function classAxisOf(
  output: readonly number[],
  { targets, asked }: { readonly targets: TargetShape; readonly asked: ClassAxis | undefined },
): number {
  if (output.length < 2) {
    throw new CurvatureError(
      "shape",
      `crossEntropy: outputs need an axis of classes, [n, c] or more axes, got ${formatDims(output)}`,
    );
  }
  const candidates = candidateAxes(output, asked);
  const fitting = candidates.filter((axis) => fits(output, { targets, axis }));
  if (fitting.length === 0) {
    const shapes = [...new Set(candidates.map((axis) => formatDims(without(output, axis))))].join(" or ");
    throw new CurvatureError(
      "shape",
      `crossEntropy: outputs of shape ${formatDims(output)} need class indices of shape ${shapes}, or probabilities of shape ${formatDims(output)}; got ${kindOf(targets)} of shape ${formatDims(targets.dims)}`,
    );
  }
  const [axis, other] = fitting.filter((each) => output[each] > 1 || fitting.length === 1);
  if (other !== undefined) {
    throw new CurvatureError(
      "shape",
      `crossEntropy: outputs of shape ${formatDims(output)} with ${targets.integer ? "class indices" : "probabilities"} of shape ${formatDims(targets.dims)} can be read in two ways, ${readings(output)}; say which with classAxis: "second" or "last" (--class-axis)`,
    );
  }
  return axis ?? fitting[0];
}

/**
 * The shape of class indices for outputs of a shape, without targets to infer it from.
 *
 * @throws CurvatureError "shape" if no axis of classes is requested and two are possible
 */
export function labelShape(output: readonly number[], asked: ClassAxis | undefined): readonly number[] {
  const [axis, other] = candidateAxes(output, asked);
  if (other === undefined) return without(output, axis);
  throw new CurvatureError(
    "shape",
    `crossEntropy: outputs of shape ${formatDims(output)} can be read in two ways, ${readings(output)}; say which with classAxis: "second" or "last" (--class-axis), or give the shape of the targets`,
  );
}

function candidateAxes(output: readonly number[], asked: ClassAxis | undefined): readonly number[] {
  const last = output.length - 1;
  if (last <= 1 || asked === "second") return [1];
  return asked === "last" ? [last] : [1, last];
}

function fits(
  output: readonly number[],
  { targets, axis }: { readonly targets: TargetShape; readonly axis: number },
): boolean {
  const expected = targets.integer ? without(output, axis) : output;
  return sizeOf(targets.dims) === sizeOf(expected) && expected.every((dim, i) => dim === (targets.dims[i] ?? 1));
}

function without(output: readonly number[], axis: number): number[] {
  return output.filter((_, i) => i !== axis);
}

function kindOf({ integer }: TargetShape): string {
  return integer ? "integers" : "floats";
}

function readings(output: readonly number[]): string {
  const inner = output.length === 3 ? "t" : "...";
  return `${output[1]} classes along the second axis ([n, c, ${inner}]) or ${output[output.length - 1]} along the last ([n, ${inner}, c])`;
}
