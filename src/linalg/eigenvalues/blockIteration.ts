import { type Matrix, zeros } from "../../tensors/index.ts";
import { checkCount, checkState, epsilon } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { type Interruption, isInterruption } from "../runs/products.ts";
import { type Outcome, outcome } from "../runs/result.ts";
import { leadingColumns } from "../vectors/basis.ts";
import {
  appended,
  type BlockRitz,
  type BlockSpace,
  blockRitz,
  type DualPair,
  emptySpace,
  grown,
  openColumns,
  orthogonalizedPair,
  resumedSpace,
  scaledPair,
  shrunk,
} from "./blockKrylov.ts";
import { excludesCopies } from "./copies.ts";
import { eigenpairResiduals } from "./eigenpairResiduals.ts";
import type { EigshResult } from "./eigsh.ts";
import { columnsOf, resultOrder, WHICH, type Which } from "./ritzPairs.ts";
import {
  freshDirection,
  indices,
  isConverged,
  keptPairs,
  lockedCount,
  ROUNDED,
  type ThickRestartMethod,
  type ThickRestartOptions,
  type ThickRestartPlan,
  target,
  thickRestartOutcome,
  thickRestartPlan,
  thickRestartSteps,
} from "./thickRestart.ts";

// Thick-restart block Lanczos for `A x = value x` and `A x = value B x`: the part that blockEigsh and eigshGeneralized share.

/** Options of both. */
export interface BlockOptions extends ThickRestartOptions<BlockIterationState> {
  /** As in `eigsh`: "largest" (default), "smallest", "magnitude" or "both". */
  readonly which?: Which | undefined;
  /** Most products with A; default 50 times `basisSize`. The last k are kept for the true residuals. */
  readonly matvecs?: number | undefined;
}

/** The space after `matvecs` products: plain data, from which the run can go on. */
export interface BlockIterationState extends BlockSpace {
  readonly method: string;
  readonly columns: number;
  readonly matvecs: number;
}

/** The inner product `x' B y`: products and solves with B, which may be interrupted. */
export interface InnerProduct {
  multiply(x: DualPair["vector"], state: () => unknown): Promise<DualPair["vector"] | Interruption>;
  solve(x: DualPair["vector"], state: () => unknown): Promise<DualPair["vector"] | Interruption>;
}

/** The plan of a run with blocks. */
export interface BlockPlan extends ThickRestartPlan<Which> {
  readonly inner?: InnerProduct | undefined;
  readonly blockSize: number;
}

/** Checked options with their defaults. */
export function blockPlan(
  name: string,
  A: LinearOperator,
  options: BlockOptions & { readonly blockSize: number; readonly basisSize: number },
): BlockPlan {
  const { blockSize, basisSize } = options;
  checkCount(name, "blockSize", blockSize);
  const beside = [2 * blockSize, "k + 2 blocks"] as const;
  const plan = thickRestartPlan(A, options, { name, choices: WHICH, basisSize, beside });
  return { ...plan, blockSize: Math.min(blockSize, A.shape[1]) };
}

/** The run, block by block; yields a state after each, from which it resumes. */
export async function* blockIteration(
  plan: BlockPlan,
  saved: BlockIterationState | undefined,
): AsyncGenerator<BlockIterationState, EigshResult, void> {
  const { A, name, run } = plan;
  const rows = A.shape[1];
  const labels = { method: name, columns: rows };
  if (saved) checkState(name, saved, labels);
  const started = saved ? resumedSpace(saved, roomOf(plan)) : await startSpace(plan);
  if (isInterruption(started)) {
    const nothing = emptySpace({ rows, columns: 0, data: new Float64Array(0) });
    return conclude(plan, { ...nothing, ...labels, matvecs: run.used }, { interruption: started });
  }
  const start: BlockIterationState = { ...started, ...labels, matvecs: run.used };
  const { state, ...end } = yield* thickRestartSteps(methodOf(plan), start, plan);
  return conclude(plan, state, end);
}

function roomOf({ basisSize, blockSize, dtype }: BlockPlan) {
  return { capacity: basisSize + blockSize, dtype };
}

function methodOf(plan: BlockPlan): ThickRestartMethod<BlockIterationState, BlockRitz> {
  const { A, k, run, basisSize, arithmetic } = plan;
  const tools = { ...roomOf(plan), arithmetic };
  return {
    spans: (state) => openColumns(state) === 0,
    isShort: (state) => run.left < k + openColumns(state),
    hasRoom: (state) => state.multiplied + openColumns(state) <= basisSize,
    isDue: (state) => state.multiplied > 0 && Math.floor(state.multiplied / openColumns(state)) % 2 === 0,
    look: (state) => look(state, plan),
    isConverged: (ritz) => isConverged(ritz, plan),
    search(state, ritz) {
      if (isComplete(plan, state, ritz)) return "complete";
      // A basis that can hold everything shows every copy when it does, unless solves with B leave more than rounding on the way there.
      const holdsAll = basisSize === A.shape[1] && plan.inner === undefined;
      return holdsAll || ritz.locked.slice(0, k).every(Boolean) ? "on" : "start";
    },
    async locked(state, ritz) {
      const chosen = indices(lockedCount(ritz, plan, { spare: 2 * plan.blockSize }));
      const kept = await shrunk(state, ritz, { chosen, locked: chosen.length, alone: true, ...tools });
      const next = await withFreshBlock(plan, kept);
      return isInterruption(next) ? next : { ...state, ...next, matvecs: run.used };
    },
    async restarted(state, ritz) {
      const chosen = keptPairs(ritz.locked, plan, openColumns(state));
      const kept = await shrunk(state, ritz, { chosen, locked: state.locked ?? 0, ...tools });
      return { ...state, ...kept, matvecs: run.used };
    },
    step: (state) => step(plan, state),
  };
}

async function look(state: BlockIterationState, { which, tolerance }: BlockPlan): Promise<BlockRitz | undefined> {
  return state.multiplied > 0 ? blockRitz(state, which, tolerance / 2) : undefined;
}

/** Random pairs behind the columns of a space. */
async function withFreshPairs(
  plan: BlockPlan,
  start: BlockSpace,
  { count, path }: { readonly count: number; readonly path: string },
): Promise<BlockSpace | Interruption> {
  let space = start;
  for (let j = 0; j < count; j++) {
    const pair = await freshPair(plan, space, `${path} ${j}`);
    if (isInterruption(pair)) return pair;
    space = appended(space, pair);
  }
  return space;
}

/** A block of random columns behind the others, to look for copies from in their complement. */
async function withFreshBlock(plan: BlockPlan, kept: BlockSpace): Promise<BlockSpace | Interruption> {
  const count = Math.min(plan.blockSize, kept.basis.rows - kept.multiplied);
  const space = await withFreshPairs(plan, kept, { count, path: `copies ${plan.run.used}` });
  if (isInterruption(space)) return space;
  const coupling = { rows: count, columns: kept.multiplied, data: new Float64Array(count * kept.multiplied) };
  return { ...space, coupling };
}

/** A random block, orthonormal in the inner product. */
async function startSpace(plan: BlockPlan): Promise<BlockSpace | Interruption> {
  const none: Matrix = { rows: plan.A.shape[1], columns: 0, data: zeros(0, plan.dtype) };
  const space = resumedSpace(emptySpace(none, plan.inner && none), roomOf(plan));
  return withFreshPairs(plan, space, { count: plan.blockSize, path: "start" });
}

/** Random unit vector orthogonal to the basis, in the inner product. */
async function freshPair(plan: BlockPlan, space: BlockSpace, path: string): Promise<DualPair | Interruption> {
  const { inner, arithmetic } = plan;
  const vector = await freshDirection(inner ? leadingColumns(space.basis, 0) : space.basis, path, plan);
  if (!inner) return { vector };
  const dual = await inner.multiply(vector, () => undefined);
  if (isInterruption(dual)) return dual;
  const found = await orthogonalizedPair({ vector, dual }, space, arithmetic);
  return scaledPair(1 / found.norm, found);
}

async function step(plan: BlockPlan, state: BlockIterationState): Promise<BlockIterationState | Interruption> {
  const { run, inner, dtype, arithmetic } = plan;
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
    const pair = await freshPair(plan, space, `${run.used} ${j}`);
    if (!isInterruption(pair)) return pair;
    interruption = pair;
    return { vector: zeros(rows, dtype), dual: zeros(rows, dtype) };
  };
  // The error of a solver is not a direction of A: a remainder below the tolerance counts as exhausted.
  const rounding = Math.max(16 * epsilon(dtype), inner ? plan.tolerance / 10 : 0);
  const exact = async (pair: DualPair, space: BlockSpace): Promise<DualPair> => {
    if (!inner) return pair;
    const dual = await inner.multiply(pair.vector, () => state);
    if (isInterruption(dual)) interruption = dual;
    if (isInterruption(dual)) return pair;
    const again = await orthogonalizedPair({ vector: pair.vector, dual }, space, arithmetic);
    return scaledPair(1 / again.norm, again);
  };
  const tools = { arithmetic, rounding, fresh, exact };
  const next = await grown(state, pairs, tools);
  return interruption ?? { ...next, method: state.method, columns: state.columns, matvecs: run.used };
}

/** Whether no copy of a repeated eigenvalue is missing. */
function isComplete(plan: BlockPlan, state: BlockSpace, ritz: BlockRitz): boolean {
  return openColumns(state) === 0 || excludesCopies(ritz, { ...plan, target: target(ritz, plan) });
}

/** The result from the Ritz pairs of the state, with true residuals unless the operator can no longer be asked. */
async function conclude(
  plan: BlockPlan,
  state: BlockIterationState,
  {
    pairs: seen,
    interruption,
  }: { readonly pairs?: BlockRitz | undefined; readonly interruption?: Interruption | undefined },
): Promise<EigshResult> {
  const { A, run, arithmetic, inner, dtype } = plan;
  const pairs = seen ?? (await look(state, plan));
  const ending = (stopped: { status: Outcome["status"]; happened: string }) =>
    outcome(stopped.status, { happened: stopped.happened, matvecs: run.used });
  const order = pairs ? resultOrder(pairs.values, plan) : [];
  if (!pairs || order.length === 0) {
    const vectors = { rows: A.shape[1], columns: 0, data: zeros(0, dtype) };
    const nothing = { values: new Float64Array(0), vectors, residualNorms: new Float64Array(0) };
    return { ...nothing, ...ending(interruption ?? { status: "budget", happened: "no block could be multiplied" }) };
  }
  const S = columnsOf(pairs.coordinates, order);
  const onBasis = (Q: Matrix) => arithmetic.combine(leadingColumns(Q, state.multiplied), S);
  const values = Float64Array.from(order, (i) => pairs.values[i]!);
  const residualNorms = Float64Array.from(order, (i) => pairs.residualNorms[i]!);
  const found = { values, vectors: await onBasis(state.basis), residualNorms };
  const duals = async () => (inner && state.dual ? onBasis(state.dual) : undefined);
  const stopped =
    interruption ??
    (await eigenpairResiduals(run, found, { state: () => state, duals: await duals(), solve: inner?.solve }));
  if (stopped) return { ...found, ...ending(stopped) };
  const complete = () => isComplete(plan, state, pairs);
  return { ...found, ...(await thickRestartOutcome(plan, { look: pairs, residualNorms, complete, advice: ROUNDED })) };
}
