import { CurvatureError } from "../errors/index.ts";
import { add, diagonal, identity, type LinearOperator, scale } from "../linalg/index.ts";
import { checkNonnegative } from "../linalg/operator/checks.ts";
import type { Vector } from "../tensors/index.ts";

/**
 * Strength of the penalty on each weight.
 *
 * @throws CurvatureError "argument" for one that is negative, "shape" for another number of them
 */
export function decayOf(
  name: string,
  { weightDecay, size }: { readonly weightDecay: number | Vector; readonly size: number },
): (i: number) => number {
  if (typeof weightDecay === "number") {
    checkNonnegative(name, "weightDecay", weightDecay);
    return () => weightDecay;
  }
  if (weightDecay.length !== size) {
    throw new CurvatureError(
      "shape",
      `${name} expects weightDecay as a number or as ${size} numbers, got ${weightDecay.length}`,
    );
  }
  return (i) => weightDecay[i]!;
}

/** A matrix plus that of the penalty `sum w_i theta_i^2 / 2`, with the inverse in closed form that the matrix has where w is one number. */
export function penalizedMatrix(matrix: LinearOperator, weightDecay: number | Vector): LinearOperator {
  if (typeof weightDecay !== "number") return add(matrix, diagonal(weightDecay));
  return weightDecay === 0 ? matrix : withShiftedInverse(matrix, weightDecay);
}

/** Matrix plus weight decay, with the inverse in closed form that the matrix has. */
function withShiftedInverse(matrix: LinearOperator, weightDecay: number): LinearOperator {
  const [size] = matrix.shape;
  const sum = add(matrix, scale(identity(size, { dtype: matrix.dtype }), weightDecay));
  const { inverse } = matrix;
  if (inverse === undefined) return sum;
  return { ...sum, inverse: ({ damping }) => inverse.call(matrix, { damping: damping + weightDecay }) };
}
