import { column } from "../../tensors/index.ts";
import { adjoint } from "../operator/adjoint.ts";
import { callMatmat, callMatvec } from "../operator/callOperator.ts";
import { checkSquare } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { callQuadraticForms } from "../operator/quadraticForms.ts";
import { checkInput, checkInputs, checkScalar, exactTrace, hasAdjoint, structureOf } from "../operator/structure.ts";
import { withInputCopy } from "../vectors/inputCopy.ts";
import { combination, dot } from "../vectors/vector.ts";

/**
 * Damped operator `A + damping I` `[n, n]`; a product costs one with A. Symmetric where A is; positive semidefinite where A is and the
 * damping, which may have either sign, is not negative. What A knows exactly passes on: diagonal and trace (n times the damping more),
 * inverse and determinant (their damping increased); so do its quadratic forms, `damping ||x||^2` more.
 *
 * @throws CurvatureError "shape" where A is not square, "argument" where the damping is not finite
 */
export function damped(A: LinearOperator, damping: number): LinearOperator {
  checkSquare("damped", A);
  checkScalar("damped", "damping", damping);
  const structure = structureOf(A);
  const { shape, dtype } = structure;
  const trace = exactTrace(A);
  return {
    ...structure,
    psd: A.psd && damping >= 0,
    async matvec(x, options) {
      checkInput("a damped operator", x, shape);
      return withInputCopy(x, async (own) => {
        const Ax = await callMatvec(A, own, { name: "damped", options });
        return combination([1, Ax], [damping, own], { dtype, into: Ax });
      });
    },
    async matmat(X, options) {
      checkInputs("a damped operator", X, shape);
      return withInputCopy(X.data, async (data) => {
        const AX = await callMatmat(A, { ...X, data }, { name: "damped", options });
        return { ...AX, data: combination([1, AX.data], [damping, data], { dtype, into: AX.data }) };
      });
    },
    ...(A.quadraticForms && {
      async quadraticForms(X, options) {
        checkInputs("a damped operator", X, shape);
        const squares = Float64Array.from({ length: X.columns }, (_, k) => dot(column(X, k), column(X, k)));
        const forms = await callQuadraticForms(A, X, { name: "damped", options });
        return forms.map((form, k) => form + damping * squares[k]);
      },
    }),
    ...(hasAdjoint(A) && { adjoint: () => damped(adjoint(A), damping) }),
    ...(A.diagonal && { diagonal: async () => (await A.diagonal!()).map((value) => value + damping) }),
    ...(trace && { trace: async () => (await trace()) + shape[0] * damping }),
    ...(A.inverse && { inverse: (more) => A.inverse!({ damping: damping + more.damping }) }),
    ...(A.logdet && { logdet: async (more) => A.logdet!({ damping: damping + more.damping }) }),
  };
}
