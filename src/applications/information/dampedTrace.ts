import { CurvatureError } from "../../errors/index.ts";
import {
  cg,
  damped,
  type Estimate,
  functionOperator,
  hutchinsonTrace,
  type LinearOperator,
  type RunOptions,
  type Status,
} from "../../linalg/index.ts";
import { norm } from "../../linalg/vectors/vector.ts";
import type { Vector } from "../../tensors/index.ts";

/** How systems with a matrix are solved. */
export interface SolveOptions {
  /** Bound on the residual of each system over its right-hand side; 1e-8 by default, 1e-4 for float32 operators. */
  readonly solveTolerance?: number;
  /** Most products of each solution; 1000 by default. */
  readonly solveMatvecs?: number;
}

/** A solver of `(A + damping I) x = b` that counts its products and remembers its worst residual. */
export interface DampedSolver {
  solve(b: Vector): Promise<Vector>;
  /** Products with A so far; none where A has an inverse in closed form. */
  matvecs(): number;
  /** Largest residual norm over the norm of the right-hand side. */
  worstResidual(): number;
}

/**
 * Solves damped systems by the closed inverse of A where it has one, else by conjugate gradients.
 *
 * @throws CurvatureError from `solve`: "numeric" where A plus damping is not positive definite or a solution is not reached, "aborted" when the signal fires
 */
export function dampedSolver(
  name: string,
  A: LinearOperator,
  { damping, solveTolerance, solveMatvecs = 1000, signal }: SolveOptions & RunOptions & { readonly damping: number },
): DampedSolver {
  const run = signal ? { signal } : {};
  const closed = A.inverse?.({ damping });
  const shifted = damped(A, damping);
  const tolerance = solveTolerance ?? (A.dtype === "float32" ? 1e-4 : 1e-8);
  let [matvecs, worst] = [0, 0];
  return {
    async solve(b) {
      if (closed !== undefined) return closed.matvec(b, run);
      const result = await cg(shifted, b, { tolerance, matvecs: solveMatvecs, ...run });
      matvecs += result.matvecs;
      const size = result.residualNorm / Math.max(norm(b), Number.MIN_VALUE);
      worst = Math.max(worst, size);
      if (isSolved(result.status)) return result.x;
      const code = result.status === "aborted" ? "aborted" : "numeric";
      const advice =
        result.status === "indefinite" ? "take ggn(risk), or more damping" : "raise solveMatvecs or damping";
      throw new CurvatureError(
        code,
        `${name} cannot solve with its matrix at damping ${damping}: ${result.message}; ${advice}`,
      );
    },
    matvecs: () => matvecs,
    worstResidual: () => worst,
  };
}

function isSolved(status: Status): boolean {
  return status === "converged" || status === "stagnated";
}

/** `tr((A + damping I)^-1 C)` by Hutchinson's estimate of the product, one solution and one product with C a probe. */
export async function inverseProductTrace(
  { solver, C, size }: { readonly solver: DampedSolver; readonly C: LinearOperator; readonly size: number },
  { probes, seed, signal, onProgress }: RunOptions & { readonly probes: number; readonly seed: number },
): Promise<Estimate & { readonly matvecs: number }> {
  const product = functionOperator({
    shape: [size, size],
    matvec: async (x, run) => solver.solve(await C.matvec(x, run)),
  });
  const run = { ...(signal && { signal }), ...(onProgress && { onProgress }) };
  const { trace, standardError, matvecs, status, message } = await hutchinsonTrace(product, {
    matvecs: probes,
    seed,
    ...run,
  });
  if (status === "aborted") throw new CurvatureError("aborted", message);
  return { value: trace, standardError, matvecs };
}
