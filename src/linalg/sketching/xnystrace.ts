import { checkDeclaredSymmetric, epsilon, precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import type { TraceEstimate } from "../traces/hutchinsonTrace.ts";
import type { HutchinsonState } from "../traces/probeSums.ts";
import { isRotationInvariant, type ProbeDistribution } from "../vectors/probes.ts";
import { dot, maxAbs, multiply, transposedProduct } from "../vectors/vector.ts";
import { type LeaveOneOut, leaveOneOutMean, meanOverPairs, orthogonalPart, unitColumns } from "./leaveOneOut.ts";
import { inverseFactor, inverseGramFactor, nystromFactor } from "./nystromSketch.ts";
import {
  INDEFINITE,
  type PsdSketch,
  type PsdSketchOptions,
  type PsdSketchState,
  psdSketchSteps,
  sketchedSamples,
} from "./psdSketch.ts";
import { traceSteps } from "./sequentialSketch.ts";

const NAME = "xnystrace";

/**
 * Estimated trace of a positive semidefinite matrix by XNysTrace (Epperly, Tropp and Webber, 2024, section 2.3): for each of m = `matvecs`
 * test vectors, the trace of the Nyström approximation from the other m - 1, and one Hutchinson sample of the rest; the mean of all m.
 * Unbiased, and the most accurate of the trace estimators where the spectrum decays, since each product gives a test vector. m products and
 * `4 n m^2` operations, `8 m^3` for the error; exact from `matvecs >= n` on. Status "indefinite" where the matrix turns out not to be semidefinite, which is not
 * always seen: the result is then that of `hutchinsonTrace`.
 *
 * Distributions "sphere" (default), "gaussian" and "signs", and the standard error, as in `xtrace`.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function xnystrace(
  A: LinearOperator,
  options: PsdSketchOptions & { readonly distribution?: ProbeDistribution | undefined },
): Promise<TraceEstimate> {
  return runToEnd(xnystraceSteps(A, options));
}

/** The run of `xnystrace` block by block of products; yields a state after each, from which `state` resumes it. */
export async function* xnystraceSteps(
  A: LinearOperator,
  options: PsdSketchOptions & { readonly distribution?: ProbeDistribution | undefined },
): AsyncGenerator<PsdSketchState | HutchinsonState, TraceEstimate, void> {
  checkOptions(NAME, options, "state tolerance matvecs seed confidence blockSize distribution signal onProgress");
  checkDeclaredSymmetric(NAME, A);
  const { distribution = "sphere" } = options;
  return yield* traceSteps<PsdSketchState, PsdSketch>(A, options, {
    name: NAME,
    productsPerVector: 1,
    multiplied: ({ matvecs }) => matvecs,
    sketch: (setup) => psdSketchSteps(A, { ...setup, distribution }),
    estimate: (sketch) => estimated(A, sketch),
  });
}

/** The estimate from a sketch: Hutchinson's where the matrix is not semidefinite. */
async function estimated(A: LinearOperator, sketch: PsdSketch) {
  const leftOut = await leaveOneOutTraces(A, sketch);
  const estimates = leftOut ?? { samples: sketchedSamples(sketch), covariance: 0 };
  const found = { estimate: leaveOneOutMean(estimates), probes: estimates.samples.length };
  return leftOut ? found : { ...found, unsuited: INDEFINITE };
}

/**
 * Without test vector i the Nyström approximation F F' loses the one direction `g_i = F u_i`, u_i the normalized column i of L^-1. The rest
 * `A + shift I - F F' + g_i g_i'` vanishes on all other test vectors and has `omega_i' (...) omega_i = 1 / h_i`, h_i the squared norm of that
 * column, so that
 *
 *   t_i = ||F||_F^2 - ||F u_i||^2 + c_i / h_i - n shift,
 *
 * c_i = 1, or, where the distribution has no preferred direction, what scales the part of omega_i orthogonal to the other test vectors to
 * its expected length, `(n - m + 1) / distance^2`. Without a second test vector j the direction of u_j beside u_i is lost as well, and for h_i
 * stands the squared length of what column i has beside column j.
 */
async function leaveOneOutTraces(A: LinearOperator, { Omega, Y, state }: PsdSketch): Promise<LeaveOneOut | undefined> {
  const [n, m] = [Y.rows, Y.columns];
  if (m === 0 || maxAbs(Y.data) === 0) return { samples: Array.from({ length: m }, () => 0), covariance: 0 };
  const factor = await nystromFactor(Omega, Y, { epsilon: epsilon(precision(A)) });
  if (!factor) return undefined;
  const { F, L, shift } = factor;
  const gram = transposedProduct(F, F);
  const columns = unitColumns(inverseFactor(L));
  const distances = isRotationInvariant(state.distribution) ? await inverseGramFactor(Omega) : undefined;
  const outside = distances && unitColumns(distances);
  let whole = -n * shift;
  for (let i = 0; i < m; i++) whole += gram.data[i * (m + 1)];
  const images = columns.map(({ unit }) => multiply(gram, { rows: m, columns: 1, data: unit }).data);
  const lost = columns.map(({ unit }, i) => dot(unit, images[i]));
  /** Squared length of column i, times that of the part of the other basis that scales it; `beside` shortens both. */
  const rest = (i: number, removed: number, { beside, apart }: { beside: number; apart: number }) => {
    const scale = outside ? (n - m + removed) * (outside[i].length * apart) ** 2 : 1;
    return scale / (columns[i].length * beside) ** 2;
  };
  const samples = lost.map((part, i) => whole - part + rest(i, 1, { beside: 1, apart: 1 }));
  const covariance = meanOverPairs(m, (i, j) => {
    const pair = orthogonalPart(columns[j].unit, columns[i].unit);
    const apart = outside ? orthogonalPart(outside[j].unit, outside[i].unit)?.length : 1;
    if (!pair || apart === undefined) return 0;
    const image = images[j].map((x, k) => (x - pair.cosine * images[i][k]) / pair.length);
    const known = whole - lost[i] - dot(pair.direction, image);
    const lengths = { beside: pair.length, apart };
    return (samples[i] - known - rest(i, 2, lengths)) * (samples[j] - known - rest(j, 2, lengths));
  });
  return { samples, covariance };
}
