import { eigsh, functionOperator, hutchinsonMoments, type LinearOperator, type RunOptions } from "../linalg/index.ts";
import type { Risk } from "../operators/index.ts";
import { stream } from "../random/index.ts";
import { toPrecision, type Vector } from "../tensors/index.ts";
import { lossAt } from "./layerRounding.ts";
import type { Quantity, RelativeCurvature, RelativeDisturbance } from "./report.ts";
import { seedFor } from "./seedFor.ts";
import { completed, type Stages } from "./stages.ts";

// With D = diag(|w|), a disturbance of each weight by a share of itself, w_i (1 + s z_i) with independent z_i of mean 0 and variance 1,
// changes the loss by s^2 / 2 tr(D H D) = s^2 / 2 sum w_i^2 H_ii on average, to second order.
//
// Scaling a weight by c where the network compensates (1 / c in the next layer of a ReLU network, or a normalization) divides its row and
// column of H by c and multiplies its entry of D by c: D H D stays what it is, while trace and eigenvalues of H change without limit (Dinh
// et al., 2017).

/** A plan for `relativeCurvature`. */
export interface RelativeRequest {
  /** The matrix whose relative form is measured, and the positive semidefinite one whose directions are counted. */
  readonly matrix: LinearOperator;
  readonly psd: LinearOperator | undefined;
  readonly noun: string;
  readonly psdNoun: string | undefined;
  readonly probes: number;
  readonly eigenvalueProducts: number;
  readonly seed: number;
  /** Loss of a prediction without inputs, if it is known. */
  readonly guessing: number | undefined;
  readonly loss: number;
  readonly stages: Stages;
}

/** Pairs of opposite disturbances for each measured size. */
const PAIRS = 4;

/** The loss counts as raised when a tenth of the loss of guessing is added. */
const RAISED_SHARE = 0.1;

/** Largest relative disturbance that is measured; beyond, signs of many weights change. */
const LARGEST = 0.5;

/** Size at which every report measures. */
const SMALL = 0.01;

/** Sizes that a search for the raising size measures at most, each half or double the one before. */
const MOST_SIZES = 7;

/** Number of products and evaluations of the loss that `relativeCurvature` takes at most. */
export function relativeCost(
  { probes, eigenvalueProducts, psd }: Pick<RelativeRequest, "probes" | "eigenvalueProducts" | "psd">,
  n: number,
) {
  return Math.min(probes, n) * (psd ? 2 : 1) + eigenvalueProducts + 2 * PAIRS * (1 + MOST_SIZES);
}

/**
 * Curvature in units of the weights themselves: trace, Frobenius norm and largest eigenvalue of `D A D` with D = diag(|w|), which do not
 * change when weights are rescaled without changing the network; the size of the random relative disturbance that raises the loss by a tenth
 * of the loss of guessing, to second order and measured; and the increases measured at 1 % and at sizes around that one (halved or doubled
 * from the prediction), over pairs of opposite disturbances, whose first-order parts cancel. `directions` is `(tr M)^2 / |M|^2` of the relative form M of the positive semidefinite matrix.
 *
 * Kwon et al. (2021) for the normalization, Petzka et al. (2021) for relative flatness.
 *
 * @throws CurvatureError "aborted" or "numeric", or any error of a product
 */
export async function relativeCurvature(risk: Risk, request: RelativeRequest): Promise<RelativeCurvature> {
  const { matrix, psd, seed, noun, psdNoun } = request;
  const sizes = Float64Array.from(risk.theta(), Math.abs);
  const first = scaledBy(matrix, sizes);
  const { trace, frobenius } = await moments(first, { request, name: "relative curvature" });
  const largest = await largestOf(first, request);
  const directions = psd && (await directionsOf(scaledBy(psd, sizes), request));
  const raising = raisingSize(request, trace.value);
  const cost = 2 * PAIRS * (1 + MOST_SIZES);
  const disturbances = await request.stages.run(
    { name: "relative disturbances", cost },
    ({ onProgress: _, ...options }) =>
      measuredDisturbances((size) => disturbed(risk, { size, trace, seed, loss: request.loss, options }), {
        start: Math.min(raising ?? LARGEST, LARGEST),
        target: targetOf(request),
      }),
  );
  return {
    noun,
    trace,
    frobenius,
    ...(largest && { largest }),
    ...(directions && { directions, directionsOf: psdNoun ?? noun }),
    ...(raising === undefined ? {} : { raisingSize: raising }),
    ...measuredSize(disturbances, targetOf(request)),
    reference: request.guessing ?? request.loss,
    guessing: request.guessing !== undefined,
    disturbances,
  };
}

/** `D A D` for D = diag(sizes). */
function scaledBy(A: LinearOperator, sizes: Float64Array): LinearOperator {
  const scaled = (x: Vector) =>
    toPrecision(
      Float64Array.from(x, (value, i) => value * sizes[i]!),
      A.dtype,
    );
  return functionOperator({
    shape: A.shape,
    dtype: A.dtype,
    symmetric: true,
    psd: A.psd,
    matvec: async (x, options) => scaled(await A.matvec(scaled(x), options)),
  });
}

interface Moments {
  readonly trace: Quantity;
  readonly frobenius: Quantity;
}

function moments(
  A: LinearOperator,
  { request, name }: { readonly request: RelativeRequest; readonly name: string },
): Promise<Moments> {
  const { probes, seed, stages } = request;
  return stages.run({ name, cost: Math.min(probes, A.shape[0]) }, async (options) => {
    const run = { ...options, matvecs: probes, seed: seedFor(seed, "relative") };
    const { trace, frobenius, matvecs, exact } = completed(await hutchinsonMoments(A, run), name);
    const cost = { matvecs, ...(exact ? { exact: true } : {}) };
    return { trace: { ...trace, ...cost }, frobenius: { ...frobenius, ...cost } };
  });
}

function largestOf(A: LinearOperator, { eigenvalueProducts: matvecs, seed, stages }: RelativeRequest) {
  const name = "relative curvature: eigenvalue";
  return stages.run({ name, cost: matvecs }, async (options) => {
    const run = { ...options, k: 1, which: "largest" as const, matvecs, tolerance: 1e-3, copies: false };
    const result = completed(await eigsh(A, { ...run, seed: seedFor(seed, "relativeEigenvalue") }), name);
    const [value, residualNorm] = [result.values[0], result.residualNorms[0]];
    return value === undefined || residualNorm === undefined ? undefined : { value, residualNorm };
  });
}

/** (tr M)^2 / |M|^2 with its error to first order, as if the errors of trace and norm were independent. */
async function directionsOf(M: LinearOperator, request: RelativeRequest): Promise<Quantity | undefined> {
  const { trace, frobenius } = await moments(M, { request, name: "relative directions" });
  if (!(trace.value > 0 && frobenius.value > 0)) return undefined;
  const value = (trace.value / frobenius.value) ** 2;
  const share = 2 * Math.hypot(trace.standardError / trace.value, frobenius.standardError / frobenius.value);
  return { value, standardError: value * share, matvecs: trace.matvecs };
}

/** Increase of the loss that counts: a tenth of the reference. */
function targetOf({ guessing, loss }: Pick<RelativeRequest, "guessing" | "loss">): number {
  return RAISED_SHARE * (guessing ?? loss);
}

/** The size s with `s^2 / 2 tr = target`; undefined where there is none. */
function raisingSize(request: RelativeRequest, trace: number): number | undefined {
  const size = Math.sqrt((2 * targetOf(request)) / trace);
  return Number.isFinite(size) && size > 0 ? size : undefined;
}

/** Increases at 1 %, and at sizes halved or doubled from `start` until they lie on both sides of the target. In ascending order. */
async function measuredDisturbances(
  measure: (size: number) => Promise<RelativeDisturbance>,
  { start, target }: { readonly start: number; readonly target: number },
): Promise<readonly RelativeDisturbance[]> {
  const found = [await measure(SMALL)];
  let size = start;
  for (let tried = 0; target > 0 && tried < MOST_SIZES; tried++) {
    const disturbance = await measure(size);
    found.push(disturbance);
    const raised = disturbance.measured > target;
    if (
      found.some(({ size: other, measured }) =>
        raised ? other < size && measured <= target : other > size && measured > target,
      )
    )
      break;
    if (!raised && size >= LARGEST) break;
    size = raised ? size / 2 : Math.min(2 * size, LARGEST);
  }
  return found.sort((a, b) => a.size - b.size);
}

/** The size at which the target is reached, by interpolation of the logarithms of sizes and increases. */
function measuredSize(
  ascending: readonly RelativeDisturbance[],
  target: number,
): Pick<RelativeCurvature, "measuredSize" | "withstands"> {
  const i = ascending.findIndex(({ measured }) => measured > target);
  const above = ascending[i];
  if (above === undefined) return { withstands: ascending.at(-1)!.size };
  const below = ascending[i - 1];
  if (below === undefined) return { measuredSize: above.size };
  const share = below.measured > 0 ? Math.log(target / below.measured) / Math.log(above.measured / below.measured) : 1;
  return { measuredSize: below.size * (above.size / below.size) ** share };
}

async function disturbed(
  risk: Risk,
  {
    size,
    trace,
    seed,
    loss,
    options,
  }: {
    readonly size: number;
    readonly trace: Quantity;
    readonly seed: number;
    readonly loss: number;
    readonly options: RunOptions;
  },
): Promise<RelativeDisturbance> {
  const theta = risk.theta();
  const increases: number[] = [];
  for (let pair = 0; pair < PAIRS; pair++) {
    const random = stream(seedFor(seed, "disturbance"), pair);
    const z = Float64Array.from(theta, () => random.normal());
    const moved = (sign: number) =>
      toPrecision(
        Float64Array.from(theta, (w, i) => w * (1 + sign * size * z[i]!)),
        risk.dtype,
      );
    const [up, down] = [await lossAt(risk, moved(1), options), await lossAt(risk, moved(-1), options)];
    increases.push((up + down) / 2 - loss);
  }
  const measured = increases.reduce((sum, x) => sum + x, 0) / PAIRS;
  const variance = increases.reduce((sum, x) => sum + (x - measured) ** 2, 0) / (PAIRS - 1);
  return {
    size,
    predicted: (trace.value * size * size) / 2,
    predictedError: (trace.standardError * size * size) / 2,
    measured,
    standardError: Math.sqrt(variance / PAIRS),
    evaluations: 2 * PAIRS,
  };
}
