import { CurvatureError } from "../../errors/index.ts";
import { formatDims } from "../../tensors/index.ts";
import { adjoint } from "../operator/adjoint.ts";
import { callMatmat, callMatvec } from "../operator/callOperator.ts";
import { checkOperator, precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { checkFlags, checkInput, checkInputs, hasAdjoint, sharedArithmetic } from "../operator/structure.ts";

/**
 * Product `A B` `[m, n]` of operators A `[m, k]` and B `[k, n]`; a product costs one with each.
 *
 * No rule makes a product of operators symmetric: say so where you know it. `J' M J` for a symmetric M is
 * `compose(adjoint(J), compose(M, J), { symmetric: true, psd: M.psd })`.
 *
 * @param options.symmetric that the product equals its transpose
 * @param options.psd that the product is symmetric and positive semidefinite
 * @throws CurvatureError "shape" where the inner dimensions differ, "argument" where a product that is not square is called symmetric
 */
export function compose(
  A: LinearOperator,
  B: LinearOperator,
  options: { readonly symmetric?: boolean | undefined; readonly psd?: boolean | undefined } = {},
): LinearOperator {
  checkOptions("compose", options, "symmetric psd");
  const { psd = false, symmetric = psd } = options;
  checkOperator("compose", A);
  checkOperator("compose", B);
  if (A.shape[1] !== B.shape[0]) {
    const message = `compose expects the second operator to have as many rows as the first has columns, got ${formatDims(A.shape)} and ${formatDims(B.shape)}`;
    throw new CurvatureError("shape", message);
  }
  const shape = [A.shape[0], B.shape[1]] as const;
  checkFlags("compose", { shape, symmetric, psd });
  const dtype = precision(A);
  return {
    shape,
    dtype,
    symmetric,
    psd,
    async matvec(x, options) {
      checkInput("a product of operators", x, shape);
      return callMatvec(A, await callMatvec(B, x, { name: "compose", options }), { name: "compose", options });
    },
    async matmat(X, options) {
      checkInputs("a product of operators", X, shape);
      return callMatmat(A, await callMatmat(B, X, { name: "compose", options }), { name: "compose", options });
    },
    ...(hasAdjoint(A) && hasAdjoint(B) && { adjoint: () => compose(adjoint(B), adjoint(A), { symmetric, psd }) }),
    ...sharedArithmetic([A, B], { length: shape[0], dtype }),
  };
}
