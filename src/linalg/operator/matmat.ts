import type { Matrix } from "../../tensors/index.ts";
import { callMatmat, checkProducts } from "./callOperator.ts";
import { checkOperator } from "./checks.ts";
import type { LinearOperator, RunOptions } from "./operator.ts";
import { checkOptions } from "./options.ts";
import { checkInputs } from "./structure.ts";

/**
 * Product `A X` `[m, k]` of an operator `[m, n]` with the k columns of X `[n, k]`: at once where the operator can, else column by column,
 * with progress told after each. Costs k products.
 *
 * @throws CurvatureError "shape" where X does not have n rows or a product not m entries, "numeric" where one is not finite, "argument" where
 * the operator returns the same array again, "aborted" when the signal stops it
 */
export async function matmat(A: LinearOperator, X: Matrix, options: RunOptions = {}): Promise<Matrix> {
  checkOptions("matmat", options, "signal onProgress");
  checkOperator("matmat", A);
  checkInputs("an operator", X, A.shape);
  const Y = await callMatmat(A, X, { name: "matmat", options });
  checkProducts("matmat", Y.data, Y.rows);
  return Y;
}
