import { CurvatureError } from "../../errors/index.ts";
import { formatDims } from "../../tensors/index.ts";
import { checkOperator } from "./checks.ts";
import type { LinearOperator } from "./operator.ts";

/**
 * Transpose `A'` `[n, m]` of an operator A `[m, n]`; A itself where it is symmetric.
 *
 * @throws CurvatureError "unsupported" where A is not symmetric and brings no adjoint
 */
export function adjoint(A: LinearOperator): LinearOperator {
  checkOperator("adjoint", A);
  if (A.symmetric) return A;
  if (A.adjoint) return A.adjoint();
  const message = `adjoint expects an operator that is symmetric or has adjoint(), got one of shape ${formatDims(A.shape)} with neither`;
  throw new CurvatureError("unsupported", `${message}; give functionOperator an adjoint`);
}
