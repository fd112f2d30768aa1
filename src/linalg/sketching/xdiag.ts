import { quadraticDiagonal } from "../algebra/spectralForm.ts";
import { checkSquare, precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import type { EntriesEstimate } from "../traces/hutchinsonDiagonal.ts";
import type { DiagonalEstimate } from "../traces/hutchinsonMoments.ts";
import type { HutchinsonState } from "../traces/probeSums.ts";
import { leadingColumns } from "../vectors/basis.ts";
import { dot, multiply } from "../vectors/vector.ts";
import { sketchedDiagonal } from "./entrySamples.ts";
import { leaveOneOutEntries, type OmittedDirection } from "./leaveOneOutEntries.ts";
import { leftOutDirections } from "./rangeBasis.ts";
import { diagonalSteps } from "./sequentialSketch.ts";
import {
  completeVectors,
  type Sketch,
  type SketchOptions,
  type SketchState,
  sketchSteps,
  testVector,
} from "./sketch.ts";

const NAME = "xdiag";

/**
 * Estimated diagonal of a square matrix by XDiag (Epperly, Tropp and Webber, 2024, section 2.4): for each of `m = floor(matvecs / 2)` vectors
 * of random signs, the exact diagonal of A projected on the range of A times the other m - 1, and one Hutchinson sample of the rest; the
 * mean of all m. Unbiased. Accurate where the spectrum decays. m products with A and m with its transpose, `20 n m^2` operations and three
 * vectors for each of the m; exact from `matvecs >= n` on. Standard errors, entry by entry, are made as that of `xtrace`.
 *
 * @throws CurvatureError "argument", "shape" or "unsupported" for options or operators it cannot take; whatever the operator throws, with
 * `state`
 */
export async function xdiag(A: LinearOperator, options: SketchOptions): Promise<EntriesEstimate> {
  return runToEnd(xdiagSteps(A, options));
}

/** The run of `xdiag` block by block of products; yields a state after each, from which `state` resumes it. */
export async function* xdiagSteps(
  A: LinearOperator,
  options: SketchOptions,
): AsyncGenerator<SketchState | HutchinsonState, EntriesEstimate, void> {
  checkOptions(NAME, options, "matvecs seed confidence tolerance blockSize state signal onProgress");
  checkSquare(NAME, A);
  return yield* diagonalSteps<SketchState, Sketch>(A, options, {
    name: NAME,
    productsPerVector: 2,
    multiplied: ({ sketched }) => sketched,
    sketch: (setup) => sketchSteps(A, { ...setup, distribution: "signs", images: "transpose" }),
    estimate: (sketch) => estimated(A, sketch),
  });
}

/** The estimate from a sketch: Hutchinson's where not two of its vectors are complete. */
function estimated(A: LinearOperator, { state }: Sketch) {
  const complete = completeVectors(state);
  const left = complete >= 2 || state.sketched < 2;
  const estimate = left ? leaveOneOutDiagonals(A, state, complete) : sketchedDiagonal(state);
  return { estimate, probes: left ? complete : state.sketched };
}

/**
 * The mean of `d_i = diag Q Q' A - (Q s) * (Z s) + omega_i * (Q s) (s' R_i)` with `Z = A' Q`: the projection on the range of the other test
 * vectors is `Q (I - s s') Q'`, which takes all of `A omega_i = Q R_i` but its part `Q s (s' R_i)`.
 */
function leaveOneOutDiagonals(A: LinearOperator, state: SketchState, count: number): DiagonalEstimate {
  const coefficients = state.range.coefficients.slice(0, count);
  const rank = coefficients[count - 1]?.length ?? 0;
  const Q = leadingColumns(state.range.basis, rank);
  const Z = leadingColumns(state.images, rank);
  const known = quadraticDiagonal(Q, new Float64Array(rank).fill(1), { V: Z });
  const directions = leftOutDirections({ coefficients }).map((s, i): OmittedDirection | undefined => {
    if (!s) return undefined;
    const S = { rows: rank, columns: 1, data: s };
    const coupling = dot(s.subarray(0, coefficients[i].length), coefficients[i]);
    return { s, p: multiply(Q, S).data, z: multiply(Z, S).data, coupling };
  });
  return leaveOneOutEntries(known, directions, (i) => testVector(state, i, precision(A)));
}
