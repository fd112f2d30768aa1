import { CurvatureError } from "../errors/index.ts";
import { column, type Matrix } from "../tensors/index.ts";
import { leadingColumns } from "./basis.ts";
import { checkSquare, precision } from "./checks.ts";
import { certainty, fewProbesRemark, interval } from "./confidence.ts";
import { drive } from "./drive.ts";
import { type TraceEstimate, traceOf } from "./hutchinsonTrace.ts";
import { leaveOneOutMean } from "./leaveOneOut.ts";
import type { LinearOperator } from "./operator.ts";
import { probeSteps } from "./probeSteps.ts";
import type { Entries, HutchinsonState } from "./probeSums.ts";
import { isRotationInvariant, type ProbeDistribution } from "./probes.ts";
import { leftOutDirections } from "./rangeBasis.ts";
import { outcome } from "./result.ts";
import { sampleMean } from "./sampleMean.ts";
import {
  checkBudget,
  checkSketch,
  completeVectors,
  type Sketch,
  type SketchOptions,
  type SketchState,
  sketchSteps,
  testVectors,
} from "./sketch.ts";
import { dot, transposedProduct } from "./vector.ts";

const NAME = "xtrace";

/**
 * Estimated trace of a square matrix by XTrace (Epperly, Tropp and Webber, 2024, section 2): for each of `m = floor(matvecs / 2)` test
 * vectors, the exact trace on the range of A times the other m - 1, and one Hutchinson sample of the rest; the mean of all m. Unbiased.
 * Errors fall like those of the best approximation of rank m: fast where the spectrum decays, `hutchinsonTrace` is as good where it is
 * flat. 2 m products and `8 n m^2` operations; exact from `matvecs >= n` on.
 *
 * With distribution "sphere" (default) or "gaussian" the rest of each test vector is scaled to its expected length, which only a
 * distribution without preferred directions allows; with "signs" it is taken as it is. The standard error is twice
 * that of m independent estimates, since these are not quite: a rule of experience, unlike that of `hutchPlusPlus`.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function xtrace(
  A: LinearOperator,
  options: SketchOptions & { readonly distribution?: ProbeDistribution },
): Promise<TraceEstimate> {
  return drive(xtraceSteps(A, options));
}

/** The run of `xtrace` block by block of products; yields a state after each, from which `state` resumes it. */
export async function* xtraceSteps(
  A: LinearOperator,
  options: SketchOptions & { readonly distribution?: ProbeDistribution },
): AsyncGenerator<SketchState | HutchinsonState, TraceEstimate, void> {
  checkSquare(NAME, A);
  checkSketch(NAME, options);
  const { matvecs, distribution = "sphere" } = options;
  checkBudget(NAME, { matvecs, least: Math.min(2, A.shape[1]) });
  if (matvecs >= A.shape[1]) return traceOf(yield* unitVectorSteps(A, { ...options, name: NAME }));
  const vectors = Math.floor(matvecs / 2);
  const sketch = yield* sketchSteps(A, { ...options, name: NAME, vectors, distribution, images: "A" });
  return concluded(A, sketch, options);
}

/** The run with all n unit vectors, which methods take where the budget has room for it. */
export async function* unitVectorSteps(
  A: LinearOperator,
  { state, name, entries = "none", ...rest }: SketchOptions & { readonly name: string; readonly entries?: Entries },
) {
  if (state && state.method !== "hutchinson") {
    const message = `${name} resumes from a state of method hutchinson with ${A.shape[1]} columns where matvecs reaches n, got method ${state.method} with ${state.columns} columns; pass the state that the same call gave`;
    throw new CurvatureError("argument", message);
  }
  const saved = state ? { state: state as HutchinsonState } : {};
  const options = { ...rest, ...saved, distribution: "signs", blocks: [], watch: "trace", name, entries } as const;
  return yield* probeSteps(A, options);
}

function concluded(A: LinearOperator, sketch: Sketch, { confidence = 0.95 }: SketchOptions): TraceEstimate {
  const { state, matvecs, interruption } = sketch;
  const complete = completeVectors(state);
  const left = complete >= 2 || state.samples.length < 2;
  const samples = left ? leaveOneOutTraces(A, state, complete) : state.samples;
  const estimate = left ? leaveOneOutMean(samples) : sampleMean(samples);
  const how = certainty(confidence, { probes: samples.length });
  const said = interruption
    ? outcome(interruption.status, { happened: interruption.happened, matvecs })
    : outcome("converged", {
        happened: `averaged ${samples.length} leave-one-out estimates${fewProbesRemark(how)}, as matvecs allows`,
        matvecs,
      });
  const { value: trace, standardError } = estimate;
  return { trace, standardError, interval: interval(estimate, how), ...said };
}

/**
 * The estimates, each without one test vector: with `H = Q' A Q`, `W = Q' Omega`, `T = (A Q)' Omega`, the projection `Q (I - s s') Q'` on the
 * range of the others and `u = (I - s s') W_i`, the coordinates of the part of omega in it,
 *
 *   t_i = tr H - s' H s + c (omega - Q u)' A (omega - Q u),
 *   (omega - Q u)' A (omega - Q u) = W_i' R_i - T_i' u - u' R_i + u' H u,
 *
 * where c scales `omega - Q u` to the length `sqrt(n - rank)`, or is 1.
 */
function leaveOneOutTraces(A: LinearOperator, state: SketchState, count: number): readonly number[] {
  if (count === 0) return [];
  const { distribution, columns: n } = state;
  const coefficients = state.range.coefficients.slice(0, count);
  const rank = coefficients[count - 1]!.length;
  if (rank === 0) return coefficients.map(() => 0);
  const Q = leadingColumns(state.range.basis, rank);
  const Z = leadingColumns(state.images, rank);
  const Omega = testVectors(state, { count, dtype: precision(A) });
  const [H, W, T] = [transposedProduct(Q, Z), transposedProduct(Q, Omega), transposedProduct(Z, Omega)];
  let whole = 0;
  for (let i = 0; i < rank; i++) whole += H.data[i * rank + i]!;
  return leftOutDirections({ coefficients }).map((s, i) => {
    const w = Float64Array.from(column(W, i));
    const r = new Float64Array(rank);
    r.set(coefficients[i]!);
    const u = s ? w.map((value, j) => value - dot(s, w) * s[j]!) : w;
    const rest = dot(w, r) - dot(column(T, i), u) - dot(u, r) + quadratic(H, u);
    const omega = column(Omega, i);
    const squared = dot(omega, omega) - dot(u, u);
    const dimension = n - rank + (s ? 1 : 0);
    const scale = isRotationInvariant(distribution) && squared > 1e-10 * n ? dimension / squared : 1;
    return whole - (s ? quadratic(H, s) : 0) + (dimension === 0 ? 0 : scale * rest);
  });
}

/** `u' H u`. */
function quadratic(H: Matrix, u: Float64Array): number {
  return u.reduce((so, value, j) => so + value * dot(column(H, j), u), 0);
}
