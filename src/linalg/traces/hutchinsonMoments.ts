import { checkSquare } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import type { Estimate, Outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import type { Certainty } from "../statistics/confidence.ts";
import {
  estimateOf,
  HUTCHINSON_OPTIONS,
  type HutchinsonOptions,
  type ProbeRun,
  probeSteps,
  squaredFrobeniusOf,
} from "./probeSteps.ts";
import type { DiagonalBlock, HutchinsonState } from "./probeSums.ts";

// Hutchinson (1990) and Bekas, Kokiopoulou and Saad (2007). For random v with E[v v'] = I and y = A v,
//
//   E[v' y] = tr A,   E[v_B' y_B] = tr A_BB,   E[v * y] = diag A,   E[y' y] = ||A||_F^2,   E[y * y] = diag A A',
//
// so one product gives a sample of each, and the samples' spread gives the standard errors. Where the budget reaches n, the probes are
// sqrt(n) e_i for all i in a random order: a draw without replacement from a distribution that also has E[v v'] = I. The same formulas
// hold, the error carries the factor sqrt(1 - drawn / n), and after n products the results are exact.

/** Estimates of entries, each with its standard error. */
export interface DiagonalEstimate {
  /** `[n]` */
  readonly values: Float64Array;
  /** `[n]` */
  readonly standardErrors: Float64Array;
}

/** Estimates of a square matrix from one set of probes. */
export interface HutchinsonMoments extends Outcome {
  readonly trace: Estimate;
  readonly squaredFrobenius: Estimate;
  /** Square root of `squaredFrobenius`, its standard error to first order: `standardError / (2 norm)`. */
  readonly frobenius: Estimate;
  readonly diagonal: DiagonalEstimate;
  /** Traces of the diagonal blocks asked for, in their order. */
  readonly blocks: readonly { readonly name: string; readonly trace: number; readonly standardError: number }[];
  /** Whether all n unit vectors were used, so that nothing is estimated. */
  readonly exact: boolean;
  /** Certainty of the intervals: `value` plus and minus `quantile` times `standardError`. */
  readonly certainty: Certainty;
}

/**
 * Trace, squared Frobenius norm, diagonal, and traces of diagonal blocks of a square matrix, all estimated from the same probes
 * (Hutchinson, 1990; Bekas et al., 2007). Estimates are unbiased, standard errors are those of the mean over probes. One product a probe.
 * The diagonal's error does not shrink with the matrix: entry i has variance `sum over j != i of A_ij^2` a probe. `tolerance` is about the
 * trace.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function hutchinsonMoments(
  A: LinearOperator,
  options: HutchinsonOptions & { readonly blocks?: readonly DiagonalBlock[] | undefined },
): Promise<HutchinsonMoments> {
  return runToEnd(hutchinsonSteps(A, options));
}

/** The run of `hutchinsonMoments` block by block of probes; yields a state after each, from which `state` resumes it. */
export async function* hutchinsonSteps(
  A: LinearOperator,
  options: HutchinsonOptions & { readonly blocks?: readonly DiagonalBlock[] | undefined },
): AsyncGenerator<HutchinsonState, HutchinsonMoments, void> {
  checkOptions("hutchinsonMoments", options, `${HUTCHINSON_OPTIONS} blocks`);
  const name = "hutchinsonMoments";
  checkSquare(name, A);
  const blocks = options.blocks ?? [];
  const run = yield* probeSteps(A, { ...options, blocks, name, watch: "trace", entries: "diagonal" });
  const { state, certainty, exact, outcome } = run;
  const squaredFrobenius = squaredFrobeniusOf(state);
  return {
    trace: estimateOf(state.trace, state.deflated.trace, state),
    squaredFrobenius,
    frobenius: squareRoot(squaredFrobenius),
    diagonal: diagonalOf(run),
    blocks: blocks.map(({ name: title }, b) => {
      const { value, standardError } = estimateOf(state.blocks[b], state.deflated.blocks[b], state);
      return { name: title, trace: value, standardError };
    }),
    exact,
    certainty,
    ...outcome,
  };
}

/** Estimates entry by entry. A unit vector gives its own entry of the diagonal exactly, and nothing about the others. */
export function diagonalOf({ state, order }: ProbeRun): DiagonalEstimate {
  const { sum } = state.entries;
  if (!order) return entriesOf(state);
  const values = new Float64Array(sum.length).fill(Number.NaN);
  const standardErrors = new Float64Array(sum.length).fill(Number.POSITIVE_INFINITY);
  for (const i of order.slice(0, state.probes)) {
    values[i] = sum[i];
    standardErrors[i] = 0;
  }
  return { values, standardErrors };
}

/** Means of what was summed entry by entry. */
export function entriesOf(state: HutchinsonState): DiagonalEstimate {
  const { sum, squares } = state.entries;
  const estimates = Array.from(sum, (s, i) =>
    estimateOf({ sum: s, squares: squares[i] }, state.deflated.entries[i], state),
  );
  return {
    values: Float64Array.from(estimates, ({ value }) => value),
    standardErrors: Float64Array.from(estimates, ({ standardError }) => standardError),
  };
}

function squareRoot({ value, standardError }: Estimate): Estimate {
  const root = Math.sqrt(value);
  return { value: root, standardError: standardError === 0 ? 0 : standardError / (2 * root) };
}
