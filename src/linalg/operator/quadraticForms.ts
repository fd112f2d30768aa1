import { column, type Matrix } from "../../tensors/index.ts";
import { dot } from "../vectors/vector.ts";
import { callMatmat, callMatvec, checkProducts, type OperatorCall, receivedForms } from "./callOperator.ts";
import { checkSquare } from "./checks.ts";
import type { LinearOperator, RunOptions } from "./operator.ts";
import { checkOptions } from "./options.ts";
import { checkInputs, checkSignal } from "./structure.ts";

const NAME = "quadraticForms";

/**
 * Quadratic forms `x' A x` `[k]` of a square operator `[n, n]`, symmetric or not, for the k columns x of X `[n, k]`: by the operator's
 * own where it has them (half the cost of a product for `J' M J`), else by products and inner products accumulated in float64, with
 * progress told after each product. Costs k products.
 *
 * @throws CurvatureError "shape" where A is not square, X does not have n rows, or the operator's own forms are not one a column,
 * "numeric" where one is not finite, "argument" where the operator returns the same array again, "aborted" when the signal stops it
 */
export async function quadraticForms(A: LinearOperator, X: Matrix, options: RunOptions = {}): Promise<Float64Array> {
  checkOptions(NAME, options, "signal onProgress");
  checkSquare(NAME, A);
  checkInputs("an operator", X, A.shape);
  const forms = await callQuadraticForms(A, X, { name: NAME, options });
  checkProducts(NAME, forms, 1);
  return forms;
}

/**
 * `quadraticForms` for a function of another name. Forms may be infinite or NaN.
 *
 * @throws CurvatureError as `quadraticForms`
 */
export async function callQuadraticForms(
  A: LinearOperator,
  X: Matrix,
  { name, options = {} }: OperatorCall,
): Promise<Float64Array> {
  const { signal, onProgress } = options;
  const { columns } = X;
  checkSignal(name, signal, `0 of ${columns} products`);
  if (A.quadraticForms) return receivedForms(name, await A.quadraticForms(X, options), columns);
  const own = { ...X, data: X.data.slice() };
  if (A.matmat) {
    const AX = await callMatmat(A, own, { name, options });
    return Float64Array.from({ length: columns }, (_, k) => dot(column(own, k), column(AX, k)));
  }
  const forms = new Float64Array(columns);
  for (let k = 0; k < columns; k++) {
    checkSignal(name, signal, `${k} of ${columns} products`);
    const x = column(own, k);
    forms[k] = dot(x, await callMatvec(A, x, { name, options: { signal } }));
    onProgress?.({ stage: name, done: k + 1, total: columns });
  }
  return forms;
}
