import type { Precision } from "../../tensors/index.ts";
import { epsilon } from "../operator/checks.ts";

// When a solver gives up on rounding. Its recurrence goes on falling where the residual computed from x no longer does (Greenbaum, 1997), so
// whenever the recurrence claims to have arrived, the residual is computed from x and the recurrence starts again from that: a refinement.

/** A refinement has to leave less than this share of the residual before it for another one to be worth its products. */
const WORTHWHILE = 0.9;

/** A refinement goes on until the recurrence has fallen to this share of the residual that it started from. */
const REFINED = 1 / 8;

/** Residuals computed from x, the last two times that the recurrence claimed to have converged; infinite before. */
export interface RefinementHistory {
  readonly last: number;
  readonly before: number;
}

/** Whether the recurrence has claimed to have converged and had not. */
export function hasRestarted({ last }: RefinementHistory): boolean {
  return last < Number.POSITIVE_INFINITY;
}

/** Whether the recurrence has fallen far enough since the last restart to verify the residual. */
export function shouldVerify(residual: number, { last }: Pick<RefinementHistory, "last">): boolean {
  return residual <= REFINED * last;
}

/** Whether the last refinement did not lower the residual enough. */
export function hasStalled({ last, before }: RefinementHistory): boolean {
  return last > WORTHWHILE * before;
}

/**
 * Reason why a useless refinement ends the run. `relative` is the attained residual over the norm of b; the message states the residual after it. Half of the digits
 * are lost to rounding alone only where the condition of A exceeds the root of its unit.
 */
export function limitedBy(dtype: Precision, relative: number): string {
  const start = "the residual computed from x no longer falls where that of the recurrence does";
  if (relative <= Math.sqrt(epsilon(dtype))) return `${start}: rounding in ${dtype} allows no less`;
  return `${start}: A is singular, or so ill-conditioned that rounding in ${dtype} allows no less`;
}

/** A residual norm as messages have it, also over that of b. */
export function sizeOf(residualNorm: number, size: number): string {
  const relative = residualNorm === 0 ? 0 : residualNorm / size;
  return `${residualNorm.toPrecision(3)} (${relative.toPrecision(3)} ||b||)`;
}

/** Advice where a method that relies on symmetry has lost touch with its operator. */
export const SYMMETRY_ADVICE = "checkSymmetric tells whether A is symmetric, as it declares";
