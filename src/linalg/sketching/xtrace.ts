import { checkSquare, precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import type { TraceEstimate } from "../traces/hutchinsonTrace.ts";
import type { HutchinsonState } from "../traces/probeSums.ts";
import { leadingColumns } from "../vectors/basis.ts";
import type { ProbeDistribution } from "../vectors/probes.ts";
import { type LeaveOneOut, leaveOneOutMean } from "./leaveOneOut.ts";
import { leaveOneOutTraces } from "./leaveOneOutTraces.ts";
import { traceSteps } from "./sequentialSketch.ts";
import {
  completeVectors,
  type Sketch,
  type SketchOptions,
  type SketchState,
  sketchSteps,
  testVectors,
} from "./sketch.ts";

const NAME = "xtrace";

/**
 * Estimated trace of a square matrix by XTrace (Epperly, Tropp and Webber, 2024, section 2): for each of `m = floor(matvecs / 2)` test
 * vectors, the exact trace on the range of A times the other m - 1, and one Hutchinson sample of the rest; the mean of all m. Unbiased.
 * Errors fall like those of the best approximation of rank m: fast where the spectrum decays, `hutchinsonTrace` is as good where it is
 * flat. 2 m products and `8 n m^2` operations, `12 m^3` for the error; exact from `matvecs >= n` on.
 *
 * With distribution "sphere" (default) or "gaussian" the rest of each test vector is scaled to its expected length, which only a
 * distribution without preferred directions allows; with "signs" it is taken as it is. The m estimates depend on each other; their
 * covariance is estimated, without bias, from the estimates that leave out two test vectors.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function xtrace(
  A: LinearOperator,
  options: SketchOptions & { readonly distribution?: ProbeDistribution | undefined },
): Promise<TraceEstimate> {
  return runToEnd(xtraceSteps(A, options));
}

/** The run of `xtrace` block by block of products; yields a state after each, from which `state` resumes it. */
export async function* xtraceSteps(
  A: LinearOperator,
  options: SketchOptions & { readonly distribution?: ProbeDistribution | undefined },
): AsyncGenerator<SketchState | HutchinsonState, TraceEstimate, void> {
  checkOptions(NAME, options, "matvecs seed confidence tolerance blockSize state distribution signal onProgress");
  checkSquare(NAME, A);
  const { distribution = "sphere" } = options;
  return yield* traceSteps<SketchState, Sketch>(A, options, {
    name: NAME,
    productsPerVector: 2,
    multiplied: ({ sketched }) => sketched,
    sketch: (setup) => sketchSteps(A, { ...setup, distribution, images: "A" }),
    estimate: (sketch) => estimated(A, sketch),
  });
}

/** The estimate from a sketch: Hutchinson's where not two of its vectors are complete. */
function estimated(A: LinearOperator, { state }: Sketch) {
  const complete = completeVectors(state);
  const left = complete >= 2 || state.samples.length < 2;
  const estimates = left ? leftOut(A, state, complete) : { samples: state.samples, covariance: 0 };
  return { estimate: leaveOneOutMean(estimates), probes: estimates.samples.length };
}

/** The leave-one-out estimates of the first `count` test vectors. */
function leftOut(A: LinearOperator, state: SketchState, count: number): LeaveOneOut {
  if (count === 0) return { samples: [], covariance: 0 };
  const coefficients = state.range.coefficients.slice(0, count);
  const rank = coefficients[count - 1].length;
  return leaveOneOutTraces({
    Q: leadingColumns(state.range.basis, rank),
    coefficients,
    images: leadingColumns(state.images, rank),
    Omega: testVectors(state, { count, dtype: precision(A) }),
    distribution: state.distribution,
  });
}
