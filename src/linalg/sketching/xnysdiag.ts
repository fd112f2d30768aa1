import { column } from "../../tensors/index.ts";
import { checkDeclaredSymmetric, epsilon, precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import type { EntriesEstimate } from "../traces/hutchinsonDiagonal.ts";
import type { DiagonalEstimate } from "../traces/hutchinsonMoments.ts";
import type { HutchinsonState } from "../traces/probeSums.ts";
import { maxAbs, multiply } from "../vectors/vector.ts";
import { entrySamples } from "./entrySamples.ts";
import { unitColumns } from "./leaveOneOut.ts";
import { leaveOneOutEntries, type OmittedDirection } from "./leaveOneOutEntries.ts";
import { inverseFactor, nystromFactor } from "./nystromSketch.ts";
import { INDEFINITE, type PsdSketch, type PsdSketchOptions, type PsdSketchState, psdSketchSteps } from "./psdSketch.ts";
import { diagonalSteps } from "./sequentialSketch.ts";

const NAME = "xnysdiag";

/**
 * Estimated diagonal of a positive semidefinite matrix by XNysDiag (Epperly, Tropp and Webber, 2024, section 2.4): for each of m = `matvecs`
 * vectors of random signs, the diagonal of the Nyström approximation from the other m - 1, and one Hutchinson sample of the rest; the mean
 * of all m. Unbiased, and the most accurate of the diagonal estimators where the spectrum decays. m products and `16 n m^2` operations; exact
 * from `matvecs >= n` on. Status "indefinite" where the matrix turns out not to be semidefinite, which is not always seen: the result
 * is then that of `hutchinsonDiagonal`. Standard errors, entry by entry, are made as that of `xtrace`.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function xnysdiag(A: LinearOperator, options: PsdSketchOptions): Promise<EntriesEstimate> {
  return runToEnd(xnysdiagSteps(A, options));
}

/** The run of `xnysdiag` block by block of products; yields a state after each, from which `state` resumes it. */
export async function* xnysdiagSteps(
  A: LinearOperator,
  options: PsdSketchOptions,
): AsyncGenerator<PsdSketchState | HutchinsonState, EntriesEstimate, void> {
  checkOptions(NAME, options, "state tolerance matvecs seed confidence blockSize signal onProgress");
  checkDeclaredSymmetric(NAME, A);
  return yield* diagonalSteps<PsdSketchState, PsdSketch>(A, options, {
    name: NAME,
    productsPerVector: 1,
    multiplied: ({ matvecs }) => matvecs,
    sketch: (setup) => psdSketchSteps(A, { ...setup, distribution: "signs" }),
    estimate: (sketch) => estimated(A, sketch),
  });
}

/** The estimate from a sketch: Hutchinson's where the matrix is not semidefinite. */
async function estimated(A: LinearOperator, sketch: PsdSketch) {
  const leftOut = await leaveOneOutDiagonals(A, sketch);
  const probes = sketch.Y.columns;
  return leftOut ? { estimate: leftOut, probes } : { estimate: probesAlone(sketch), probes, unsuited: INDEFINITE };
}

function probesAlone({ Omega, Y }: PsdSketch): DiagonalEstimate {
  const samples = entrySamples(Y.rows);
  for (let i = 0; i < Y.columns; i++) {
    const [omega, y] = [column(Omega, i), column(Y, i)];
    samples.add((j) => omega[j] * y[j]);
  }
  return samples.result();
}

/**
 * The mean of `d_i = diag F F' - g_i * g_i + omega_i * g_i / sqrt(h_i) - shift`, with g_i and h_i as in `xnystrace`: what the approximation
 * without test vector i leaves of `A omega_i` is `g_i (g_i' omega_i) = g_i / sqrt(h_i)`.
 */
async function leaveOneOutDiagonals(A: LinearOperator, { Omega, Y }: PsdSketch): Promise<DiagonalEstimate | undefined> {
  const [n, m] = [Y.rows, Y.columns];
  const nothing = Array.from({ length: m }, () => undefined);
  const omega = (i: number) => column(Omega, i);
  if (m === 0 || maxAbs(Y.data) === 0) return leaveOneOutEntries(new Float64Array(n), nothing, omega);
  const factor = await nystromFactor(Omega, Y, { epsilon: epsilon(precision(A)) });
  if (!factor) return undefined;
  const { F, L, shift } = factor;
  const known = new Float64Array(n).fill(-shift);
  for (let k = 0; k < m; k++) {
    const f = column(F, k);
    for (let j = 0; j < n; j++) known[j] = known[j] + f[j] * f[j];
  }
  const directions = unitColumns(inverseFactor(L)).map(({ length, unit: s }): OmittedDirection => {
    const p = multiply(F, { rows: m, columns: 1, data: s }).data;
    return { s, p, z: p, coupling: 1 / length };
  });
  return leaveOneOutEntries(known, directions, omega);
}
