import { checkSquare } from "./checks.ts";
import { drive } from "./drive.ts";
import { type DiagonalEstimate, type HutchinsonOptions, probeSteps } from "./hutchinsonMoments.ts";
import type { LinearOperator } from "./operator.ts";
import type { Outcome } from "./result.ts";

/**
 * Estimated diagonal `A_ii = E[v_i (A v)_i]` of a square matrix, entry by entry with standard errors (Bekas, Kokiopoulou and Saad, 2007).
 * With random signs, one probe has variance `sum over j != i of A_ij^2` in entry i. One product a probe; exact from `matvecs >= n` on.
 * `tolerance` is about the norm of the standard errors over the norm of the diagonal. An operator that knows its diagonal has
 * `A.diagonal()`, which is not called here. Where an exact run stops early, entries not reached are NaN with standard error Infinity.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function hutchinsonDiagonal(
  A: LinearOperator,
  options: HutchinsonOptions,
): Promise<DiagonalEstimate & Outcome> {
  const name = "hutchinsonDiagonal";
  checkSquare(name, A);
  const setup = { ...options, name, watch: "diagonal", blocks: [], withDiagonal: true } as const;
  const { diagonal, status, message, matvecs } = await drive(probeSteps(A, setup));
  return { ...diagonal, status, message, matvecs };
}
