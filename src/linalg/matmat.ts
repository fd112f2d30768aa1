import { column, type Matrix, zeros } from "../tensors/index.ts";
import { checkOperator, precision } from "./checks.ts";
import type { LinearOperator, RunOptions } from "./operator.ts";
import { checkInputs, checkSignal } from "./structure.ts";

/**
 * Product `A X` `[m, k]` of an operator `[m, n]` with the k columns of X `[n, k]`: at once where the operator can, else column by column,
 * with progress told after each. Costs k products.
 *
 * @throws CurvatureError "shape" where X does not have n rows, "aborted" when the signal stops it
 */
export async function matmat(A: LinearOperator, X: Matrix, options: RunOptions = {}): Promise<Matrix> {
  checkOperator("matmat", A);
  checkInputs("an operator", X, A.shape);
  const { signal, onProgress } = options;
  const { columns } = X;
  if (A.matmat) {
    checkSignal("matmat", signal, `0 of ${columns} products`);
    return A.matmat(X, options);
  }
  const rows = A.shape[0];
  const data = zeros(rows * columns, precision(A));
  for (let k = 0; k < columns; k++) {
    checkSignal("matmat", signal, `${k} of ${columns} products`);
    data.set(await A.matvec(column(X, k), signal ? { signal } : {}), k * rows);
    onProgress?.({ stage: "matmat", done: k + 1, total: columns });
  }
  return { rows, columns, data };
}
