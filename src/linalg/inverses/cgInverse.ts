import { CurvatureError } from "../../errors/index.ts";
import { checkDeclaredSymmetric, checkVector, precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { type CgOptions, cg } from "../systems/cg.ts";

/**
 * Inverse of a symmetric positive definite matrix as an operator: each product solves a system by `cg`, at its cost. It is linear up to
 * `tolerance` only.
 *
 * @throws CurvatureError "argument" or "shape" here for operators it cannot take; each product throws "numeric" where `cg` does not converge,
 * "aborted" where it is stopped: there are no approximate results
 */
export function cgInverse(
  A: LinearOperator,
  options: Omit<CgOptions, "x0" | "state" | "signal" | "onProgress"> = {},
): LinearOperator {
  checkOptions("cgInverse", options, "tolerance preconditioner recompute matvecs");
  checkDeclaredSymmetric("cgInverse", A);
  return {
    shape: A.shape,
    dtype: precision(A),
    symmetric: true,
    // An inverse that cg finds is of a matrix without negative curvature.
    psd: true,
    async matvec(b, run = {}) {
      checkVector("cgInverse", b, { what: "the vector", length: A.shape[1] });
      const { x, status, message } = await cg(A, b.slice(), { ...options, ...run });
      if (status === "converged") return x;
      throw new CurvatureError(
        status === "aborted" ? "aborted" : "numeric",
        `cgInverse has no solution (${status}): ${message}`,
      );
    },
  };
}
