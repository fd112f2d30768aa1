import { CurvatureError } from "../../errors/index.ts";
import { adjoint } from "../operator/adjoint.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { compose } from "./compose.ts";

/** The symmetric matrix whose eigenvalues give the singular values of A: A itself where it is symmetric, else `A'A` at two products each. */
export function gramOf(A: LinearOperator): { readonly B: LinearOperator; readonly cost: 1 | 2 } {
  if (A.symmetric) return { B: A, cost: 1 };
  return { B: compose(adjoint(A), A, { psd: true }), cost: 2 };
}

/** Budget for products with `gramOf(A)`. */
export function gramBudget(
  name: string,
  { matvecs, cost }: { readonly matvecs: number; readonly cost: number },
): number {
  if (matvecs >= cost) return Math.floor(matvecs / cost);
  const message = `${name} expects matvecs to be at least 2 for an operator that is not symmetric, got ${matvecs}; a step takes A and A'`;
  throw new CurvatureError("argument", message);
}
