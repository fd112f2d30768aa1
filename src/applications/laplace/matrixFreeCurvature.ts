import { memoized } from "../../concurrency/index.ts";
import { CurvatureError } from "../../errors/index.ts";
import {
  cgColumns,
  functionOperator,
  type LanczosQuadrature,
  type LinearOperator,
  lanczosQuadrature,
  matmat,
  matrixFunction,
  type RunOptions,
} from "../../linalg/index.ts";
import type { Matrix, Vector } from "../../tensors/index.ts";
import {
  type EstimatedNumber,
  groupProducts,
  type PosteriorCurvature,
  type PosteriorPrecision,
  type PrecisionRequest,
} from "./posteriorPrecision.ts";
import { normalColumns } from "./structuredCurvature.ts";

/** How much work estimates and solutions with a matrix take that is known by its products alone. */
export interface EstimationOptions {
  /** Random vectors of the quadrature; default 10. */
  readonly probes?: number | undefined;
  /** Lanczos steps for each; default 80. */
  readonly steps?: number | undefined;
  /** Relative residual of solutions; 1e-8 by default, 1e-4 for float32. */
  readonly tolerance?: number | undefined;
  /** Most products of a solution; default 1000. */
  readonly matvecs?: number | undefined;
  /** Seed of the probes; default 0. */
  readonly seed?: number | undefined;
}

/**
 * Precisions from products with K alone: solutions by conjugate gradients, traces and log-determinants by stochastic Lanczos quadrature with their standard
 * errors, samples by the Lanczos matrix function.
 */
export function matrixFreeCurvature(K: LinearOperator, estimation: EstimationOptions): PosteriorCurvature {
  const [size] = K.shape;
  const spectrum = memoized(() => quadratureOf(K, estimation, {}));
  return {
    size,
    precision: (request) => matrixFreePrecision(K, { ...request, estimation, common: spectrum }),
    prepare: async (J) => ({ J }),
    effectiveDimension: async (damping) => spectralSum(await spectrum(), (x) => x / (x + damping)),
  };
}

function quadratureOf(A: LinearOperator, estimation: EstimationOptions, { signal }: RunOptions) {
  const { probes = 10, steps = 80, seed = 0 } = estimation;
  return lanczosQuadrature(A, { probes, steps, seed, ...(signal && { signal }) });
}

/** The mean over probes of `n sum_j w_j f(x_j)` and its standard error. Nodes that rounding made negative count as 0. */
function spectralSum(
  { quadrature, order, exact, matvecs, status, message }: LanczosQuadrature,
  f: (x: number) => number,
): EstimatedNumber {
  if (quadrature.length === 0) {
    throw new CurvatureError(status === "aborted" ? "aborted" : "numeric", `laplace: ${message}`);
  }
  checkNodes(quadrature.flatMap(({ nodes }) => [...nodes]));
  const values = quadrature.map(
    ({ nodes, weights }) => order * weights.reduce((sum, w, j) => sum + w * f(Math.max(nodes[j], 0)), 0),
  );
  const value = values.reduce((sum, x) => sum + x, 0) / values.length;
  const squares = values.reduce((sum, x) => sum + (x - value) ** 2, 0);
  const standardError = exact
    ? 0
    : values.length < 2
      ? Number.POSITIVE_INFINITY
      : Math.sqrt(squares / (values.length - 1) / values.length);
  return { value, standardError, matvecs };
}

/** Eigenvalues more negative than this share of the largest are no rounding errors. */
const INDEFINITE = -1e-4;

function checkNodes(nodes: readonly number[]): void {
  const [least, largest] = [Math.min(...nodes), Math.max(...nodes)];
  if (least >= INDEFINITE * Math.max(largest, -least)) return;
  throw new CurvatureError(
    "argument",
    `laplace expects a positive semidefinite matrix, but this one has negative curvature: a Ritz value ${least.toPrecision(3)} beside a largest of ${largest.toPrecision(3)}; take ggn or a Fisher matrix, or train to a minimum`,
  );
}

function matrixFreePrecision(
  K: LinearOperator,
  {
    factor,
    delta,
    estimation,
    common,
  }: PrecisionRequest & { readonly estimation: EstimationOptions; readonly common: () => Promise<LanczosQuadrature> },
): PosteriorPrecision {
  const [size] = K.shape;
  const root = delta.map((d) => 1 / Math.sqrt(d));
  const { B, onePlus } = scaledOperators(K, { factor, root });
  // Of a common prior precision d, B is K times a / d: the quadrature of K serves all of them.
  const isCommon = delta.every((d) => d === delta[0]);
  const own = memoized(() => quadratureOf(B, estimation, {}));
  const sumOf = async (f: (x: number) => number) =>
    isCommon ? spectralSum(await common(), (x) => f((factor * x) / delta[0])) : spectralSum(await own(), f);
  const solve = async (X: Matrix, { signal }: RunOptions = {}): Promise<Matrix> => {
    const right = timesRows(X, root);
    const { x, status, message } = await cgColumns(onePlus, right, {
      matvecs: (estimation.matvecs ?? 1000) * X.columns,
      ...(estimation.tolerance !== undefined && { tolerance: estimation.tolerance }),
      ...(signal && { signal }),
    });
    checkSolved(status, message);
    return timesRows(x, root);
  };
  return {
    size,
    async logdet() {
      const sum = await sumOf(Math.log1p);
      return { ...sum, value: sum.value + delta.reduce((total, d) => total + Math.log(d), 0) };
    },
    effectiveParameters: async () => sumOf((x) => x / (1 + x)),
    solve,
    forms: async ({ J }, { group, diagonal, ...options }) =>
      groupProducts(J, await solve(J, options), { group, diagonal }),
    samples: (count, { seed, first = 0, signal }) =>
      samplesOf(onePlus, normalColumns({ size, count, seed, first }), { root, estimation, signal }),
  };
}

/** B = diag(delta)^-1/2 a K diag(delta)^-1/2 and I + B, with which P = diag(delta)^1/2 (I + B) diag(delta)^1/2. `root` is delta^-1/2. */
function scaledOperators(
  K: LinearOperator,
  { factor, root }: { readonly factor: number; readonly root: Float64Array },
): { readonly B: LinearOperator; readonly onePlus: LinearOperator } {
  const [size] = K.shape;
  const declared = { shape: K.shape, dtype: K.dtype, symmetric: true, psd: K.psd } as const;
  const B = functionOperator({
    ...declared,
    matvec: async (x, run) => timesEach(await K.matvec(timesEach(x, root), run), root, factor),
  });
  const onePlus: LinearOperator = {
    ...functionOperator({
      ...declared,
      async matvec(x, run) {
        const own = Float64Array.from(x);
        return (await B.matvec(own, run)).map((y, i) => y + own[i]);
      },
    }),
    async matmat(X, run) {
      const own = { ...X, data: Float64Array.from(X.data) };
      const Y = await matmat(K, timesRows(own, root), run);
      return { ...own, data: own.data.map((x, k) => x + factor * root[k % size] * Y.data[k]) };
    },
  };
  return { B, onePlus };
}

/** Columns diag(root) (I + B)^-1/2 e for the columns e of E: samples of N(0, P^-1) for standard normal e. */
async function samplesOf(
  onePlus: LinearOperator,
  { rows: size, columns: count, data: E }: Matrix,
  {
    root,
    estimation,
    signal,
  }: {
    readonly root: Float64Array;
    readonly estimation: EstimationOptions;
    readonly signal: AbortSignal | undefined;
  },
): Promise<Matrix> {
  const data = new Float64Array(size * count);
  for (let k = 0; k < count; k++) {
    const { x, status, message } = await matrixFunction(onePlus, E.slice(k * size, (k + 1) * size), {
      f: (value) => 1 / Math.sqrt(value),
      ...(estimation.tolerance !== undefined && { tolerance: estimation.tolerance }),
      matvecs: estimation.matvecs ?? 1000,
      ...(signal && { signal }),
    });
    checkSolved(status, message);
    data.set(timesEach(x, root), k * size);
  }
  return { rows: size, columns: count, data };
}

function checkSolved(status: string, message: string): void {
  if (status === "converged" || status === "stagnated") return;
  const advice =
    status === "indefinite"
      ? "the matrix has negative curvature: take ggn or a Fisher matrix, or train to a minimum"
      : "raise estimation.matvecs, the tolerance or priorPrecision";
  throw new CurvatureError(
    status === "aborted" ? "aborted" : "numeric",
    `laplace cannot solve with its precision: ${message}; ${advice}`,
  );
}

function timesEach(x: Vector, by: Float64Array, factor = 1): Float64Array {
  return Float64Array.from(x, (value, i) => factor * by[i] * value);
}

function timesRows({ rows, columns, data }: Matrix, by: Float64Array): Matrix {
  return { rows, columns, data: Float64Array.from(data, (x, k) => by[k % rows] * x) };
}
