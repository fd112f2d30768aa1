import { CurvatureError } from "../../errors/index.ts";
import { column, type Matrix, zeros } from "../../tensors/index.ts";
import { checkDeclaredSymmetric, checkState, precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { type Interruption, products, usualBlockSize } from "../runs/products.ts";
import type { HutchinsonState } from "../traces/probeSums.ts";
import { growingBasis, withColumn } from "../vectors/basis.ts";
import { checkDistribution, type ProbeDistribution } from "../vectors/probes.ts";
import { dot } from "../vectors/vector.ts";
import { checkSketch, type SketchOptions, testVectors } from "./sketch.ts";

/** Options of the estimators that need one product a test vector. */
export interface PsdSketchOptions extends Omit<SketchOptions, "state"> {
  /** Where an earlier run with the same options stopped. */
  readonly state?: PsdSketchState | HutchinsonState;
}

/** Products `A Omega` so far: plain data, from which the run can go on. */
export interface PsdSketchState {
  readonly method: string;
  readonly columns: number;
  readonly seed: number;
  readonly matvecs: number;
  readonly distribution: ProbeDistribution;
  /** `[n, matvecs]` */
  readonly products: Matrix;
}

/** A sketch of a symmetric matrix as far as it came. */
export interface PsdSketch {
  readonly state: PsdSketchState;
  readonly Omega: Matrix;
  readonly Y: Matrix;
  readonly matvecs: number;
  readonly interruption?: Interruption;
}

type PsdSketchSetup = PsdSketchOptions & {
  readonly name: string;
  readonly vectors: number;
  readonly distribution: ProbeDistribution;
};

/** The saved state, or that before the first product, after the checks at the door. */
function initialState(A: LinearOperator, setup: PsdSketchSetup): PsdSketchState {
  const { name, seed, distribution } = setup;
  checkDeclaredSymmetric(name, A);
  checkSketch(name, setup);
  checkDistribution(name, distribution);
  const columns = A.shape[1];
  const nothing = { rows: columns, columns: 0, data: zeros(0, precision(A)) };
  const origin = { method: name, columns, seed, matvecs: 0, distribution, products: nothing };
  const state = (setup.state as PsdSketchState | undefined) ?? origin;
  checkState(name, state, { method: name, columns, seed });
  if (state.distribution === distribution) return state;
  throw new CurvatureError("argument", `${name} expects the distribution that its state was made with; pass the same`);
}

/** A saved state, and how many test vectors it has multiplied. */
export function startOf(state: PsdSketchState | HutchinsonState | undefined) {
  const saved = state as PsdSketchState | undefined;
  return { state: saved, done: saved?.matvecs ?? 0 };
}

/** The products with all test vectors; yields a state after each block. */
export async function* psdSketchSteps(
  A: LinearOperator,
  setup: PsdSketchSetup,
): AsyncGenerator<PsdSketchState, PsdSketch, void> {
  const { vectors, blockSize = usualBlockSize(A.shape[1]) } = setup;
  const dtype = precision(A);
  let state = initialState(A, setup);
  state = { ...state, products: growingBasis(state.products, { capacity: vectors, dtype }) };
  const run = products(A, { ...setup, used: state.matvecs });
  let interruption: Interruption | undefined;
  while (state.matvecs < vectors && !interruption) {
    const current = state;
    const count = Math.min(blockSize, vectors - current.matvecs);
    const Omega = testVectors(current, { start: current.matvecs, count, dtype });
    const made = await run.block(Omega, () => current);
    const matvecs = current.matvecs + made.columns.length;
    state = { ...current, matvecs, products: made.columns.reduce(withColumn, current.products) };
    interruption = made.interruption;
    if (interruption) continue;
    run.report();
    yield state;
  }
  const { products: Y } = state;
  return {
    state,
    Omega: testVectors(state, { count: Y.columns, dtype }),
    Y,
    matvecs: state.matvecs,
    ...(interruption ? { interruption } : {}),
  };
}

/** Hutchinson's samples `omega' A omega` of such a sketch. */
export function sketchedSamples({ Omega, Y }: PsdSketch): readonly number[] {
  return Array.from({ length: Y.columns }, (_, i) => dot(column(Omega, i), column(Y, i)));
}

/** What the message says where a Nyström approximation does not exist. */
export const INDEFINITE = {
  happened: "the matrix is not positive semidefinite, so this is the average of the probes alone",
  advice: "use xtrace or xdiag, which take any matrix",
};
