import { CurvatureError } from "../../errors/index.ts";
import { column, type Matrix, zeros } from "../../tensors/index.ts";
import { checkCount, checkNonnegative, checkSeed, checkState, epsilon, precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { type Interruption, isInterruption, type Products } from "../runs/products.ts";
import { type Outcome, outcome } from "../runs/result.ts";
import { SYMMETRY_ADVICE } from "../systems/refinement.ts";
import { leadingColumns, randomDirection } from "../vectors/basis.ts";
import { arithmeticOf, axpy, dot, norm } from "../vectors/vector.ts";
import {
  appended,
  type BlockRitz,
  type BlockSpace,
  blockRitz,
  type DualPair,
  grown,
  newSpace,
  openColumns,
  orthogonalizedPair,
  resumedSpace,
  scaledPair,
  shrunk,
} from "./blockKrylov.ts";
import { convergedOutcome, excludesCopies } from "./copies.ts";
import { preference, type Which } from "./ritzPairs.ts";

// Thick-restart block Lanczos for `A x = value x` and `A x = value B x`: the part that blockEigsh and eigshGeneralized share.

/** What the method may take. */
export interface BlockPlanOptions {
  readonly k: number;
  readonly which?: Which;
  readonly seed: number;
  readonly tolerance?: number;
  readonly matvecs?: number;
  readonly basisSize?: number;
  readonly blockSize?: number;
  readonly copies?: boolean;
  readonly state?: BlockIterationState;
}

/** The space after `matvecs` products: plain data, from which the run can go on. */
export interface BlockIterationState extends BlockSpace {
  readonly method: string;
  readonly columns: number;
  readonly matvecs: number;
}

/** Some eigenpairs. */
export interface BlockPairs extends Outcome {
  readonly values: Float64Array;
  readonly vectors: Matrix;
  readonly residualNorms: Float64Array;
}

/** The inner product `x' B y`: products and solves with B, which may be interrupted. */
export interface InnerProduct {
  multiply(x: DualPair["vector"], state: () => unknown): Promise<DualPair["vector"] | Interruption>;
  solve(x: DualPair["vector"], state: () => unknown): Promise<DualPair["vector"] | Interruption>;
}

/** The problem, its plan and its tools. */
export interface BlockProblem {
  readonly name: string;
  readonly A: LinearOperator;
  readonly run: Products;
  readonly inner?: InnerProduct;
  readonly k: number;
  readonly which: Which;
  readonly seed: number;
  readonly tolerance: number;
  readonly basisSize: number;
  readonly blockSize: number;
  /** Whether to look for further copies of repeated eigenvalues. */
  readonly copies: boolean;
}

/** Checked options with their defaults. */
export function blockPlan(
  name: string,
  A: LinearOperator,
  options: BlockPlanOptions,
): Omit<BlockProblem, "run" | "inner"> & { readonly matvecs: number } {
  const n = A.shape[1];
  const { k, which = "largest", seed, tolerance = precision(A) === "float32" ? 1e-4 : 1e-8 } = options;
  checkCount(name, "k", k);
  if (k > n)
    throw new CurvatureError("argument", `${name} expects k of at most ${n}, the order of the matrix, got ${k}`);
  if (!["largest", "smallest", "magnitude", "both"].includes(which)) {
    const message = `${name} expects which to be "largest", "smallest", "magnitude" or "both", got "${which}"`;
    throw new CurvatureError("argument", message);
  }
  checkSeed(name, seed);
  checkNonnegative(name, "tolerance", tolerance);
  const { blockSize = Math.min(4, n) } = options;
  checkCount(name, "blockSize", blockSize);
  const { basisSize = Math.max(2 * k + 4 * blockSize, 64) } = options;
  checkCount(name, "basisSize", basisSize);
  if (basisSize < Math.min(k + 2 * blockSize, n)) {
    const least = k + 2 * blockSize;
    throw new CurvatureError(
      "argument",
      `${name} expects basisSize to be at least k + 2 blocks = ${least}, got ${basisSize}`,
    );
  }
  const { matvecs = 50 * basisSize, copies = true } = options;
  checkCount(name, "matvecs", matvecs);
  const columns = Math.min(basisSize, n);
  return { name, A, k, which, seed, tolerance, basisSize: columns, blockSize: Math.min(blockSize, n), copies, matvecs };
}

/** The run, block by block; yields a state after each, from which it resumes. */
export async function* blockIteration(
  problem: BlockProblem,
  saved: BlockIterationState | undefined,
): AsyncGenerator<BlockIterationState, BlockPairs, void> {
  const { A, name, run, k, basisSize, blockSize } = problem;
  const n = A.shape[1];
  const room = { capacity: basisSize + blockSize, dtype: precision(A) };
  const arithmetic = arithmeticOf(A);
  const labels = { method: name, columns: n };
  if (saved) checkState(name, saved, labels);
  const started = saved ? resumedSpace(saved, room) : await startSpace(problem, room);
  if ("status" in started)
    return conclude(problem, { ...emptySpace(n), ...labels, matvecs: run.used }, { interruption: started });
  let state: BlockIterationState = { ...started, ...labels, matvecs: run.used };
  for (;;) {
    const open = openColumns(state);
    const spans = open === 0;
    const full = spans || state.multiplied + open > basisSize || run.left < k + open;
    if (full || (state.multiplied > 0 && Math.floor(state.multiplied / open) % 2 === 0)) {
      const ritz = state.multiplied > 0 ? await blockRitz(state, problem.which, problem.tolerance / 2) : undefined;
      const done = ritz !== undefined && isConverged(ritz, problem);
      if (spans || run.left < k + open || (done && (!problem.copies || isComplete(problem, state, ritz)))) {
        return conclude(problem, state, { ritz });
      }
      // A basis that can hold everything shows every copy when it does, unless solves with B leave more than rounding on the way there.
      const fresh = done && (basisSize < n || problem.inner !== undefined) && !ritz.locked.slice(0, k).every(Boolean);
      if (fresh || full) {
        const chosen = fresh ? convergedColumns(ritz, problem) : keptColumns(ritz!, problem, open);
        const locked = fresh ? chosen.length : (state.locked ?? 0);
        const kept = await shrunk(state, ritz!, { chosen, locked, alone: fresh, arithmetic, ...room });
        const next = fresh ? await withFreshBlock(problem, kept) : kept;
        if ("status" in next) return conclude(problem, state, { interruption: next });
        state = { ...next, ...labels, matvecs: run.used };
      }
    }
    const next = await step(problem, state);
    if ("status" in next) return conclude(problem, state, { interruption: next });
    state = next;
    run.report();
    yield state;
  }
}

function emptySpace(n: number): BlockSpace {
  const none: Matrix = { rows: 0, columns: 0, data: new Float64Array(0) };
  return { basis: { ...none, rows: n }, multiplied: 0, projected: none, coupling: none };
}

/** The locked pairs, where there are any, and of the others the foremost that half of the remaining basis can hold. */
function keptColumns({ locked, values }: BlockRitz, { k, basisSize }: BlockProblem, open: number): readonly number[] {
  const indices = Array.from(values, (_, i) => i);
  const fixed = indices.filter((i) => locked[i]);
  const free = basisSize - fixed.length;
  const most =
    fixed.length > 0
      ? Math.max(Math.min(Math.floor(free / 2), free - open), 0)
      : Math.min(k + Math.floor((basisSize - k) / 2), basisSize - open);
  return [...fixed, ...indices.filter((i) => !locked[i]).slice(0, most)];
}

/** Foremost pairs that have converged, as many as leave half of the basis, and two blocks, for the search beside them. */
function convergedColumns(ritz: BlockRitz, problem: BlockProblem): readonly number[] {
  const { k, basisSize, blockSize } = problem;
  const unconverged = ritz.residualNorms.findIndex((r) => r > target(ritz, problem));
  const most = Math.max(Math.min(k + Math.floor((basisSize - k) / 2), basisSize - 2 * blockSize), k);
  const count = Math.min(most, unconverged < 0 ? ritz.values.length : unconverged);
  return Array.from({ length: count }, (_, i) => i);
}

/** A block of random columns behind the others, to look for copies from in their complement. */
async function withFreshBlock(problem: BlockProblem, kept: BlockSpace): Promise<BlockSpace | Interruption> {
  let space = kept;
  const size = Math.min(problem.blockSize, kept.basis.rows - kept.multiplied);
  for (let j = 0; j < size; j++) {
    const pair = await freshPair(problem, space, `copies ${problem.run.used} ${j}`);
    if ("status" in pair) return pair;
    space = appended(space, pair);
  }
  const coupling = { rows: size, columns: kept.multiplied, data: new Float64Array(size * kept.multiplied) };
  return { ...space, coupling };
}

/** A random block, orthonormal in the inner product. */
async function startSpace(
  problem: BlockProblem,
  room: { readonly capacity: number; readonly dtype: "float32" | "float64" },
): Promise<BlockSpace | Interruption> {
  const rows = problem.A.shape[1];
  const none = { rows, columns: 0, data: zeros(0, room.dtype) };
  let space = newSpace({ basis: none, ...(problem.inner ? { dual: none } : {}) }, room);
  for (let j = 0; j < problem.blockSize; j++) {
    const pair = await freshPair(problem, space, `start ${j}`);
    if ("status" in pair) return pair;
    space = appended(space, pair);
  }
  return space;
}

/** Random unit vector orthogonal to the basis, in the inner product. */
async function freshPair(
  { A, seed, inner }: BlockProblem,
  space: BlockSpace,
  path: string,
): Promise<DualPair | Interruption> {
  const arithmetic = arithmeticOf(A);
  const plain = inner ? { ...space.basis, columns: 0, data: space.basis.data.subarray(0, 0) } : space.basis;
  const vector = await randomDirection(plain, { seed, path, dtype: precision(A), arithmetic });
  if (!inner) return { vector };
  const dual = await inner.multiply(vector, () => undefined);
  if (isInterruption(dual)) return dual;
  const found = await orthogonalizedPair({ vector, dual }, space, arithmetic);
  return scaledPair(1 / found.norm, found);
}

async function step(problem: BlockProblem, state: BlockIterationState): Promise<BlockIterationState | Interruption> {
  const { A, run, inner } = problem;
  const open = openColumns(state);
  const { rows, data } = state.basis;
  const X = { rows, columns: open, data: data.subarray(rows * state.multiplied, rows * (state.multiplied + open)) };
  const made = await run.block(X, () => state);
  if (made.interruption) return made.interruption;
  const pairs: DualPair[] = [];
  for (const w of made.columns) {
    const vector = inner ? await inner.solve(w, () => state) : w;
    if (isInterruption(vector)) return vector;
    pairs.push(inner ? { vector, dual: w } : { vector });
  }
  let interruption: Interruption | undefined;
  const fresh = async (space: BlockSpace, j: number): Promise<DualPair> => {
    const pair = await freshPair(problem, space, `${run.used} ${j}`);
    if (!("status" in pair)) return pair;
    interruption = pair;
    return { vector: zeros(rows, precision(A)), dual: zeros(rows, precision(A)) };
  };
  // What a solver leaves is no direction of A: a remainder below the tolerance counts as exhausted.
  const rounding = Math.max(16 * epsilon(precision(A)), inner ? problem.tolerance / 10 : 0);
  const exact = async (pair: DualPair, space: BlockSpace): Promise<DualPair> => {
    if (!inner) return pair;
    const dual = await inner.multiply(pair.vector, () => state);
    if (isInterruption(dual)) interruption = dual;
    if (isInterruption(dual)) return pair;
    const again = await orthogonalizedPair({ vector: pair.vector, dual }, space, arithmeticOf(A));
    return scaledPair(1 / again.norm, again);
  };
  const tools = { arithmetic: arithmeticOf(A), rounding, fresh, exact };
  const next = await grown(state, pairs, tools);
  return interruption ?? { ...next, method: state.method, columns: state.columns, matvecs: run.used };
}

function isConverged(ritz: BlockRitz, problem: BlockProblem): boolean {
  const { k } = problem;
  return ritz.values.length >= k && ritz.residualNorms.slice(0, k).every((r) => r <= target(ritz, problem));
}

/** Bound on residual norms inside the run: half of what is promised, since true residuals add rounding to the recurrence's. */
function target({ scale }: BlockRitz, { tolerance }: BlockProblem): number {
  return (tolerance * scale) / 2;
}

/** Whether no copy of a repeated eigenvalue is missing. */
function isComplete(problem: BlockProblem, state: BlockSpace, ritz: BlockRitz): boolean {
  return openColumns(state) === 0 || excludesCopies(ritz, { ...problem, target: target(ritz, problem) });
}

/** The result from the Ritz pairs of the state, with true residuals unless the operator can no longer be asked. */
async function conclude(
  problem: BlockProblem,
  state: BlockIterationState,
  { ritz, interruption }: { readonly ritz?: BlockRitz | undefined; readonly interruption?: Interruption },
): Promise<BlockPairs> {
  const { k, which, run, A } = problem;
  const pairs = ritz ?? (state.multiplied > 0 ? await blockRitz(state, which, problem.tolerance / 2) : undefined);
  const count = Math.min(k, pairs?.values.length ?? 0);
  if (!pairs || count === 0) {
    const vectors = { rows: state.columns, columns: 0, data: zeros(0, precision(A)) };
    const ended = interruption ?? { status: "budget" as const, happened: "no block could be multiplied" };
    return {
      values: new Float64Array(0),
      vectors,
      residualNorms: new Float64Array(0),
      ...outcome(ended.status, { ...ended, matvecs: run.used }),
    };
  }
  const order = preference(pairs.values.slice(0, count), which === "both" ? "largest" : which);
  const values = Float64Array.from(order, (i) => pairs.values[i]!);
  const S = {
    rows: state.multiplied,
    columns: count,
    data: Float64Array.from(order.flatMap((i) => Array.from(column(pairs.coordinates, i)))),
  };
  const arithmetic = arithmeticOf(A);
  const vectors = await arithmetic.combine(leadingColumns(state.basis, state.multiplied), S);
  const residualNorms = Float64Array.from(order, (i) => pairs.residualNorms[i]!);
  const stopped = interruption ?? (await trueResiduals(problem, state, { values, vectors, residualNorms, S }));
  if (stopped)
    return {
      values,
      vectors,
      residualNorms,
      ...outcome(stopped.status, { happened: stopped.happened, matvecs: run.used }),
    };
  return { values, vectors, residualNorms, ...judged(problem, { state, pairs, residualNorms }) };
}

/** Writes `||A v - value B v||`, in the norm of the inverse of B, over the estimates. */
async function trueResiduals(
  { A, run, inner }: BlockProblem,
  state: BlockIterationState,
  found: {
    readonly values: Float64Array;
    readonly vectors: Matrix;
    readonly residualNorms: Float64Array;
    readonly S: Matrix;
  },
): Promise<Interruption | undefined> {
  const made = await run.block(found.vectors, () => state);
  const arithmetic = arithmeticOf(A);
  const duals =
    inner && state.dual
      ? await arithmetic.combine(leadingColumns(state.dual, state.multiplied), found.S)
      : found.vectors;
  for (const [i, w] of made.columns.entries()) {
    axpy(-found.values[i]!, column(duals, i), w);
    const u = inner ? await inner.solve(w, () => state) : w;
    if (isInterruption(u)) return u;
    found.residualNorms[i] = inner ? Math.sqrt(Math.max(dot(u, w), 0)) : norm(w);
  }
  return made.interruption;
}

function judged(
  problem: BlockProblem,
  { state, pairs, residualNorms }: { state: BlockSpace; pairs: BlockRitz; residualNorms: Float64Array },
): Outcome {
  const { k, tolerance, run } = problem;
  const matvecs = run.used;
  const good = residualNorms.filter((r) => r <= tolerance * pairs.scale).length;
  const happened = `${good} of ${k} eigenpairs have residuals below ${tolerance} of the largest |eigenvalue|`;
  if (good === k) {
    const complete = isComplete(problem, state, pairs);
    return convergedOutcome(happened, { matvecs, complete, copies: problem.copies, of: "eigenvalues" });
  }
  if (isConverged(pairs, problem)) {
    const rounded = `${happened}, though the recurrence says all have: products are rounded`;
    return outcome("stagnated", {
      happened: rounded,
      matvecs,
      advice: `loosen tolerance, or use a float64 operator; ${SYMMETRY_ADVICE}`,
    });
  }
  return outcome("budget", { happened, matvecs, advice: "raise matvecs or basisSize, or loosen tolerance" });
}
