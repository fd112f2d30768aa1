import { toPrecision, type Vector } from "../tensors/index.ts";
import { adjoint } from "./adjoint.ts";
import { checkOperator, precision } from "./checks.ts";
import { matmat } from "./matmat.ts";
import type { LinearOperator } from "./operator.ts";
import { quadraticForms } from "./quadraticForms.ts";
import { checkInput, checkScalar, exactTrace, hasAdjoint, sharedArithmetic } from "./structure.ts";
import { scaled } from "./vector.ts";

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
  const { shape } = A;
  const dtype = precision(A);
  const trace = exactTrace(A);
  const times = (x: Vector) => toPrecision(scaled(factor, x), dtype);
  return {
    shape,
    dtype,
    symmetric: A.symmetric,
    psd: A.psd && factor >= 0,
    async matvec(x, options) {
      checkInput("a multiple", x, shape);
      return times(await A.matvec(x, options));
    },
    async matmat(X, options) {
      const AX = await matmat(A, X, options);
      return { ...AX, data: times(AX.data) };
    },
    ...(A.quadraticForms && {
      quadraticForms: async (X, options) => (await quadraticForms(A, X, options)).map((form) => factor * form),
    }),
    ...(hasAdjoint(A) && { adjoint: () => scale(adjoint(A), factor) }),
    ...sharedArithmetic([A], { length: shape[0], dtype }),
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
