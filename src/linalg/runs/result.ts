/**
 * Status at the end of an algorithm.
 *
 * - `converged`: the tolerance is met, or, where none was asked for, the work asked for is done
 * - `budget`: the products ran out first
 * - `breakdown`: the method cannot go on: a Krylov space is exhausted, or a curvature is zero where it has to be positive
 * - `indefinite`: negative curvature was found where the method needs a positive definite operator
 * - `stagnated`: rounding, or a right-hand side that cannot be reached, keeps the residual above the tolerance
 * - `nonfinite`: a product had an entry that is infinite or NaN
 * - `aborted`: the caller's signal stopped it
 */
export type Status = "converged" | "budget" | "breakdown" | "indefinite" | "stagnated" | "nonfinite" | "aborted";

/** Outcome of every algorithm beside the numbers themselves. */
export interface Outcome {
  readonly status: Status;
  /** One sentence: what happened and, unless it converged, what to try. */
  readonly message: string;
  /** Products with the operator that were spent, those of an earlier run included where it was resumed from a state. */
  readonly matvecs: number;
}

/** An estimated number and the standard error of the estimate: 0 where it is exact, Infinity where one sample leaves it unknown. */
export interface Estimate {
  readonly value: number;
  readonly standardError: number;
}

/** Advice for each status, unless the method has better advice. */
const ADVICE: Readonly<Record<Status, string>> = {
  converged: "",
  budget: "raise matvecs or loosen tolerance",
  breakdown: "add damping, or start from another vector",
  indefinite: "add damping, or take an operator that is positive semidefinite by construction",
  stagnated: "loosen tolerance, or use a float64 operator",
  nonfinite: "the result is the best from before; look for overflow in the operator and try float64",
  aborted: "the result is the best so far",
};

/** Outcome whose message joins what happened with what to try. */
export function outcome(
  status: Status,
  { happened, matvecs, advice = ADVICE[status] }: { happened: string; matvecs: number; advice?: string | undefined },
): Outcome {
  return { status, message: advice === "" ? happened : `${happened}; ${advice}`, matvecs };
}
