import { stream } from "../../random/index.ts";
import { column, type Matrix, type Precision, type Vector, zeros } from "../../tensors/index.ts";
import { adjoint } from "../operator/adjoint.ts";
import { checkArgument, checkCount, checkNonnegative, checkSeed, checkState, precision } from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { type Interruption, products, usualBlockSize } from "../runs/products.ts";
import { checkConfidence } from "../statistics/confidence.ts";
import { columnRange } from "../traces/deflation.ts";
import type { HutchinsonState } from "../traces/probeSums.ts";
import { growingBasis, withColumn } from "../vectors/basis.ts";
import { checkDistribution, type ProbeDistribution, probe } from "../vectors/probes.ts";
import { arithmeticOf, dot } from "../vectors/vector.ts";
import { columnScale, emptyRange, type RangeBasis, resumedRange, withRange } from "./rangeBasis.ts";

/** Options of the estimators that work with a sketch `A Omega` of the matrix. */
export interface SketchOptions extends RunOptions {
  /** Most products. From n on the result is exact and n products are made. */
  readonly matvecs: number;
  readonly seed: number;
  /** Probability that an interval holds the truth; 0.95 by default. */
  readonly confidence?: number | undefined;
  /**
   * Stops once half the interval (of a diagonal: those of all entries together, in norm) is at most this times the size of the estimate. The
   * run looks with 8, 12, 18, ... test vectors, and its intervals hold for all looks together with probability `confidence`. Without effect
   * where the budget reaches n.
   */
  readonly tolerance?: number | undefined;
  /** Products that go through `matmat` at once, where the operator has it; by default 8, fewer for vectors of more than 262,144 entries. */
  readonly blockSize?: number | undefined;
  /** Where an earlier run with the same options stopped. */
  readonly state?: SketchState | HutchinsonState | undefined;
}

/** Fields that all states of sketches have. */
export interface SketchOrigin {
  readonly method: string;
  readonly columns: number;
  readonly seed: number;
  readonly matvecs: number;
  readonly distribution: ProbeDistribution;
}

/** Sketch `A Omega = Q R` and products with Q so far: plain data, from which the run can go on. */
export interface SketchState extends SketchOrigin {
  /** Number of test vectors that were multiplied. */
  readonly sketched: number;
  readonly range: RangeBasis;
  /** `omega' A omega` of each test vector. */
  readonly samples: readonly number[];
  /** `A Q`, or `A' Q`, column by column so far. */
  readonly images: Matrix;
}

/** A sketch as far as it came. */
export interface Sketch {
  readonly state: SketchState;
  readonly matvecs: number;
  readonly interruption?: Interruption | undefined;
}

/** Options of a sketch within a method. */
export interface SketchSetup extends SketchOptions {
  readonly name: string;
  /** Number of test vectors. */
  readonly vectors: number;
  readonly distribution: ProbeDistribution;
  /** Which products follow the sketch: with A, with its transpose, or none. */
  readonly images: "A" | "transpose" | "none";
}

/** Checks of the options that all methods with sketches share. */
export function checkSketch(
  name: string,
  { matvecs, seed, confidence = 0.95, tolerance = 0, blockSize = 1 }: Omit<SketchOptions, "state">,
): void {
  checkCount(name, "matvecs", matvecs);
  checkCount(name, "blockSize", blockSize);
  checkSeed(name, seed);
  checkConfidence(name, confidence);
  checkNonnegative(name, "tolerance", tolerance);
}

/** Refuses budgets with which not one test vector can be used. */
export function checkBudget(
  name: string,
  { matvecs, least }: { readonly matvecs: number; readonly least: number },
): void {
  const message = `${name} expects matvecs to be at least ${least}, got ${matvecs}; hutchinsonTrace takes any number`;
  checkArgument(matvecs >= least, message);
}

/** Test vector i; each has a stream of its own. */
export function testVector(state: Pick<SketchState, "columns" | "seed" | "distribution">, i: number, dtype: Precision) {
  const { columns: n, seed, distribution } = state;
  return probe(n, { distribution, stream: stream(seed, "test vector", i), dtype });
}

/** Test vectors `start, ..., start + count - 1`, as columns. */
export function testVectors(
  state: Pick<SketchState, "columns" | "seed" | "distribution">,
  {
    start = 0,
    count,
    dtype,
  }: { readonly start?: number | undefined; readonly count: number; readonly dtype: Precision },
): Matrix {
  const { columns: n } = state;
  const data = zeros(n * count, dtype);
  for (let k = 0; k < count; k++) data.set(testVector(state, start + k, dtype), k * n);
  return { rows: n, columns: count, data };
}

/** The saved state, or that before the first product, after the checks of both. */
export function startOf<State extends SketchOrigin>(
  A: LinearOperator,
  { name, seed, distribution, state: saved }: Pick<SketchSetup, "name" | "seed" | "distribution"> & { state?: unknown },
  nothing: Omit<State, keyof SketchOrigin>,
): State {
  checkDistribution(name, distribution);
  const origin = { method: name, columns: A.shape[1], seed };
  const state = (saved ?? { ...origin, matvecs: 0, distribution, ...nothing }) as State;
  checkState(name, state, origin);
  const isSame = state.distribution === distribution;
  checkArgument(isSame, `${name} expects the distribution that its state was made with; pass the same`);
  return state;
}

/** Products with the vectors that are left, block by block; yields a state after each. */
export async function* blockSteps<State extends { readonly matvecs: number }>(
  A: LinearOperator,
  start: State,
  at: {
    readonly setup: RunOptions & Pick<SketchSetup, "name" | "matvecs" | "blockSize">;
    readonly left: (state: State) => number;
    /** The next vectors to multiply. */
    readonly block: (state: State, count: number) => Matrix;
    readonly extended: (state: State, products: readonly Vector[], X: Matrix) => State | Promise<State>;
  },
): AsyncGenerator<State, { readonly state: State } & Pick<Sketch, "matvecs" | "interruption">, void> {
  const { setup, left } = at;
  const { blockSize = usualBlockSize(A.shape[1]) } = setup;
  const run = products(A, { ...setup, used: start.matvecs });
  let state = start;
  while (left(state) > 0) {
    const current = state;
    const X = at.block(current, Math.min(blockSize, left(current)));
    const { columns, interruption } = await run.block(X, () => current);
    state = await at.extended(current, columns, X);
    if (interruption) return { state, matvecs: run.used, interruption };
    run.report();
    yield state;
  }
  return { state, matvecs: state.matvecs };
}

/** The run: products with the test vectors, then with the basis of what they gave. Yields a state after each block of either. */
export async function* sketchSteps(A: LinearOperator, setup: SketchSetup): AsyncGenerator<SketchState, Sketch, void> {
  const { vectors, images } = setup;
  const [[rows, columns], dtype] = [A.shape, precision(A)];
  const state = startOf<SketchState>(A, setup, {
    sketched: 0,
    range: emptyRange(rows, { capacity: vectors, dtype }),
    samples: [],
    images: { rows: images === "transpose" ? columns : rows, columns: 0, data: zeros(0, dtype) },
  });
  const range = resumedRange(state.range, { capacity: vectors, dtype });
  const sketch = yield* blockSteps<SketchState>(
    A,
    { ...state, range },
    {
      setup,
      left: ({ sketched }) => vectors - sketched,
      block: (current, count) => testVectors(current, { start: current.sketched, count, dtype }),
      extended: (current, made, Omega) => withSketched(A, current, { Omega, products: made }),
    },
  );
  if (sketch.interruption || images === "none") return sketch;
  return yield* imageSteps(images === "A" ? A : adjoint(A), sketch.state, setup);
}

function imageSteps(A: LinearOperator, sketched: SketchState, setup: SketchSetup) {
  const { basis } = sketched.range;
  const images = growingBasis(sketched.images, { capacity: basis.columns, dtype: precision(A) });
  return blockSteps<SketchState>(
    A,
    { ...sketched, images },
    {
      setup,
      left: (state) => basis.columns - state.images.columns,
      block: (state, count) => columnRange(basis, { start: state.images.columns, count }),
      extended: (state, made) => ({
        ...state,
        images: made.reduce(withColumn, state.images),
        matvecs: state.matvecs + made.length,
      }),
    },
  );
}

async function withSketched(
  A: LinearOperator,
  state: SketchState,
  { Omega, products: made }: { readonly Omega: Matrix; readonly products: readonly Vector[] },
): Promise<SketchState> {
  const arithmetic = arithmeticOf(A);
  const samples = [...state.samples];
  let { range } = state;
  for (const [k, y] of made.entries()) {
    const omega = column(Omega, k);
    if (omega.length === y.length) samples.push(dot(omega, y));
    range = await withRange(range, y, { arithmetic, dtype: precision(A), scale: columnScale(range, y) });
  }
  const done = made.length;
  return { ...state, matvecs: state.matvecs + done, sketched: state.sketched + done, range, samples };
}

/**
 * The largest number of test vectors whose basis has been multiplied: the first columns of Q and R are the decomposition of the first
 * columns of the sketch, so an interrupted run is a complete run with fewer of them.
 */
export function completeVectors({ range, images, sketched }: SketchState): number {
  let count = 0;
  while (count < sketched && range.coefficients[count].length <= images.columns) count++;
  return count;
}
