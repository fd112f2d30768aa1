import { CurvatureError } from "../../errors/index.ts";
import { damped } from "../algebra/damped.ts";
import { adjoint } from "../operator/adjoint.ts";
import { checkNonnegative, checkSquare, checkVector, precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { exactTrace, hasAdjoint } from "../operator/structure.ts";
import { explainSolver } from "../systems/explainSolver.ts";
import { type SolveOptions, solve } from "../systems/solve.ts";

/**
 * Inverse of `A + damping I` as an operator: each product solves a system by `solve`, with its options and at its cost, and is linear up to
 * `tolerance` only. Trace and determinant are kept where A knows them: the trace of its closed inverse, and minus its own log-determinant.
 * The inverse of the inverse is `A + damping I` itself.
 *
 * @throws CurvatureError "argument" or "shape" here for operators it cannot take; each product throws "numeric" where the solver does not
 * converge, "aborted" where it is stopped: there are no approximate results
 */
export function solverInverse(
  A: LinearOperator,
  options: Omit<SolveOptions, "x0" | "signal" | "onProgress"> = {},
): LinearOperator {
  checkOptions("solverInverse", options, "tolerance preconditioner matvecs method damping");
  checkSquare("solverInverse", A);
  const { damping = 0 } = options;
  checkNonnegative("solverInverse", "damping", damping);
  const { method = explainSolver(A).method } = options;
  const closed = A.inverse ? exactTrace(A.inverse({ damping })) : undefined;
  return {
    shape: A.shape,
    dtype: precision(A),
    symmetric: A.symmetric,
    // cg finds a solution only where it meets no negative curvature.
    psd: A.symmetric && (A.psd || method === "cg"),
    async matvec(b, run = {}) {
      checkVector("solverInverse", b, { what: "the vector", length: A.shape[1] });
      const { x, status, message } = await solve(A, b.slice(), { ...options, ...run, method });
      if (status === "converged") return x;
      const code = status === "aborted" ? "aborted" : "numeric";
      throw new CurvatureError(code, `solverInverse has no solution by ${method} (${status}): ${message}`);
    },
    ...(hasAdjoint(A) && { adjoint: () => solverInverse(adjoint(A), { ...options, method }) }),
    ...(closed && { trace: closed }),
    ...(A.logdet && {
      logdet: async (more) => {
        if (more.damping === 0) return -(await A.logdet!({ damping }));
        const message = `logdet of solverInverse is known for damping 0 only, got ${more.damping}`;
        throw new CurvatureError("unsupported", `${message}; estimate it from products instead`);
      },
    }),
    inverse(more) {
      if (more.damping === 0) return damping === 0 ? A : damped(A, damping);
      const message = `inverse of solverInverse is known for damping 0 only, got ${more.damping}`;
      throw new CurvatureError("unsupported", `${message}; compose damped and solverInverse`);
    },
  };
}
