import { CurvatureError } from "../../errors/index.ts";
import { formatDims } from "../../tensors/index.ts";
import { checkOperator } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { hasAdjoint } from "../operator/structure.ts";

/** The methods that `solve` chooses from. */
export type SolverName = "inverse" | "cg" | "minres" | "gmres" | "lsmr";

/** A choice and its reason. */
export interface SolverChoice {
  readonly method: SolverName;
  /** One sentence: what was declared that speaks for the method. */
  readonly why: string;
}

/**
 * The method that `solve(A, b)` takes, from what A declares: its own inverse where it has one, `cg` for positive semidefinite, `minres` for
 * symmetric, `gmres` for square and `lsmr` for rectangular operators. Costs nothing.
 *
 * @throws CurvatureError "unsupported" for a rectangular operator without adjoint
 */
export function explainSolver(A: LinearOperator): SolverChoice {
  checkOperator("explainSolver", A);
  const [rows, columns] = A.shape;
  if (rows !== columns) {
    if (A.adjoint) return { method: "lsmr", why: `shape ${formatDims(A.shape)} is not square: least squares` };
    const message = `solve expects a rectangular operator to have adjoint(), got one of shape ${formatDims(A.shape)} without`;
    throw new CurvatureError("unsupported", `${message}; give functionOperator an adjoint`);
  }
  if (A.inverse) return { method: "inverse", why: "the operator has its inverse in closed form" };
  if (A.psd) return { method: "cg", why: "psd is declared: conjugate gradients, the least work a step" };
  if (A.symmetric) {
    return {
      method: "minres",
      why: "symmetric is declared but not psd: minres takes negative eigenvalues, cg does not",
    };
  }
  const other = hasAdjoint(A) ? "; lsmr would take its adjoint, at twice the products a step" : "";
  return { method: "gmres", why: `square and not symmetric: gmres needs no adjoint${other}` };
}
