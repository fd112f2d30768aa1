import { toPrecision, type Vector } from "../../tensors/index.ts";
import { adjoint } from "../operator/adjoint.ts";
import { callMatmat, callMatvec } from "../operator/callOperator.ts";
import { checkOperator } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { callQuadraticForms } from "../operator/quadraticForms.ts";
import { checkInput, checkInputs, checkScalar, exactTrace, hasAdjoint, structureOf } from "../operator/structure.ts";
import { scaled } from "../vectors/vector.ts";

/**
 * Multiple `factor A` `[m, n]`; a product costs one with A. Symmetric where A is; positive semidefinite where A is and the factor is not
 * negative. What A knows exactly is scaled, its quadratic forms as well, and for a positive factor c so are
 *
 *     (c A + d I)^-1 = (A + d/c I)^-1 / c,    log det(c A + d I) = n log c + log det(A + d/c I).
 *
 * @throws CurvatureError "argument" where the factor is not finite
 */
export function scale(A: LinearOperator, factor: number): LinearOperator {
  checkOperator("scale", A);
  checkScalar("scale", "factor", factor);
  const structure = structureOf(A);
  const { shape, dtype } = structure;
  const trace = exactTrace(A);
  const times = (x: Vector) => toPrecision(scaled(factor, x), dtype);
  return {
    ...structure,
    psd: A.psd && factor >= 0,
    async matvec(x, options) {
      checkInput("a multiple", x, shape);
      return times(await callMatvec(A, x, { name: "scale", options }));
    },
    async matmat(X, options) {
      checkInputs("a multiple", X, shape);
      const AX = await callMatmat(A, X, { name: "scale", options });
      return { ...AX, data: times(AX.data) };
    },
    ...(A.quadraticForms && {
      async quadraticForms(X, options) {
        checkInputs("a multiple", X, shape);
        return (await callQuadraticForms(A, X, { name: "scale", options })).map((form) => factor * form);
      },
    }),
    ...(hasAdjoint(A) && { adjoint: () => scale(adjoint(A), factor) }),
    ...(A.diagonal && { diagonal: async () => times(await A.diagonal!()) }),
    ...(trace && { trace: async () => factor * (await trace()) }),
    ...(A.inverse &&
      factor > 0 && { inverse: ({ damping }) => scale(A.inverse!({ damping: damping / factor }), 1 / factor) }),
    ...(A.logdet &&
      factor > 0 && {
        logdet: async ({ damping }) => shape[0] * Math.log(factor) + (await A.logdet!({ damping: damping / factor })),
      }),
  };
}
