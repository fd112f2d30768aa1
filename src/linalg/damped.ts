import { column } from "../tensors/index.ts";
import { adjoint } from "./adjoint.ts";
import { checkSquare, precision } from "./checks.ts";
import { matmat } from "./matmat.ts";
import type { LinearOperator } from "./operator.ts";
import { quadraticForms } from "./quadraticForms.ts";
import { checkInput, checkScalar, exactTrace, hasAdjoint, sharedArithmetic } from "./structure.ts";
import { combination, dot } from "./vector.ts";

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
  const { shape } = A;
  const dtype = precision(A);
  const trace = exactTrace(A);
  return {
    shape,
    dtype,
    symmetric: A.symmetric,
    psd: A.psd && damping >= 0,
    async matvec(x, options) {
      checkInput("a damped operator", x, shape);
      const Ax = await A.matvec(x, options);
      // The product is a new vector; an operator that returns x itself gets one here.
      const into = Ax !== x && Ax instanceof Float32Array === (dtype === "float32") ? Ax : undefined;
      return combination([1, Ax], [damping, x], { dtype, into });
    },
    async matmat(X, options) {
      const AX = await matmat(A, X, options);
      return { ...AX, data: combination([1, AX.data], [damping, X.data], { dtype }) };
    },
    ...(A.quadraticForms && {
      async quadraticForms(X, options) {
        const forms = await quadraticForms(A, X, options);
        return forms.map((form, k) => form + damping * dot(column(X, k), column(X, k)));
      },
    }),
    ...(hasAdjoint(A) && { adjoint: () => damped(adjoint(A), damping) }),
    ...sharedArithmetic([A], { length: shape[0], dtype }),
    ...(A.diagonal && { diagonal: async () => (await A.diagonal!()).map((value) => value + damping) }),
    ...(trace && { trace: async () => (await trace()) + shape[0] * damping }),
    ...(A.inverse && { inverse: (more) => A.inverse!({ damping: damping + more.damping }) }),
    ...(A.logdet && { logdet: async (more) => A.logdet!({ damping: damping + more.damping }) }),
  };
}
