import { CurvatureError } from "../errors/index.ts";
import { column, type Matrix } from "../tensors/index.ts";
import { checkSquare } from "./checks.ts";
import { matmat } from "./matmat.ts";
import type { LinearOperator, RunOptions } from "./operator.ts";
import { checkInputs, checkSignal } from "./structure.ts";
import { dot } from "./vector.ts";

const NAME = "quadraticForms";

/**
 * Quadratic forms `x' A x` `[k]` of a square operator `[n, n]`, symmetric or not, for the k columns x of X `[n, k]`: by the operator's
 * own where it has them (half the cost of a product for `J' M J`), else by products and inner products accumulated in float64, with
 * progress told after each product. Costs k products.
 *
 * @throws CurvatureError "shape" where A is not square, X does not have n rows, or the operator's own forms are not one a column,
 * "aborted" when the signal stops it
 */
export async function quadraticForms(A: LinearOperator, X: Matrix, options: RunOptions = {}): Promise<Float64Array> {
  checkSquare(NAME, A);
  checkInputs("an operator", X, A.shape);
  const { signal, onProgress } = options;
  const { columns } = X;
  if (A.quadraticForms) {
    checkSignal(NAME, signal, `0 of ${columns} products`);
    return checkedForms(NAME, await A.quadraticForms(X, options), columns);
  }
  if (A.matmat) {
    const AX = await matmat(A, X, options);
    return Float64Array.from({ length: columns }, (_, k) => dot(column(X, k), column(AX, k)));
  }
  const forms = new Float64Array(columns);
  for (let k = 0; k < columns; k++) {
    checkSignal(NAME, signal, `${k} of ${columns} products`);
    forms[k] = dot(column(X, k), await A.matvec(column(X, k), signal ? { signal } : {}));
    onProgress?.({ stage: NAME, done: k + 1, total: columns });
  }
  return forms;
}

/** What an operator gave as its quadratic forms for `columns` vectors, if it is one number each. */
export function checkedForms(name: string, forms: Float64Array, columns: number): Float64Array {
  if (forms instanceof Float64Array && forms.length === columns) return forms;
  const got = ArrayBuffer.isView(forms)
    ? `${(forms as Float64Array).length} in a ${(forms as Float64Array).constructor.name}`
    : typeof forms;
  const message = `${name} expected the operator's quadraticForms to give a Float64Array of ${columns} numbers, one a column, got ${got}; correct it`;
  throw new CurvatureError("shape", message);
}
