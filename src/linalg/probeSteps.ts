import { CurvatureError } from "../errors/index.ts";
import type { Matrix } from "../tensors/index.ts";
import { checkCount, checkNonnegative, checkOperator, checkSeed, checkState, precision } from "./checks.ts";
import { type Certainty, certainty, checkConfidence, fewProbesRemark } from "./confidence.ts";
import { checkDeflation, columnRange } from "./deflation.ts";
import { sequentialOutcome, sequentialRule } from "./looks.ts";
import type { LinearOperator, RunOptions } from "./operator.ts";
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
  withSamples,
} from "./probeSums.ts";
import { checkDistribution, type ProbeDistribution } from "./probes.ts";
import { type Interruption, products, usualBlockSize } from "./products.ts";
import { type Estimate, type Outcome, outcome } from "./result.ts";
import { meanOf, type SampleSums } from "./sampleMean.ts";
import { hostArithmetic } from "./vector.ts";

/** Options of everything that averages over probes. */
export interface HutchinsonOptions extends RunOptions {
  /**
   * Most products, one a probe and one a column of `deflation`. Without `tolerance` all of them are made. From n on (columns of A) the result
   * is exact and n products are made.
   */
  readonly matvecs: number;
  readonly seed: number;
  /**
   * Stops once half the interval is at most this times the size of the estimate. The run looks after 32, 48, 72, ... probes, and its
   * intervals hold for all looks together with probability `confidence`: they are wider than that of a run whose number of probes is fixed.
   * Without effect where the budget reaches n.
   */
  readonly tolerance?: number;
  /** Probability that an interval holds the truth; 0.95 by default. */
  readonly confidence?: number;
  /** Distribution of the probes: "signs" (default), "gaussian" or "sphere". */
  readonly distribution?: ProbeDistribution;
  /**
   * Orthonormal basis `[n, k]` that is taken out and treated exactly, at one product a column: eigenvectors of the largest |eigenvalues| leave
   * the least variance. Any basis is right. Without effect where the budget reaches n.
   */
  readonly deflation?: Matrix;
  /** Probes that go through `matmat` at once, where the operator has it; by default 8, fewer for vectors of more than 262,144 entries. */
  readonly blockSize?: number;
  /** Where an earlier run with the same options stopped. */
  readonly state?: HutchinsonState;
}

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
  readonly spent?: number;
  /** State of the method that this run is a part of. */
  readonly enclosing?: (state: HutchinsonState) => unknown;
}

/** How a run ended, and what its sums mean. */
export interface ProbeRun {
  readonly state: HutchinsonState;
  readonly certainty: Certainty;
  readonly exact: boolean;
  /** The order of the unit vectors, where these are the probes. */
  readonly order?: readonly number[];
  readonly outcome: Outcome;
}

interface Context {
  readonly setup: ProbeSetup;
  readonly sampling: Sampling;
  readonly order: readonly number[] | undefined;
  /** Probes that the budget allows. */
  readonly most: number;
  readonly rule: ReturnType<typeof sequentialRule> | undefined;
}

/** The run behind every quantity of this kind: deflation basis first, then probes, each product a sample. */
export async function* probeSteps(
  A: LinearOperator,
  setup: ProbeSetup,
): AsyncGenerator<HutchinsonState, ProbeRun, void> {
  checkSetup(A, setup);
  const {
    spent = 0,
    blockSize = usualBlockSize(A.shape[1]),
    enclosing = (current: HutchinsonState) => current,
  } = setup;
  let state = setup.state ?? initialState(A, setup);
  checkSaved(A, state, setup);
  const context = contextOf(A, state, setup);
  const { deflation } = context.sampling;
  const deflated = deflation?.columns ?? 0;
  const run = products(A, { ...setup, matvecs: spent + deflated + context.most, used: spent + state.matvecs });
  while (state.deflated.columns < deflated) {
    const start = state.deflated.columns;
    const block = columnRange(deflation!, { start, count: Math.min(blockSize, deflated - start) });
    const current = state;
    const made = await run.block(block, () => enclosing(current));
    state = await withDeflated(state, { products: made.columns, sampling: context.sampling });
    if (made.interruption) return finish(state, context, made.interruption);
    run.report();
    yield state;
  }
  let V: Matrix | undefined;
  while (state.probes < context.most && !isKnown(state, context)) {
    const untilLook = context.rule?.untilLook(state.probes) ?? Number.POSITIVE_INFINITY;
    const count = Math.min(blockSize, context.most - state.probes, untilLook);
    V = probeBlock(state, { count, dtype: precision(A), order: context.order, before: V });
    const W = await projectedProbes(V, context.sampling);
    const current = state;
    const made = await run.block(W, () => enclosing(current));
    state = await withSamples(state, { V, W, products: made.columns, sampling: context.sampling });
    if (made.interruption) return finish(state, context, made.interruption);
    run.report(context.rule && relativeError(state, setup.watch));
    yield state;
  }
  return finish(state, context);
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
  const { seed, distribution = "signs", matvecs, spent = 0, entries, blocks } = setup;
  const columns = A.shape[1];
  const rows = { none: 0, diagonal: columns, rowNorms: A.shape[0] }[entries];
  const unitVectors = matvecs - spent >= columns;
  return initialSums({ columns, seed, distribution, unitVectors }, { blocks: blocks.length, entries: rows });
}

function checkSaved(A: LinearOperator, state: HutchinsonState, setup: ProbeSetup): void {
  const { name, seed, distribution = "signs" } = setup;
  checkState(name, state, { method: "hutchinson", columns: A.shape[1], seed });
  if (state.distribution === distribution && state.blocks.length === setup.blocks.length) return;
  throw new CurvatureError(
    "argument",
    `${name} expects the distribution and blocks that its state was made with; pass the same`,
  );
}

function contextOf(A: LinearOperator, state: HutchinsonState, setup: ProbeSetup): Context {
  const { matvecs, spent = 0, tolerance, confidence = 0.95, blocks, entries } = setup;
  const n = A.shape[1];
  const { unitVectors } = state;
  const deflation = unitVectors ? undefined : setup.deflation;
  const most = unitVectors ? Math.min(n, matvecs - spent) : matvecs - spent - (deflation?.columns ?? 0);
  const twoSided = A.symmetric && entries !== "rowNorms";
  return {
    setup,
    sampling: { kind: entries, blocks, deflation, twoSided, arithmetic: A.arithmetic ?? hostArithmetic },
    order: unitVectors ? shuffled(n, setup.seed) : undefined,
    most,
    rule: tolerance === undefined || unitVectors ? undefined : sequentialRule({ confidence, most }),
  };
}

/** How the samples of this run weigh: unit vectors stand for probes of length sqrt(n). */
export function weighting({ unitVectors, columns, probes }: HutchinsonState) {
  return unitVectors ? { count: probes, weight: columns, population: columns } : { count: probes };
}

/** Mean of samples and the exact part beside them. */
export function estimateOf(sums: SampleSums, known: number, state: HutchinsonState): Estimate {
  const { value, standardError } = meanOf(sums, weighting(state));
  return { value: value + known, standardError };
}

/** Standard error over the size of the estimate that is watched; Infinity where nothing is known yet. */
function relativeError(state: HutchinsonState, watch: Watched): number {
  if (state.probes < 2) return Number.POSITIVE_INFINITY;
  if (watch !== "entries") {
    const { value, standardError } = estimateOf(state[watch], state.deflated[watch], state);
    return standardError === 0 ? 0 : standardError / Math.abs(value);
  }
  const { sum, squares } = state.entries;
  let [size, error] = [0, 0];
  for (let i = 0; i < sum.length; i++) {
    const sums = { sum: sum[i]!, squares: squares[i]! };
    const { value, standardError } = estimateOf(sums, state.deflated.entries[i]!, state);
    size += value * value;
    error += standardError * standardError;
  }
  return error === 0 ? 0 : Math.sqrt(error / size);
}

function isKnown(state: HutchinsonState, { setup, rule }: Context): boolean {
  if (!rule?.isLook(state.probes)) return false;
  return rule.certainty(state.probes).quantile * relativeError(state, setup.watch) <= setup.tolerance!;
}

function finish(state: HutchinsonState, context: Context, interruption?: Interruption): ProbeRun {
  const { setup, order, rule } = context;
  const { confidence = 0.95 } = setup;
  const exact = state.unitVectors && state.probes === state.columns;
  const how = rule?.certainty(state.probes) ?? certainty(confidence, { probes: state.probes, exact });
  const said = ending(state, context, { how, exact, ...(interruption ? { interruption } : {}) });
  return { state, certainty: how, exact, ...(order ? { order } : {}), outcome: said };
}

function ending(
  state: HutchinsonState,
  context: Context,
  { how, exact, interruption }: { how: Certainty; exact: boolean; interruption?: Interruption },
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
