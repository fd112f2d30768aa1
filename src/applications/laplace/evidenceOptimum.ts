import { CurvatureError } from "../../errors/index.ts";
import { cholesky, choleskySolve, type RunOptions } from "../../linalg/index.ts";
import { indicesOf, type PlacedBlock, type StructuredOperator } from "../../structured/index.ts";
import { bracketedRoot } from "./bracketedRoot.ts";
import type { LaplacePosterior } from "./laplacePosterior.ts";
import { curvatureFactor, noisePower } from "./likelihood.ts";
import type { WeightGroup } from "./prior.ts";

// With a prior precision d_g for each group g of n_g weights, q_g = sum over the group of (theta_i - mu_i)^2 and tau_g that of (P^-1)_ii, the evidence has
//
//     d log Z / d log d_g = 1/2 [ n_g - d_g tau_g - d_g q_g ] = 1/2 [ gamma_g - d_g q_g ],   gamma_g = n_g - d_g tau_g,
//
// so that d_g = gamma_g / q_g at the optimum (MacKay, 1992, equation 4.9). Where a group has its blocks to itself, gamma_g = sum x / (x + d_g) falls with d_g and
// d_g q_g grows: the optimum is the only root.

/** Prior precisions at a maximum of the evidence. */
export interface EvidenceOptimum {
  /** One for all, or one a group. */
  readonly precisions: readonly number[];
  /** gamma of each. */
  readonly effective: readonly number[];
}

/** How a curvature that is scaled by a bears on prior precisions: gamma_g at precisions d. */
interface Request extends RunOptions {
  readonly factor: number;
}

/**
 * The one precision of all weights that maximizes the evidence at a factor a of the curvature.
 *
 * @throws CurvatureError "numeric" where it lies at infinity (the weights are at the mean of the prior) or at 0 (there is no curvature)
 */
export async function scalarOptimum(
  posterior: LaplacePosterior,
  { factor, ...options }: Request,
): Promise<EvidenceOptimum> {
  const { curvature, size } = posterior;
  const energy = squaredDistance(posterior);
  const gamma = async (d: number) => (await curvature.effectiveDimension(d / factor, options)).value;
  const precision = await optimum({ gamma, energy, most: size, what: "all weights" });
  return { precisions: [precision], effective: [await gamma(precision)] };
}

function squaredDistance({ mean, prior }: LaplacePosterior, group?: WeightGroup): number {
  const indices = group?.indices ?? mean.keys();
  let sum = 0;
  for (const i of indices) sum += (mean[i] - prior.mean[i]) ** 2;
  return sum;
}

/** Root of gamma(d) - d energy in log d, gamma falling from `most` at the largest. */
async function optimum(request: {
  readonly gamma: (d: number) => number | Promise<number>;
  readonly energy: number;
  readonly most: number;
  readonly what: string;
}): Promise<number> {
  const { gamma, energy, most, what } = request;
  const refuse = (where: string) => {
    throw new CurvatureError(
      "numeric",
      `optimizePrior: the evidence of ${what} is largest at a prior precision of ${where}`,
    );
  };
  if (energy === 0) refuse("infinity, since the weights are at the mean of the prior");
  const to = Math.log(most / energy);
  const slope = async (t: number) => (await gamma(Math.exp(t))) - Math.exp(t) * energy;
  const from = to - 80;
  if ((await slope(from)) <= 0) refuse("0, since the data have no curvature there");
  return Math.exp(await bracketedRoot(slope, { from, to }));
}

/**
 * One precision for each tensor. Tensors that share no block have a root each; those that do are solved together, by Newton's method where their blocks are
 * dense, else by MacKay's fixed point.
 *
 * @throws CurvatureError "unsupported" for a matrix without blocks
 */
export async function tensorOptimum(posterior: LaplacePosterior, request: Request): Promise<EvidenceOptimum> {
  const { matrix, groups } = posterior;
  const { blocks } = matrix as Partial<StructuredOperator>;
  if (blocks === undefined) {
    throw new CurvatureError(
      "unsupported",
      'optimizePrior: a prior precision for each tensor needs a structured matrix; take by: "scalar"',
    );
  }
  const precisions = new Array<number>(groups.length);
  const effective = new Array<number>(groups.length);
  for (const { own, tensors } of components(blocks, groups)) {
    if (tensors.length === 1) {
      const [index] = tensors;
      const gamma = (d: number) => blockDimension(own, d / request.factor);
      const { name, indices } = groups[index];
      const energy = squaredDistance(posterior, groups[index]);
      precisions[index] = await optimum({ gamma, energy, most: indices.length, what: name });
      effective[index] = await gamma(precisions[index]);
      continue;
    }
    const found = await coupledOptimum(posterior, { ...request, own, tensors });
    tensors.forEach((index, k) => {
      precisions[index] = found.precisions[k];
      effective[index] = found.effective[k];
    });
  }
  return { precisions, effective };
}

/** Tensors that blocks connect, and these blocks. */
interface Component {
  readonly own: readonly PlacedBlock[];
  readonly tensors: readonly number[];
}

function components(blocks: readonly PlacedBlock[], groups: readonly WeightGroup[]): readonly Component[] {
  const owner = new Map<number, number>();
  groups.forEach(({ indices }, index) => {
    for (const at of indices) owner.set(at, index);
  });
  const root = groups.map((_, index) => index);
  const rootOf = (index: number): number => (root[index] === index ? index : rootOf(root[index]));
  const touched = blocks.map((placed) => [...new Set(Array.from(indicesOf(placed), (at) => owner.get(at)!))]);
  for (const tensors of touched) for (const index of tensors) root[rootOf(index)] = rootOf(tensors[0]);
  const roots = [...new Set(groups.map((_, index) => rootOf(index)))];
  return roots.map((each) => ({
    own: blocks.filter((_, index) => rootOf(touched[index][0]) === each),
    tensors: groups.flatMap((_, index) => (rootOf(index) === each ? [index] : [])),
  }));
}

const itself = { damping: { value: 0, kind: "exact" as const }, power: 1 };

/** `sum x / (x + d)` over the eigenvalues of some blocks. */
async function blockDimension(blocks: readonly PlacedBlock[], d: number): Promise<number> {
  let sum = 0;
  for (const { block } of blocks) {
    if (block.effectiveDimension !== undefined) sum += await block.effectiveDimension(itself, d);
    else for (const x of await block.eigenvalues(itself)) sum += x === 0 ? 0 : x / (x + d);
  }
  return sum;
}

interface CoupledRequest extends Request, Component {}

async function coupledOptimum(posterior: LaplacePosterior, request: CoupledRequest): Promise<EvidenceOptimum> {
  const { tensors, own, factor } = request;
  const groups = tensors.map((index) => posterior.groups[index]);
  const energies = groups.map((group) => squaredDistance(posterior, group));
  const none = energies.indexOf(0);
  if (none >= 0) {
    throw new CurvatureError(
      "numeric",
      `optimizePrior: the evidence of ${groups[none].name} is largest at a prior precision of infinity, since its weights are at the mean of the prior`,
    );
  }
  const [start] = (await scalarOptimum(posterior, { factor })).precisions;
  const isDense = own.length === 1 && own[0].block.arrays.matrix !== undefined;
  let logs = groups.map(() => Math.log(start));
  let gammas: readonly number[] = [];
  const most = isDense ? 60 : 500;
  for (let step = 0; step < most; step++) {
    const precisions = logs.map(Math.exp);
    const state = isDense
      ? await denseState(own[0], { groups, precisions, factor })
      : await diagonalState(posterior, { groups, tensors, precisions, factor });
    gammas = groups.map(({ indices }, g) => indices.length - precisions[g] * state.traces[g]);
    const slopes = gammas.map((gamma, g) => (gamma - precisions[g] * energies[g]) / 2);
    const move =
      state.squares === undefined
        ? gammas.map((gamma, g) => Math.log(gamma / energies[g]) - logs[g])
        : newtonStep({ slopes, precisions, energies, traces: state.traces, squares: state.squares });
    const longest = Math.max(...move.map(Math.abs));
    logs = logs.map((t, g) => t + move[g] * Math.min(1, 2 / longest));
    if (longest < 1e-12) break;
  }
  return { precisions: logs.map(Math.exp), effective: gammas };
}

interface CoupledState {
  /** tau_g. */
  readonly traces: readonly number[];
  /** sum over i in g, j in h of (P^-1)_ij^2, for Newton's method. */
  readonly squares?: readonly (readonly number[])[];
}

/** By the inverse of a dense block with the precisions of its tensors: n^3 operations. */
async function denseState(
  placed: PlacedBlock,
  {
    groups,
    precisions,
    factor,
  }: { readonly groups: readonly WeightGroup[]; readonly precisions: readonly number[]; readonly factor: number },
): Promise<CoupledState> {
  const own = indicesOf(placed);
  const n = own.length;
  const position = new Map(Array.from(own, (at, k) => [at, k] as const));
  const member = new Int32Array(n);
  groups.forEach(({ indices }, g) => {
    for (const at of indices) member[position.get(at)!] = g;
  });
  const P = Float64Array.from(placed.block.arrays.matrix.data as Float64Array, (x) => factor * x);
  const identity = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    P[i * (n + 1)] += precisions[member[i]];
    identity[i * (n + 1)] = 1;
  }
  const L = await cholesky({ rows: n, columns: n, data: P });
  const { data: inverse } = await choleskySolve(L, { rows: n, columns: n, data: identity });
  const traces = groups.map(() => 0);
  const squares = groups.map(() => groups.map(() => 0));
  for (let i = 0; i < n; i++) {
    traces[member[i]] += inverse[i * (n + 1)];
    for (let j = 0; j < n; j++) squares[member[i]][member[j]] += inverse[i * n + j] ** 2;
  }
  return { traces, squares };
}

async function diagonalState(
  { curvature, prior, groups: all }: LaplacePosterior,
  request: {
    readonly groups: readonly WeightGroup[];
    readonly tensors: readonly number[];
    readonly precisions: readonly number[];
    readonly factor: number;
  },
): Promise<CoupledState> {
  const delta = prior.precision.slice();
  request.tensors.forEach((index, g) => {
    for (const at of all[index].indices) delta[at] = request.precisions[g];
  });
  const inverse = await curvature.precision({ factor: request.factor, delta }).inverseDiagonal!();
  return { traces: request.groups.map(({ indices }) => indices.reduce((sum, at) => sum + inverse[at], 0)) };
}

/** Solution of H move = -slopes, H_gh = 1/2 (-[g = h] d_g (tau_g + q_g) + d_g d_h squares_gh), the derivative of the slopes in log d. */
function newtonStep(request: {
  readonly slopes: readonly number[];
  readonly precisions: readonly number[];
  readonly energies: readonly number[];
  readonly traces: readonly number[];
  readonly squares: readonly (readonly number[])[];
}): readonly number[] {
  const { slopes, precisions: d, energies, traces, squares } = request;
  const H = slopes.map((_, g) =>
    slopes.map((__, h) => (d[g] * d[h] * squares[g][h] - (g === h ? d[g] * (traces[g] + energies[g]) : 0)) / 2),
  );
  return solved(
    H,
    slopes.map((slope) => -slope),
  );
}

/** Gaussian elimination with pivots, for the few tensors of a component. */
function solved(H: readonly (readonly number[])[], b: readonly number[]): readonly number[] {
  const n = b.length;
  const A = H.map((row, i) => [...row, b[i]]);
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(A[i][k]) > Math.abs(A[pivot][k])) pivot = i;
    [A[k], A[pivot]] = [A[pivot], A[k]];
    for (let i = k + 1; i < n; i++) {
      const share = A[i][k] / A[k][k];
      for (let j = k; j <= n; j++) A[i][j] -= share * A[k][j];
    }
  }
  const x = new Array<number>(n).fill(0);
  for (let i = n - 1; i >= 0; i--) {
    let sum = A[i][n];
    for (let j = i + 1; j < n; j++) sum -= A[i][j] * x[j];
    x[i] = sum / A[i][i];
  }
  return x;
}

/** Prior precisions of a maximum, with the noise that maximizes the evidence together with them. */
export interface NoiseOptimum extends EvidenceOptimum {
  readonly sigmaNoise: number;
}

/**
 * Noise and prior precisions together: the root in log sigma of `d log Z / d log sigma = (SSE / sigma^2 - N C) / T + p gamma` along the best precisions for each sigma, that is
 * `sigma^2 = SSE / (N C - gamma)` (MacKay, 1992) for T = 1 and a curvature that falls as sigma^-2 (p = 1; p = 2 for the empirical Fisher matrix).
 *
 * @throws CurvatureError "numeric" where the weights fit the labels exactly, or no noise is the best
 */
export async function noiseOptimum(
  posterior: LaplacePosterior,
  optimumAt: (request: Request) => Promise<EvidenceOptimum>,
): Promise<NoiseOptimum> {
  const { fit, likelihood, of } = posterior;
  const { lossSum, elements, scale } = fit;
  if (!(lossSum > 0)) {
    throw new CurvatureError("numeric", "optimizePrior: the outputs equal the targets, so the best noise is 0");
  }
  const factorAt = (t: number) => curvatureFactor({ ...likelihood, sigmaNoise: Math.exp(t) }, { scale, of });
  const slope = async (t: number) => {
    const { effective } = await optimumAt({ factor: factorAt(t) });
    const gamma = effective.reduce((sum, x) => sum + x, 0);
    return (lossSum * Math.exp(-2 * t) - elements) / likelihood.temperature + noisePower(of) * gamma;
  };
  const from = Math.log(lossSum / elements) / 2;
  let to = from + 1;
  while ((await slope(to)) > 0) {
    to += 1;
    if (to > from + 20) {
      throw new CurvatureError(
        "numeric",
        `optimizePrior: the evidence grows with the noise without end: ${elements} numbers of labels determine no noise beside as many effective parameters; give sigmaNoise`,
      );
    }
  }
  const best = await bracketedRoot(slope, { from, to });
  return { ...(await optimumAt({ factor: factorAt(best) })), sigmaNoise: Math.exp(best) };
}
