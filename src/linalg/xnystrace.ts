import { column } from "../tensors/index.ts";
import { checkDeclaredSymmetric, epsilon, precision } from "./checks.ts";
import { certainty, fewProbesRemark, interval } from "./confidence.ts";
import { drive } from "./drive.ts";
import { type TraceEstimate, traceOf } from "./hutchinsonTrace.ts";
import { leaveOneOutMean } from "./leaveOneOut.ts";
import { inverseDistances, inverseFactor, nystromFactor, quadraticForm } from "./nystromSketch.ts";
import type { LinearOperator } from "./operator.ts";
import type { HutchinsonState } from "./probeSums.ts";
import { isRotationInvariant, type ProbeDistribution } from "./probes.ts";
import {
  INDEFINITE,
  type PsdSketch,
  type PsdSketchOptions,
  type PsdSketchState,
  psdSketchSteps,
  sketchedSamples,
} from "./psdSketch.ts";
import { outcome } from "./result.ts";
import { sampleMean } from "./sampleMean.ts";
import { checkSketch } from "./sketch.ts";
import { dot, maxAbs, scaled, transposedProduct } from "./vector.ts";
import { unitVectorSteps } from "./xtrace.ts";

const NAME = "xnystrace";

/**
 * Estimated trace of a positive semidefinite matrix by XNysTrace (Epperly, Tropp and Webber, 2024, section 2.3): for each of m = `matvecs`
 * test vectors, the trace of the Nyström approximation from the other m - 1, and one Hutchinson sample of the rest; the mean of all m.
 * Unbiased, and the most accurate of the trace estimators where the spectrum decays, since each product gives a test vector. m products and
 * `4 n m^2` operations; exact from `matvecs >= n` on. Status "indefinite" where the matrix turns out not to be semidefinite, which is not
 * always seen: the result is then that of `hutchinsonTrace`.
 *
 * Distributions "sphere" (default), "gaussian" and "signs" as in `xtrace`. The standard error is twice that of m independent estimates,
 * since these are not quite: a rule of experience.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function xnystrace(
  A: LinearOperator,
  options: PsdSketchOptions & { readonly distribution?: ProbeDistribution },
): Promise<TraceEstimate> {
  return drive(xnystraceSteps(A, options));
}

/** The run of `xnystrace` block by block of products; yields a state after each, from which `state` resumes it. */
export async function* xnystraceSteps(
  A: LinearOperator,
  options: PsdSketchOptions & { readonly distribution?: ProbeDistribution },
): AsyncGenerator<PsdSketchState | HutchinsonState, TraceEstimate, void> {
  checkDeclaredSymmetric(NAME, A);
  checkSketch(NAME, options);
  const { matvecs, distribution = "sphere", confidence = 0.95, state, ...rest } = options;
  const saved = state ? { state: state as HutchinsonState } : {};
  if (matvecs >= A.shape[1])
    return traceOf(yield* unitVectorSteps(A, { ...rest, ...saved, matvecs, confidence, name: NAME }));
  const sketch = yield* psdSketchSteps(A, { ...options, name: NAME, vectors: matvecs, distribution });
  const leftOut = await leaveOneOutTraces(A, sketch);
  const samples = leftOut ?? sketchedSamples(sketch);
  const estimate = leftOut ? leaveOneOutMean(leftOut) : sampleMean(samples);
  const how = certainty(confidence, { probes: samples.length });
  const happened = `averaged ${samples.length} leave-one-out estimates${fewProbesRemark(how)}, as matvecs allows`;
  const used = { matvecs: sketch.state.matvecs };
  const { interruption } = sketch;
  const said = interruption
    ? outcome(interruption.status, { happened: interruption.happened, ...used })
    : leftOut
      ? outcome("converged", { happened, ...used })
      : outcome("indefinite", { ...INDEFINITE, ...used });
  return { trace: estimate.value, standardError: estimate.standardError, interval: interval(estimate, how), ...said };
}

/**
 * Without test vector i the Nyström approximation F F' loses the one direction `g_i = F u_i`, u_i the normalized column i of L^-1. The rest
 * `A + shift I - F F' + g_i g_i'` vanishes on all other test vectors and has `omega_i' (...) omega_i = 1 / h_i`, h_i the squared norm of that
 * column, so that
 *
 *   t_i = ||F||_F^2 - ||F u_i||^2 + c_i / h_i - n shift,
 *
 * c_i = 1, or, where the distribution has no preferred direction, what scales the part of omega_i orthogonal to the other test vectors to
 * its expected length, `(n - m + 1) / distance^2`.
 */
async function leaveOneOutTraces(A: LinearOperator, sketch: PsdSketch): Promise<readonly number[] | undefined> {
  const { Omega, Y, state } = sketch;
  const [n, m] = [Y.rows, Y.columns];
  if (m === 0 || maxAbs(Y.data) === 0) return Array.from({ length: m }, () => 0);
  const factor = await nystromFactor(Omega, Y, { epsilon: epsilon(precision(A)) });
  if (!factor) return undefined;
  const { F, L, shift } = factor;
  const gram = transposedProduct(F, F);
  const inverse = inverseFactor(L);
  const distances = isRotationInvariant(state.distribution) ? await inverseDistances(Omega) : undefined;
  let whole = 0;
  for (let i = 0; i < m; i++) whole += gram.data[i * (m + 1)]!;
  return Array.from({ length: m }, (_, i) => {
    const x = column(inverse, i);
    const h = dot(x, x);
    const lost = quadraticForm(gram, scaled(1 / Math.sqrt(h), x));
    const scale = distances ? (n - m + 1) * distances[i]! : 1;
    return whole - lost + scale / h - n * shift;
  });
}
