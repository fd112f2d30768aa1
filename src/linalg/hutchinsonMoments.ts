import { CurvatureError } from "../errors/index.ts";
import { stream } from "../random/index.ts";
import { column, type Matrix, type Vector, zeros } from "../tensors/index.ts";
import {
  checkCount,
  checkNonnegative,
  checkOperator,
  checkSeed,
  checkSquare,
  checkState,
  precision,
} from "./checks.ts";
import { drive } from "./drive.ts";
import type { LinearOperator, RunOptions } from "./operator.ts";
import { checkDistribution, type ProbeDistribution, probe } from "./probes.ts";
import { type Interruption, products } from "./products.ts";
import { type Estimate, type Outcome, outcome } from "./result.ts";
import { addSample, meanOf, noSamples, type SampleSums } from "./sampleMean.ts";

// Hutchinson (1990) and Bekas, Kokiopoulou and Saad (2007). For random v with E[v v'] = I and y = A v,
//
//   E[v' y] = tr A,   E[v_B' y_B] = tr A_BB,   E[v * y] = diag A,   E[y' y] = ||A||_F^2,
//
// so one product gives a sample of each, and the samples' spread gives the standard errors. Where the budget reaches n, the probes are
// sqrt(n) e_i for all i in a random order: a draw without replacement from a distribution that also has E[v v'] = I. The same formulas
// hold, the error carries the factor sqrt(1 - drawn / n), and after n products the results are exact.

/** Options of everything that averages over probes. */
export interface HutchinsonOptions extends RunOptions {
  /** Number of products, and of probes. From n on (rows of A) the result is exact and n products are made. */
  readonly matvecs: number;
  readonly seed: number;
  /**
   * Stops once the standard error is at most this times the size of the estimate, after at least 16 probes. Stopping when an interval looks
   * narrow makes intervals a little too narrow: prefer a fixed number of probes where the error bar matters. Without effect where the
   * budget reaches n.
   */
  readonly tolerance?: number;
  /** Distribution of the probes' entries: "signs" (default) or "gaussian". */
  readonly distribution?: ProbeDistribution;
  /** Probes that go through `matmat` at once, where the operator has it. */
  readonly blockSize?: number;
  /** Where an earlier run with the same options stopped. */
  readonly state?: HutchinsonState;
}

/** Range of indices `start, ..., end - 1` whose diagonal block's trace is asked for. */
export interface DiagonalBlock {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** Sums over the probes so far: plain data, from which the run can go on. */
export interface HutchinsonState {
  readonly method: "hutchinson";
  readonly columns: number;
  readonly seed: number;
  readonly distribution: ProbeDistribution;
  /** Whether the probes are the unit vectors in a random order. */
  readonly unitVectors: boolean;
  /** Number of probes so far. */
  readonly matvecs: number;
  readonly trace: SampleSums;
  readonly squaredFrobenius: SampleSums;
  readonly blocks: readonly SampleSums[];
  /** `[n]` each; empty where the diagonal is not asked for. */
  readonly diagonal: { readonly sum: Float64Array; readonly squares: Float64Array };
}

/** Estimates of entries, each with its standard error. */
export interface DiagonalEstimate {
  /** `[n]` */
  readonly values: Float64Array;
  /** `[n]` */
  readonly standardErrors: Float64Array;
}

/** What one set of probes tells about a square matrix. */
export interface HutchinsonMoments extends Outcome {
  readonly trace: Estimate;
  readonly squaredFrobenius: Estimate;
  /** Square root of `squaredFrobenius`, its standard error to first order: `standardError / (2 norm)`. */
  readonly frobenius: Estimate;
  readonly diagonal: DiagonalEstimate;
  /** Traces of the diagonal blocks asked for, in their order. */
  readonly blocks: readonly { readonly name: string; readonly trace: number; readonly standardError: number }[];
  /** Whether all n unit vectors were used, so that nothing is estimated. */
  readonly exact: boolean;
}

/** Quantity by which a run decides that it knows enough. */
export type Watched = "trace" | "squaredFrobenius" | "diagonal";

interface Setup extends HutchinsonOptions {
  readonly name: string;
  readonly watch: Watched;
  readonly blocks: readonly DiagonalBlock[];
  readonly withDiagonal: boolean;
}

/** Fewest probes after which `tolerance` may stop a run: below, the standard error itself is too uncertain. */
const FEWEST_PROBES = 16;

/** Probes below which the message warns that the normal 95 % interval is only rough. */
const FEW_PROBES = 30;

/**
 * Trace, squared Frobenius norm, diagonal, and traces of diagonal blocks of a square matrix, all estimated from the same probes
 * (Hutchinson, 1990; Bekas et al., 2007). Estimates are unbiased, standard errors are those of the mean over probes. One product a probe.
 * The diagonal's error does not shrink with the matrix: entry i has variance `sum over j != i of A_ij^2` a probe.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function hutchinsonMoments(
  A: LinearOperator,
  options: HutchinsonOptions & { readonly blocks?: readonly DiagonalBlock[] },
): Promise<HutchinsonMoments> {
  return drive(hutchinsonSteps(A, options));
}

/** The run of `hutchinsonMoments` block by block of probes; yields a state after each, from which `state` resumes it. */
export function hutchinsonSteps(
  A: LinearOperator,
  options: HutchinsonOptions & { readonly blocks?: readonly DiagonalBlock[] },
): AsyncGenerator<HutchinsonState, HutchinsonMoments, void> {
  const name = "hutchinsonMoments";
  checkSquare(name, A);
  return probeSteps(A, { blocks: [], ...options, name, watch: "trace", withDiagonal: true });
}

/** The run behind every quantity of this kind; `name` is the function that was called, `watch` what `tolerance` is about. */
export async function* probeSteps(
  A: LinearOperator,
  setup: Setup,
): AsyncGenerator<HutchinsonState, HutchinsonMoments, void> {
  checkSetup(A, setup);
  const { name, matvecs, tolerance, blockSize = 8, seed, distribution = "signs" } = setup;
  const n = A.shape[1];
  let state = setup.state ?? initialState(A, setup);
  checkState(name, state, { method: "hutchinson", columns: n, seed });
  if (state.distribution !== distribution || state.blocks.length !== setup.blocks.length) {
    throw new CurvatureError(
      "argument",
      `${name} expects the distribution and blocks that its state was made with; pass the same`,
    );
  }
  const total = state.unitVectors ? Math.min(n, matvecs) : matvecs;
  const run = products(A, { ...setup, matvecs: total, used: state.matvecs });
  const order = state.unitVectors ? shuffled(n, seed) : undefined;
  for (;;) {
    if (run.left <= 0 || isKnown(state, setup)) return finish(state, { setup, order });
    const V = probeBlock(state, { count: Math.min(blockSize, run.left), dtype: precision(A), order });
    const { columns, interruption } = await run.block(V, () => state);
    state = accumulate(state, { V, products: columns, blocks: setup.blocks });
    if (interruption) return finish(state, { setup, order, interruption });
    run.report(tolerance === undefined ? undefined : relativeError(state, setup.watch));
    yield state;
  }
}

function checkSetup(A: LinearOperator, { name, matvecs, seed, tolerance = 0, blockSize = 1, ...rest }: Setup): void {
  checkOperator(name, A);
  checkCount(name, "matvecs", matvecs);
  checkCount(name, "blockSize", blockSize);
  checkSeed(name, seed);
  checkNonnegative(name, "tolerance", tolerance);
  checkDistribution(name, rest.distribution ?? "signs");
  const n = A.shape[1];
  for (const { name: block, start, end } of rest.blocks) {
    if (Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start < end && end <= n) continue;
    const message = `${name} expects block "${block}" to be a range of indices with 0 <= start < end <= ${n}, got ${start} to ${end}`;
    throw new CurvatureError("argument", message);
  }
}

function initialState(
  A: LinearOperator,
  { matvecs, seed, distribution = "signs", blocks, withDiagonal }: Setup,
): HutchinsonState {
  const n = A.shape[1];
  const entries = withDiagonal ? n : 0;
  return {
    method: "hutchinson",
    columns: n,
    seed,
    distribution,
    unitVectors: matvecs >= n,
    matvecs: 0,
    trace: noSamples,
    squaredFrobenius: noSamples,
    blocks: blocks.map(() => noSamples),
    diagonal: { sum: new Float64Array(entries), squares: new Float64Array(entries) },
  };
}

/** Random order of 0, ..., n - 1 (Fisher and Yates). */
function shuffled(n: number, seed: number): readonly number[] {
  const random = stream(seed, "order");
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** The next probes `[n, count]`; each has a stream of its own, so that they do not depend on how they are cut into blocks. */
function probeBlock(
  { columns: n, matvecs, seed, distribution }: HutchinsonState,
  { count, dtype, order }: { count: number; dtype: "float32" | "float64"; order: readonly number[] | undefined },
): Matrix {
  const data = zeros(n * count, dtype);
  for (let k = 0; k < count; k++) {
    if (order) data[k * n + order[matvecs + k]!] = 1;
    else data.set(probe(n, { distribution, stream: stream(seed, "probe", matvecs + k), dtype }), k * n);
  }
  return { rows: n, columns: count, data };
}

function accumulate(
  state: HutchinsonState,
  { V, products, blocks }: { V: Matrix; products: readonly Vector[]; blocks: readonly DiagonalBlock[] },
): HutchinsonState {
  const diagonal = { sum: state.diagonal.sum.slice(), squares: state.diagonal.squares.slice() };
  let { trace, squaredFrobenius, blocks: sums } = state;
  products.forEach((y, k) => {
    const count = state.matvecs + k;
    const v = column(V, k);
    squaredFrobenius = addSample(squaredFrobenius, innerProduct(y, y, { start: 0, end: y.length }), count);
    // Of a matrix that is not square only the norm is asked for.
    if (y.length === v.length) trace = addSample(trace, innerProduct(v, y, { start: 0, end: y.length }), count);
    sums = sums.map((sum, b) => addSample(sum, innerProduct(v, y, blocks[b]!), count));
    addDiagonal(diagonal, { v, y, count });
  });
  return { ...state, matvecs: state.matvecs + products.length, trace, squaredFrobenius, blocks: sums, diagonal };
}

function innerProduct(x: Vector, y: Vector, { start, end }: { start: number; end: number }): number {
  let sum = 0;
  for (let i = start; i < end; i++) sum += x[i]! * y[i]!;
  return sum;
}

/** `addSample` for every entry of the sample `v * y`. */
function addDiagonal(
  { sum, squares }: { sum: Float64Array; squares: Float64Array },
  { v, y, count }: { v: Vector; y: Vector; count: number },
): void {
  const share = count / (count + 1);
  for (let i = 0; i < sum.length; i++) {
    const x = v[i]! * y[i]!;
    const deviation = count === 0 ? 0 : x - sum[i]! / count;
    sum[i] = sum[i]! + x;
    squares[i] = squares[i]! + deviation * deviation * share;
  }
}

/** How the samples of this run weigh: unit vectors stand for probes of length sqrt(n). */
function weighting({ unitVectors, columns, matvecs }: HutchinsonState) {
  return unitVectors ? { count: matvecs, weight: columns, population: columns } : { count: matvecs };
}

function diagonalEstimate(state: HutchinsonState, order: readonly number[] | undefined): DiagonalEstimate {
  const { sum, squares } = state.diagonal;
  if (order) {
    // A unit vector tells its own entry exactly and the others nothing.
    const values = new Float64Array(sum.length).fill(Number.NaN);
    const standardErrors = new Float64Array(sum.length).fill(Number.POSITIVE_INFINITY);
    for (const i of sum.length === 0 ? [] : order.slice(0, state.matvecs)) {
      values[i] = sum[i]!;
      standardErrors[i] = 0;
    }
    return { values, standardErrors };
  }
  const estimates = Array.from(sum, (s, i) => meanOf({ sum: s, squares: squares[i]! }, weighting(state)));
  return {
    values: Float64Array.from(estimates, ({ value }) => value),
    standardErrors: Float64Array.from(estimates, ({ standardError }) => standardError),
  };
}

/** Standard error over the size of the estimate that is watched; Infinity where nothing is known yet. */
function relativeError(state: HutchinsonState, watch: Watched): number {
  if (state.matvecs < 2) return Number.POSITIVE_INFINITY;
  if (watch !== "diagonal") {
    const { value, standardError } = meanOf(state[watch], weighting(state));
    return standardError === 0 ? 0 : standardError / Math.abs(value);
  }
  const { sum, squares } = state.diagonal;
  let [size, error] = [0, 0];
  for (let i = 0; i < sum.length; i++) {
    const { value, standardError } = meanOf({ sum: sum[i]!, squares: squares[i]! }, weighting(state));
    size += value * value;
    error += standardError * standardError;
  }
  return error === 0 ? 0 : Math.sqrt(error / size);
}

function isKnown(state: HutchinsonState, { tolerance, watch }: Setup): boolean {
  if (tolerance === undefined || state.unitVectors || state.matvecs < FEWEST_PROBES) return false;
  return relativeError(state, watch) <= tolerance;
}

function finish(
  state: HutchinsonState,
  { setup, order, interruption }: { setup: Setup; order: readonly number[] | undefined; interruption?: Interruption },
): HutchinsonMoments {
  const weights = weighting(state);
  const squaredFrobenius = meanOf(state.squaredFrobenius, weights);
  return {
    trace: meanOf(state.trace, weights),
    squaredFrobenius,
    frobenius: squareRoot(squaredFrobenius),
    diagonal: diagonalEstimate(state, order),
    blocks: setup.blocks.map(({ name }, b) => {
      const { value: trace, standardError } = meanOf(state.blocks[b]!, weights);
      return { name, trace, standardError };
    }),
    exact: state.unitVectors && state.matvecs === state.columns,
    ...ending(state, setup, interruption),
  };
}

function squareRoot({ value, standardError }: Estimate): Estimate {
  const root = Math.sqrt(value);
  return { value: root, standardError: standardError === 0 ? 0 : standardError / (2 * root) };
}

function ending(state: HutchinsonState, setup: Setup, interruption: Interruption | undefined): Outcome {
  const { matvecs, unitVectors, columns } = state;
  if (interruption) return outcome(interruption.status, { happened: interruption.happened, matvecs });
  if (unitVectors && matvecs === columns) {
    return outcome("converged", { happened: `exact: all ${columns} unit vectors were used`, matvecs });
  }
  const few = matvecs < FEW_PROBES ? ", few for a normal interval" : "";
  if (setup.tolerance === undefined) {
    return outcome("converged", { happened: `averaged ${matvecs} probes${few}; no tolerance was asked for`, matvecs });
  }
  const error = relativeError(state, setup.watch).toPrecision(2);
  const happened = `relative standard error ${error} after ${matvecs} probes${few}, ${setup.tolerance} asked for`;
  return outcome(isKnown(state, setup) ? "converged" : "budget", { happened, matvecs });
}
