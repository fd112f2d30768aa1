import type { Value } from "../graph/index.ts";

/** Values that are looked at before it is given up: long sums of squares have few kinds of terms. */
const MOST = 64;

/**
 * Whether a value is nonnegative and has derivative 0 wherever it is 0: squares, their sums and means, and
 * rearrangements and repetitions of these. Its square root is a norm, which is not differentiable at 0.
 */
export function isFlatAtZero(x: Value): boolean {
  let left = MOST;
  const isFlat = (value: Value): boolean => {
    if (left-- <= 0 || value.type !== "float") return false;
    const { sums, flatAtZero } = value.primitive;
    if (sums) return value.inputs.every((operand) => operand.type !== "float" || isFlat(operand));
    return flatAtZero?.(value, isFlat) ?? false;
  };
  return isFlat(x);
}
