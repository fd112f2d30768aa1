import { CurvatureError } from "../../errors/index.ts";
import { formatDims } from "../../tensors/index.ts";
import { checkOperator } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { add } from "./add.ts";
import { scale } from "./scale.ts";

/**
 * Difference `A - B` `[m, n]`; a product costs one with each. Symmetric where both are; never known to be positive semidefinite.
 *
 * @throws CurvatureError "shape" where the shapes differ
 */
export function subtract(A: LinearOperator, B: LinearOperator): LinearOperator {
  checkOperator("subtract", A);
  checkOperator("subtract", B);
  if (A.shape[0] !== B.shape[0] || A.shape[1] !== B.shape[1]) {
    const message = `subtract expects operators of equal shapes, got ${formatDims(A.shape)} and ${formatDims(B.shape)}`;
    throw new CurvatureError("shape", message);
  }
  return add(A, scale(B, -1));
}
