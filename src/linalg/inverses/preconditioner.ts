import { CurvatureError } from "../../errors/index.ts";
import { toPrecision, type Vector } from "../../tensors/index.ts";
import { diagonal } from "../algebra/diagonal.ts";
import { checkNonnegative, checkSquare, precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";

/**
 * Preconditioner `(P + damping I)^-1` from any operator P close to A that has an inverse: `diagonal`, `lowRank` and low-rank results,
 * `dense`, and structured approximations. Give it to the solvers as `preconditioner`. Its log-determinant is minus that of `P + damping I`,
 * where P knows it, so that the determinant of A follows from that of the preconditioned matrix.
 *
 * @throws CurvatureError "unsupported" where P has no inverse; whatever that inverse throws
 */
export function preconditioner(
  P: LinearOperator,
  options: { readonly damping?: number | undefined } = {},
): LinearOperator {
  checkOptions("preconditioner", options, "damping");
  const { damping = 0 } = options;
  checkSquare("preconditioner", P);
  checkNonnegative("preconditioner", "damping", damping);
  if (!P.inverse) {
    const message = "preconditioner expects an operator with inverse(), got one without";
    throw new CurvatureError(
      "unsupported",
      `${message}; take its diagonal, a low-rank approximation, or solverInverse`,
    );
  }
  const inverse = P.inverse({ damping });
  if (!P.logdet) return inverse;
  return {
    ...inverse,
    async logdet(more) {
      if (more.damping === 0) return -(await P.logdet!({ damping }));
      const message = `logdet of a preconditioner is known for damping 0 only, got ${more.damping}`;
      throw new CurvatureError("unsupported", `${message}; damp the operator that it is made from`);
    },
  };
}

/**
 * Jacobi preconditioner: the inverse of the diagonal of A, `[n, n]`, from `A.diagonal()` or a diagonal `[n]` that was estimated. Entries that
 * are not positive after damping count as the largest one, so that the result is positive definite.
 *
 * @throws CurvatureError "unsupported" where A does not know its diagonal and none is given, "numeric" where no entry is positive
 */
export async function jacobiPreconditioner(
  A: LinearOperator,
  options: { readonly damping?: number | undefined; readonly entries?: Vector | undefined } = {},
): Promise<LinearOperator> {
  checkOptions("jacobiPreconditioner", options, "damping entries");
  const { damping = 0, entries } = options;
  checkSquare("jacobiPreconditioner", A);
  checkNonnegative("jacobiPreconditioner", "damping", damping);
  if (!entries && !A.diagonal) {
    const message = "jacobiPreconditioner expects an operator that knows its diagonal, got one that does not";
    throw new CurvatureError("unsupported", `${message}; estimate it by hutchinsonDiagonal and pass it as entries`);
  }
  const shifted = Float64Array.from(entries ?? (await A.diagonal!()), (value) => value + damping);
  const largest = shifted.reduce((so, value) => Math.max(so, value), 0);
  if (!(largest > 0)) {
    const message = `jacobiPreconditioner expects a diagonal with a positive entry, got at most ${largest}`;
    throw new CurvatureError("numeric", `${message}; raise the damping`);
  }
  return preconditioner(
    diagonal(
      toPrecision(
        shifted.map((value) => (value > 0 ? value : largest)),
        precision(A),
      ),
    ),
  );
}
