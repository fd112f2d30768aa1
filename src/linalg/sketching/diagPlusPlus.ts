import { adjoint } from "../operator/adjoint.ts";
import { checkSquare } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { certainty, fewProbesRemark } from "../statistics/confidence.ts";
import type { EntriesEstimate } from "../traces/hutchinsonDiagonal.ts";
import { diagonalOf } from "../traces/hutchinsonMoments.ts";
import type { HutchinsonState } from "../traces/probeSums.ts";
import { sketchedDiagonal } from "./entrySamples.ts";
import { type PlusPlusOptions, type PlusPlusState, plusPlusSteps } from "./plusPlus.ts";

const NAME = "diagPlusPlus";

/**
 * Estimated diagonal of a square matrix by Diag++ (Baston and Nakatsukasa, 2022): exact on a basis Q of the range of A' times
 * `floor(matvecs / 3)` test vectors, Hutchinson's estimate of the rest, `diag A = diag A Q Q' + E[v * A (I - Q Q') v]`; for symmetric A with
 * the rest projected from both sides. Unbiased, and its probes are independent. Exact from `matvecs >= n` on. A matrix that is not
 * symmetric needs its adjoint, for the first third of the products. `tolerance` as in `hutchinsonDiagonal`.
 *
 * @throws CurvatureError "argument", "shape" or "unsupported" for options or operators it cannot take; whatever the operator throws, with
 * `state`
 */
export async function diagPlusPlus(A: LinearOperator, options: PlusPlusOptions): Promise<EntriesEstimate> {
  return runToEnd(diagPlusPlusSteps(A, options));
}

/** The run of `diagPlusPlus` block by block of products; yields a state after each, from which `state` resumes it. */
export async function* diagPlusPlusSteps(
  A: LinearOperator,
  options: PlusPlusOptions,
): AsyncGenerator<PlusPlusState | HutchinsonState, EntriesEstimate, void> {
  checkOptions(NAME, options, "state tolerance matvecs seed confidence distribution blockSize signal onProgress");
  checkSquare(NAME, A);
  const sketched = options.matvecs >= A.shape[1] ? A : adjoint(A);
  const run = yield* plusPlusSteps(A, { ...options, name: NAME, entries: "diagonal", sketched });
  if ("probed" in run) return { ...diagonalOf(run.probed), certainty: run.probed.certainty, ...run.probed.outcome };
  const { state, matvecs, interruption } = run.sketched;
  const how = certainty(options.confidence ?? 0.95, { probes: state.sketched });
  const happened = interruption?.happened ?? `averaged ${state.sketched} probes${fewProbesRemark(how)}`;
  return {
    ...sketchedDiagonal(state),
    certainty: how,
    ...outcome(interruption?.status ?? "converged", { happened, matvecs }),
  };
}
