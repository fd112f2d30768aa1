import { adjoint } from "../operator/adjoint.ts";
import { callMatmat, callMatvec } from "../operator/callOperator.ts";
import { checkOperator, checkSameShape } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { callQuadraticForms } from "../operator/quadraticForms.ts";
import {
  checkInput,
  checkInputs,
  exactTrace,
  hasAdjoint,
  sharedArithmetic,
  widestPrecision,
} from "../operator/structure.ts";
import { withInputCopy } from "../vectors/inputCopy.ts";
import { combination } from "../vectors/vector.ts";

/**
 * Sum `A + B` `[m, n]`; a product costs one with each. Symmetric, and positive semidefinite, where both are; the diagonal and the trace
 * are known where both know theirs. Quadratic forms are those of the terms, by products of one that has none. Results are float64 where
 * one of the terms is.
 *
 * @throws CurvatureError "shape" where the shapes differ
 */
export function add(A: LinearOperator, B: LinearOperator): LinearOperator {
  checkOperator("add", A);
  checkOperator("add", B);
  const { shape } = A;
  checkSameShape("add", A, { B });
  const dtype = widestPrecision(A, B);
  const [traceA, traceB] = [exactTrace(A), exactTrace(B)];
  return {
    shape,
    dtype,
    symmetric: A.symmetric && B.symmetric,
    psd: A.psd && B.psd,
    async matvec(x, options) {
      checkInput("a sum", x, shape);
      return withInputCopy(x, async (own) => {
        const Ax = await callMatvec(A, own, { name: "add", options });
        return combination([1, Ax], [1, await callMatvec(B, own, { name: "add", options })], { dtype });
      });
    },
    async matmat(X, options) {
      checkInputs("a sum", X, shape);
      return withInputCopy(X.data, async (data) => {
        const AX = await callMatmat(A, { ...X, data }, { name: "add", options });
        const BX = await callMatmat(B, { ...X, data }, { name: "add", options });
        return { ...AX, data: combination([1, AX.data], [1, BX.data], { dtype }) };
      });
    },
    ...((A.quadraticForms || B.quadraticForms) && { quadraticForms: formsOfSum(A, B) }),
    ...(hasAdjoint(A) && hasAdjoint(B) && { adjoint: () => add(adjoint(A), adjoint(B)) }),
    ...sharedArithmetic([A, B], { length: shape[0], dtype }),
    ...(A.diagonal &&
      B.diagonal && {
        diagonal: async () => combination([1, await A.diagonal!()], [1, await B.diagonal!()], { dtype }),
      }),
    ...(traceA && traceB && { trace: async () => (await traceA()) + (await traceB()) }),
  };
}

function formsOfSum(A: LinearOperator, B: LinearOperator): NonNullable<LinearOperator["quadraticForms"]> {
  return async (X, options) => {
    checkInputs("a sum", X, A.shape);
    return withInputCopy(X.data, async (data) => {
      const a = await callQuadraticForms(A, { ...X, data }, { name: "add", options });
      const b = await callQuadraticForms(B, { ...X, data }, { name: "add", options });
      return a.map((form, k) => form + b[k]);
    });
  };
}
