import {
  densityFromQuadrature,
  type EigshResult,
  type Estimate,
  eigsh,
  type HutchinsonMoments,
  hutchinsonMoments,
  type LanczosQuadrature,
  type LinearOperator,
  lanczosQuadrature,
  submatrix,
} from "../linalg/index.ts";
import { type ExactSpectrum, exactSpectrum, sumOf } from "./exactSpectrum.ts";
import type { LayerBlocks } from "./layerBlocks.ts";
import type { MatrixPlan } from "./matrixPlan.ts";
import type { Quantity, ReportedDensity, ReportedLayer, ReportedMatrix } from "./report.ts";
import { seedFor } from "./seedFor.ts";
import { completed, type Stages } from "./stages.ts";

/** A request for the report on one matrix. */
export interface MatrixRequest {
  readonly title: string;
  readonly layers: LayerBlocks;
  readonly plan: MatrixPlan;
  readonly stages: Stages;
}

/** What is computed of a matrix, without the words for it. */
export type MeasuredMatrix = Omit<ReportedMatrix, "words" | "place">;

/** Largest size in bytes of a Lanczos basis. */
const BASIS_BYTES = 2 ** 28;

/** Number of products that a plan needs for an n x n matrix. */
export function plannedProducts(plan: MatrixPlan, n: number): number {
  const { probes, steps, densityProbes, eigenvalueProducts, dense } = plan;
  const density = steps >= n ? n : steps * densityProbes;
  return Math.min(probes, n) + density + eigenvalueProducts + (dense ? n : 0);
}

/**
 * Trace, Frobenius norm, traces by layer, outer eigenvalues and spectral density of a symmetric matrix, and the exact values if the plan
 * requests them.
 *
 * @throws CurvatureError "aborted" or "numeric", or any error of a product
 */
export async function matrixReport(A: LinearOperator, request: MatrixRequest): Promise<MeasuredMatrix> {
  const { title, plan } = request;
  const began = performance.now();
  const moments = await momentsOf(A, request);
  const pairs = await eigenpairsOf(A, request);
  const run = await quadratureOf(A, request);
  const exact = plan.dense ? await exactOf(A, request) : undefined;
  const products = moments.matvecs + pairs.matvecs + run.matvecs + (exact ? A.shape[0] : 0);
  const exactValues = exact ? Array.from(exact.eigenvalues) : undefined;
  return {
    title,
    psd: A.psd,
    trace: quantity(moments.trace, { moments, exactValue: exact?.trace }),
    frobenius: quantity(moments.frobenius, { moments, exactValue: exact?.frobenius }),
    eigenvalues: { ...ends(pairs), ...exactEnds(exactValues, pairs), ...summary(pairs) },
    density: { ...densities(run), ...(exactValues ? { exactEigenvalues: exactValues } : {}) },
    layers: reportedLayers(request.layers, { moments, exact }),
    matvecs: products,
    seconds: (performance.now() - began) / 1000,
  };
}

function quantity(
  estimate: Estimate,
  { moments, exactValue }: { readonly moments: HutchinsonMoments; readonly exactValue: number | undefined },
): Quantity {
  return {
    ...estimate,
    matvecs: moments.matvecs,
    ...(moments.exact ? { exact: true } : {}),
    ...(exactValue === undefined ? {} : { exactValue }),
  };
}

function momentsOf(A: LinearOperator, { title, layers, plan, stages }: MatrixRequest): Promise<HutchinsonMoments> {
  const blocks = layers.layers.flatMap((layer) => [layer, ...layer.tensors]);
  const ordered = layers.order ? submatrix(A, layers.order) : A;
  const cost = Math.min(plan.probes, A.shape[0]);
  return stages.run({ name: `${title}: trace`, cost }, async (options) => {
    const seed = seedFor(plan.seed, "trace");
    const result = await hutchinsonMoments(ordered, { ...options, matvecs: plan.probes, blocks, seed });
    return completed(result, `trace of ${title}`);
  });
}

function eigenpairsOf(A: LinearOperator, { title, plan, stages }: MatrixRequest): Promise<EigshResult> {
  const n = A.shape[0];
  const k = Math.min(2 * plan.eigenvalues, n);
  const most = Math.floor(BASIS_BYTES / (n * (A.dtype === "float64" ? 8 : 4)));
  const basisSize = Math.max(Math.min(most, 160), k + 2);
  // The error of an eigenvalue is about the square of its residual. Near zero, where the smallest eigenvalues of a semidefinite matrix
  // cluster, it suffices to distinguish them from the large ones.
  const tolerance = A.psd || A.dtype === "float32" ? 1e-5 : 1e-8;
  const matvecs = Math.max(plan.eigenvalueProducts, 2 * k);
  return stages.run({ name: `${title}: eigenvalues`, cost: plan.eigenvalueProducts }, async (options) => {
    const seed = seedFor(plan.seed, "eigenvalues");
    const result = await eigsh(A, { ...options, k, which: "both", basisSize, tolerance, matvecs, seed, copies: false });
    return completed(result, `eigenvalues of ${title}`);
  });
}

function quadratureOf(A: LinearOperator, { title, plan, stages }: MatrixRequest): Promise<LanczosQuadrature> {
  const { steps, densityProbes: probes } = plan;
  const cost = steps >= A.shape[0] ? A.shape[0] : steps * probes;
  return stages.run({ name: `${title}: density`, cost }, async (options) => {
    const seed = seedFor(plan.seed, "density");
    return completed(await lanczosQuadrature(A, { ...options, steps, probes, seed }), `density of ${title}`);
  });
}

function exactOf(A: LinearOperator, { title, layers, stages }: MatrixRequest): Promise<ExactSpectrum> {
  const ordered = layers.order ? submatrix(A, layers.order) : A;
  return stages.run({ name: `${title}: dense matrix`, cost: A.shape[0] }, (options) => exactSpectrum(ordered, options));
}

/** Both ends, outermost first, of values in descending order. */
function ends({ values, residualNorms }: EigshResult): Pick<ReportedMatrix["eigenvalues"], "largest" | "smallest"> {
  const all = Array.from(values, (value, i) => ({ value, residualNorm: residualNorms[i]! }));
  const half = Math.ceil(all.length / 2);
  return { largest: all.slice(0, half), smallest: all.slice(half).reverse() };
}

function exactEnds(ascending: readonly number[] | undefined, { values }: EigshResult) {
  if (ascending === undefined) return {};
  const half = Math.ceil(values.length / 2);
  return { exact: { largest: ascending.slice(-half).reverse(), smallest: ascending.slice(0, values.length - half) } };
}

function summary({ matvecs, status, message }: EigshResult) {
  return { matvecs, status, message };
}

function densities(run: LanczosQuadrature): ReportedMatrix["density"] {
  const linear = densityFromQuadrature(run, { scale: "linear" });
  const { zeroMass, epsilon, negative, positive } = densityFromQuadrature(run, { scale: "log" });
  const resolution = Math.max(epsilon, resolutionAtZero(run));
  return {
    ...plain(linear),
    logarithmic: { negative: plain(negative), positive: plain(positive), zeroMass, epsilon },
    negativeMass: densityFromQuadrature(run, { epsilon: resolution }).negativeMass.value,
    resolution,
    matvecs: run.matvecs,
  };
}

/**
 * Median over probes of the wider gap beside the node next to zero. A quadrature does not resolve the distribution of mass within a gap.
 */
function resolutionAtZero({ quadrature, exact }: LanczosQuadrature): number {
  if (exact) return 0;
  const gaps = quadrature.map(({ nodes }) => {
    const sizes = nodes.map(Math.abs);
    const i = sizes.indexOf(Math.min(...sizes));
    const gap = (from: number, to: number) => (from < 0 || to >= nodes.length ? 0 : nodes[to]! - nodes[from]!);
    return Math.max(gap(i - 1, i), gap(i, i + 1));
  });
  return gaps.sort((a, b) => a - b)[Math.floor(gaps.length / 2)]!;
}

function plain({
  grid,
  density,
  width,
}: {
  readonly grid: Float64Array;
  readonly density: Float64Array;
  readonly width: number;
}): ReportedDensity {
  return { grid: Array.from(grid), density: Array.from(density), width };
}

function reportedLayers(
  { layers }: LayerBlocks,
  { moments, exact }: { readonly moments: HutchinsonMoments; readonly exact: ExactSpectrum | undefined },
): readonly ReportedLayer[] {
  let next = 0;
  const estimate = () => {
    const { trace, standardError } = moments.blocks[next++]!;
    return { trace, standardError };
  };
  return layers.map(({ name, start, end, tensors }) => ({
    name,
    parameters: end - start,
    ...estimate(),
    ...(exact ? { exactTrace: sumOf(exact.diagonal, { start, end }) } : {}),
    tensors: tensors.map(({ name: tensor, dims }) => ({ name: tensor, dims, ...estimate() })),
  }));
}
