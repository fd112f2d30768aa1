import { checkOperator, checkSameShape } from "../operator/checks.ts";
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
  checkSameShape("subtract", A, { B });
  return add(A, scale(B, -1));
}
