import { CurvatureError } from "../../errors/index.ts";
import type { Matrix } from "../../tensors/index.ts";
import { checkCount, checkNonnegative, checkOperator, checkSeed, checkState, precision } from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { type Interruption, type Products, products, usualBlockSize } from "../runs/products.ts";
import { type Estimate, type Outcome, outcome } from "../runs/result.ts";
import { type Certainty, certainty, checkConfidence, fewProbesRemark } from "../statistics/confidence.ts";
import { meanOf, type SampleSums } from "../statistics/sampleMean.ts";
import { sequentialOutcome, sequentialRule } from "../statistics/sequentialStopping.ts";
import { checkDistribution, type ProbeDistribution } from "../vectors/probes.ts";
import { arithmeticOf } from "../vectors/vector.ts";
import { checkDeflation, columnRange } from "./deflation.ts";
import {
  type DiagonalBlock,
  type Entries,
  type HutchinsonState,
  initialSums,
  probeBlock,
  projectedProbes,
  type Sampling,
  shuffled,
  withDeflated,
  withDeflatedForms,
  withoutNorms,
  withSampledForms,
  withSamples,
} from "./probeSums.ts";

/** Options of everything that averages over probes. */
export interface HutchinsonOptions extends RunOptions {
  /**
   * Most products, one a probe and one a column of `deflation`. Without `tolerance` all of them are made; from n on (columns of A) the result
   * is then exact and n products are made.
   */
  readonly matvecs: number;
  readonly seed: number;
  /**
   * Stops once half the interval is at most this times the size of the estimate. The run looks after 32, 48, 72, ... probes, and its
   * intervals hold for all looks together with probability `confidence`: they are wider than that of a run whose number of probes is fixed.
   * Where that would take more than n further products and the budget has room for these, all unit vectors are used and the result is exact; so it is
   * for n up to 64 where the budget reaches n.
   */
  readonly tolerance?: number | undefined;
  /** Probability that an interval holds the truth; 0.95 by default. */
  readonly confidence?: number | undefined;
  /** Distribution of the probes: "signs" (default), "gaussian" or "sphere". */
  readonly distribution?: ProbeDistribution | undefined;
  /**
   * Orthonormal basis `[n, k]` that is taken out and treated exactly, at one product a column: eigenvectors of the largest |eigenvalues| leave
   * the least variance. Any basis is right. Without effect where the budget reaches n.
   */
  readonly deflation?: Matrix | undefined;
  /** Probes that go through `matmat` at once, where the operator has it; by default 8, fewer for vectors of more than 262,144 entries. */
  readonly blockSize?: number | undefined;
  /** Where an earlier run with the same options stopped. */
  readonly state?: HutchinsonState | undefined;
}

/** Names of the options, for `checkOptions`. */
export const HUTCHINSON_OPTIONS =
  "matvecs seed tolerance confidence distribution deflation blockSize state signal onProgress";

/** Quantity by which a run decides that it knows enough. */
export type Watched = "trace" | "squaredFrobenius" | "entries";

/** A run behind one of the public functions. */
export interface ProbeSetup extends HutchinsonOptions {
  /** The function that was called. */
  readonly name: string;
  readonly watch: Watched;
  readonly blocks: readonly DiagonalBlock[];
  readonly entries: Entries;
  /** Products that were made before this run, by the method that it is a part of. */
  readonly spent?: number | undefined;
  /** State of the method that this run is a part of. */
  readonly enclosing?: (state: HutchinsonState) => unknown;
}

/** End of a run, with the meaning of its sums. */
export interface ProbeRun {
  readonly state: HutchinsonState;
  readonly certainty: Certainty;
  readonly exact: boolean;
  /** The order of the unit vectors, where these are the probes. */
  readonly order?: readonly number[] | undefined;
  readonly outcome: Outcome;
}

interface Context {
  readonly setup: ProbeSetup;
  readonly sampling: Sampling;
  /** Whether the run goes by the operator's quadratic forms instead of products. */
  readonly byForms: boolean;
  readonly order: readonly number[] | undefined;
  /** Probes that the budget allows. */
  readonly most: number;
  readonly rule: ReturnType<typeof sequentialRule> | undefined;
}

/**
 * The run behind every quantity of this kind: deflation basis first, then probes, each product a sample. Of a run for the trace alone each
 * is a quadratic form where the operator has these: `tr A = sum q' A q + E[w' A w]` for columns q of the basis Q and `w = (I - Q Q') v`,
 * whether A is symmetric or not.
 */
export async function* probeSteps(
  A: LinearOperator,
  setup: ProbeSetup,
): AsyncGenerator<HutchinsonState, ProbeRun, void> {
  checkSetup(A, setup);
  const { spent = 0, blockSize = usualBlockSize(A.shape[1]), enclosing = (current) => current } = setup;
  const saved = setup.state ?? initialState(A, setup);
  checkSaved(A, saved, setup);
  let context = contextOf(A, saved, setup);
  const deflated = context.sampling.deflation?.columns ?? 0;
  const run = products(A, { ...setup, used: spent + saved.matvecs });
  let block: BlockMaker = { run, context, enclosing };
  let state = context.byForms ? withoutNorms(saved) : saved;
  while (state.deflated.columns < deflated) {
    const made = await deflatedBlock(state, Math.min(blockSize, deflated - state.deflated.columns), block);
    state = made.state;
    if (made.interruption) return finish(state, context, made.interruption);
    run.report();
    yield state;
  }
  let V: Matrix | undefined;
  while (state.probes < context.most && !isKnown(state, context)) {
    if (isCheaperExactly(state, context)) {
      state = enumerated(A, state, setup);
      context = contextOf(A, state, setup);
      block = { run, context, enclosing };
      V = undefined;
    }
    const { rule, most } = context;
    const untilCheckpoint = rule?.untilCheckpoint(state.probes) ?? Number.POSITIVE_INFINITY;
    const count = Math.min(blockSize, most - state.probes, untilCheckpoint);
    V = probeBlock(state, { count, dtype: precision(A), order: context.order, before: V });
    const made = await sampledBlock(state, V, block);
    state = made.state;
    if (made.interruption) return finish(state, context, made.interruption);
    run.report(rule && relativeError(state, setup.watch));
    yield state;
  }
  return finish(state, context);
}

/** Tools that multiply the blocks of a run. */
interface BlockMaker {
  readonly run: Products;
  readonly context: Context;
  readonly enclosing: (state: HutchinsonState) => unknown;
}

/** The state after a block of products or forms, as many of them as there are before an interruption. */
interface BlockMade {
  readonly state: HutchinsonState;
  readonly interruption?: Interruption | undefined;
}

/** The next `count` columns of the deflation basis. */
async function deflatedBlock(
  state: HutchinsonState,
  count: number,
  { run, context: { sampling, byForms }, enclosing }: BlockMaker,
): Promise<BlockMade> {
  const Q = columnRange(sampling.deflation!, { start: state.deflated.columns, count });
  if (byForms) {
    const { values, ...rest } = await run.quadraticForms(Q, () => enclosing(state));
    return { state: withDeflatedForms(state, values), ...rest };
  }
  const { columns, ...rest } = await run.block(Q, () => enclosing(state));
  return { state: await withDeflated(state, { products: columns, sampling }), ...rest };
}

/** The probes V. */
async function sampledBlock(
  state: HutchinsonState,
  V: Matrix,
  { run, context: { sampling, byForms }, enclosing }: BlockMaker,
): Promise<BlockMade> {
  const W = await projectedProbes(V, sampling);
  if (byForms) {
    const { values, ...rest } = await run.quadraticForms(W, () => enclosing(state));
    return { state: withSampledForms(state, values), ...rest };
  }
  const { columns, ...rest } = await run.block(W, () => enclosing(state));
  return { state: await withSamples(state, { V, W, products: columns, sampling }), ...rest };
}

/** Whether the trace is all that is asked for. */
function isTraceAlone({ watch, entries, blocks }: Pick<ProbeSetup, "watch" | "entries" | "blocks">): boolean {
  return watch === "trace" && entries === "none" && blocks.length === 0;
}

function checkSetup(
  A: LinearOperator,
  { name, matvecs, seed, tolerance = 0, blockSize = 1, ...rest }: ProbeSetup,
): void {
  checkOperator(name, A);
  checkCount(name, "matvecs", matvecs);
  checkCount(name, "blockSize", blockSize);
  checkSeed(name, seed);
  checkNonnegative(name, "tolerance", tolerance);
  checkConfidence(name, rest.confidence ?? 0.95);
  checkDistribution(name, rest.distribution ?? "signs");
  const n = A.shape[1];
  if (rest.deflation) {
    checkDeflation(name, rest.deflation, A);
    const k = rest.deflation.columns;
    if (matvecs - (rest.spent ?? 0) <= k) {
      const message = `${name} expects matvecs to be more than the ${k} columns of deflation, got ${matvecs}; each costs a product`;
      throw new CurvatureError("argument", message);
    }
  }
  for (const { name: block, start, end } of rest.blocks) {
    if (Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start < end && end <= n) continue;
    const message = `${name} expects block "${block}" to be a range of indices with 0 <= start < end <= ${n}, got ${start} to ${end}`;
    throw new CurvatureError("argument", message);
  }
}

function initialState(A: LinearOperator, setup: ProbeSetup): HutchinsonState {
  const { seed, distribution = "signs", matvecs, spent = 0, blocks, tolerance } = setup;
  const columns = A.shape[1];
  const affordable = matvecs - spent >= columns;
  const unitVectors = affordable && (tolerance === undefined || columns <= FEW_COLUMNS);
  const sums = { blocks: blocks.length, entries: entryCount(A, setup) };
  return initialSums({ columns, seed, distribution, unitVectors }, sums);
}

/** Columns up to which all unit vectors are used at once: about as many products as there are before the first look. */
const FEW_COLUMNS = 64;

/** Whether the tolerance would take more products than all unit vectors, which the budget has room for. Known at a look. */
function isCheaperExactly(state: HutchinsonState, { setup, rule }: Context): boolean {
  const { matvecs, spent = 0, tolerance = 0, watch } = setup;
  if (state.unitVectors || !rule?.isCheckpoint(state.probes) || matvecs - spent - state.matvecs < state.columns)
    return false;
  const half = rule.certainty(state.probes).quantile * relativeError(state, watch);
  // The interval narrows with the root of the number of probes.
  return state.probes * (half / tolerance) ** 2 - state.probes > state.columns;
}

/** The state from which all unit vectors are used: what was made before counts among the products alone. */
function enumerated(
  A: LinearOperator,
  { matvecs, squaredFrobenius }: HutchinsonState,
  setup: ProbeSetup,
): HutchinsonState {
  const { seed, distribution = "signs", blocks } = setup;
  const sums = { blocks: blocks.length, entries: entryCount(A, setup) };
  const fresh = initialSums({ columns: A.shape[1], seed, distribution, unitVectors: true }, sums);
  return { ...(squaredFrobenius ? fresh : withoutNorms(fresh)), matvecs };
}

/** Number of entries that are summed one by one. */
function entryCount(A: LinearOperator, { entries }: ProbeSetup): number {
  return { none: 0, diagonal: A.shape[1], rowNorms: A.shape[0] }[entries];
}

function checkSaved(A: LinearOperator, state: HutchinsonState, setup: ProbeSetup): void {
  const { name, seed, distribution = "signs" } = setup;
  checkState(name, state, { method: "hutchinson", columns: A.shape[1], seed });
  if (state.distribution !== distribution || state.blocks.length !== setup.blocks.length) {
    const message = `${name} expects the distribution and blocks that its state was made with; pass the same`;
    throw new CurvatureError("argument", message);
  }
  const lacksNorms = !isTraceAlone(setup) && !state.squaredFrobenius;
  if (lacksNorms || state.entries.sum.length < entryCount(A, setup)) {
    const got = lacksNorms ? "a run by quadratic forms, which tell the trace alone" : "a run without sums for entries";
    const message = `${name} expects a state with sums of all that it estimates, got one of ${got}`;
    throw new CurvatureError("argument", `${message}; pass the state that the same call gave`);
  }
}

function contextOf(A: LinearOperator, state: HutchinsonState, setup: ProbeSetup): Context {
  const { matvecs, spent = 0, tolerance, confidence = 0.95, blocks, entries } = setup;
  const n = A.shape[1];
  const { unitVectors } = state;
  const deflation = unitVectors ? undefined : setup.deflation;
  const most = unitVectors ? n : matvecs - spent - (deflation?.columns ?? 0);
  const twoSided = A.symmetric && entries !== "rowNorms";
  return {
    setup,
    sampling: { kind: entries, blocks, deflation, twoSided, arithmetic: arithmeticOf(A) },
    byForms: A.quadraticForms !== undefined && A.shape[0] === n && isTraceAlone(setup),
    order: unitVectors ? shuffled(n, setup.seed) : undefined,
    most,
    rule: tolerance === undefined || unitVectors ? undefined : sequentialRule({ confidence, most }),
  };
}

/** Weights of the samples of this run: unit vectors stand for probes of length sqrt(n). */
export function weighting({ unitVectors, columns, probes }: HutchinsonState) {
  return unitVectors ? { count: probes, weight: columns, population: columns } : { count: probes };
}

/** Mean of samples and the exact part beside them. */
export function estimateOf(sums: SampleSums, known: number, state: HutchinsonState): Estimate {
  const { value, standardError } = meanOf(sums, weighting(state));
  return { value: value + known, standardError };
}

/** Squared Frobenius norm from a state that has sums for it, as those of every run that asks for more than the trace. */
export function squaredFrobeniusOf(state: HutchinsonState): Estimate {
  return estimateOf(state.squaredFrobenius!, state.deflated.squaredFrobenius!, state);
}

/** Standard error over the size of the estimate that is watched; Infinity where nothing is known yet. */
function relativeError(state: HutchinsonState, watch: Watched): number {
  if (state.probes < 2) return Number.POSITIVE_INFINITY;
  if (watch !== "entries") {
    const { value, standardError } =
      watch === "trace" ? estimateOf(state.trace, state.deflated.trace, state) : squaredFrobeniusOf(state);
    return standardError === 0 ? 0 : standardError / Math.abs(value);
  }
  const { sum, squares } = state.entries;
  let [size, error] = [0, 0];
  for (let i = 0; i < sum.length; i++) {
    const sums = { sum: sum[i], squares: squares[i] };
    const { value, standardError } = estimateOf(sums, state.deflated.entries[i], state);
    size += value * value;
    error += standardError * standardError;
  }
  return error === 0 ? 0 : Math.sqrt(error / size);
}

function isKnown(state: HutchinsonState, { setup, rule }: Context): boolean {
  if (!rule?.isCheckpoint(state.probes)) return false;
  return rule.certainty(state.probes).quantile * relativeError(state, setup.watch) <= setup.tolerance!;
}

function finish(state: HutchinsonState, context: Context, interruption?: Interruption): ProbeRun {
  const { setup, order, rule } = context;
  const { confidence = 0.95 } = setup;
  const exact = state.unitVectors && state.probes === state.columns;
  const how = rule?.certainty(state.probes) ?? certainty(confidence, { probes: state.probes, exact });
  const said = ending(state, context, { how, exact, interruption });
  return { state, certainty: how, exact, order, outcome: said };
}

function ending(
  state: HutchinsonState,
  context: Context,
  { how, exact, interruption }: { how: Certainty; exact: boolean; interruption: Interruption | undefined },
): Outcome {
  const { spent = 0, tolerance, watch } = context.setup;
  const matvecs = spent + state.matvecs;
  if (interruption) return outcome(interruption.status, { happened: interruption.happened, matvecs });
  if (exact) return outcome("converged", { happened: `exact: all ${state.columns} unit vectors were used`, matvecs });
  if (tolerance === undefined) {
    const happened = `averaged ${state.probes} probes${fewProbesRemark(how)}; no tolerance was asked for`;
    return outcome("converged", { happened, matvecs });
  }
  return sequentialOutcome({ half: how.quantile * relativeError(state, watch), tolerance, how, matvecs });
}
