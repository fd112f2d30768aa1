import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import type { EntriesEstimate } from "./hutchinsonDiagonal.ts";
import { entriesOf } from "./hutchinsonMoments.ts";
import { HUTCHINSON_OPTIONS, type HutchinsonOptions, probeSteps } from "./probeSteps.ts";

/**
 * Estimated squared norms of the rows of a matrix of any shape `[m, n]`, `||A_i||^2 = E[(A v)_i^2]` with standard errors: the diagonal of
 * `A A'` (Bekas, Kokiopoulou and Saad, 2007). With Gaussian probes, one probe has relative variance 2 in every row. One product a probe;
 * exact from `matvecs >= n` on. `tolerance` is about the norm of the half intervals over the norm of the result. For columns, pass the
 * adjoint.
 *
 * @throws CurvatureError "argument" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function rowNorms(A: LinearOperator, options: HutchinsonOptions): Promise<EntriesEstimate> {
  checkOptions("rowNorms", options, HUTCHINSON_OPTIONS);
  const setup = { ...options, name: "rowNorms", watch: "entries", blocks: [], entries: "rowNorms" } as const;
  const { state, certainty, outcome } = await runToEnd(probeSteps(A, setup));
  return { ...entriesOf(state), certainty, ...outcome };
}
