import { CurvatureError } from "../../errors/index.ts";
import { type Matrix, type Precision, toPrecision, type Vector } from "../../tensors/index.ts";
import {
  checkCount,
  checkDeclaredSymmetric,
  checkSeed,
  checkState,
  checkVector,
  epsilon,
  precision,
} from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { type Interruption, isInterruption, type Products, products } from "../runs/products.ts";
import { type Outcome, outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import type { BasisRows } from "../vectors/arithmetic.ts";
import {
  growingBasis,
  type LanczosStep,
  lanczosStep,
  leadingColumns,
  normalized,
  randomDirection,
  wholeColumn,
  withColumn,
} from "../vectors/basis.ts";
import { arithmeticOf, hostArithmetic, maxAbs, norm } from "../vectors/vector.ts";

/** Options of the Lanczos and the Arnoldi process. */
export interface KrylovOptions<State> extends RunOptions {
  /** Number of steps, each one product. */
  readonly steps: number;
  /** Seed of the start vector and of vectors drawn after a breakdown; required unless `start` is given and `breakdown` is "stop". */
  readonly seed?: number | undefined;
  /** `[n]`, need not be normalized; a random direction by default. */
  readonly start?: Vector | undefined;
  /**
   * Behaviour when the Krylov space is exhausted: end there (default), or go on from a random vector orthogonal to it, with a zero on the
   * subdiagonal.
   */
  readonly breakdown?: "stop" | "continue" | undefined;
  /** Where an earlier run with the same options stopped. */
  readonly state?: State | undefined;
}

/** Options of the Lanczos process. */
export type LanczosOptions = KrylovOptions<LanczosState>;

/** The process after `matvecs` steps: plain data, from which it can go on. */
export interface LanczosState {
  readonly method: "lanczos";
  readonly columns: number;
  readonly matvecs: number;
  /**
   * `[n, matvecs + 1]`, orthonormal; `[n, matvecs]` once nothing is left to add. The next product starts from the last column. The rows of this
   * rank where `A.arithmetic` splits the basis.
   */
  readonly basis: Matrix;
  /** `[matvecs]`, diagonal of T. */
  readonly alpha: Float64Array;
  /** `[matvecs]`, subdiagonal of T; the last one couples T to the next basis vector, 0 where the space is exhausted. */
  readonly beta: Float64Array;
}

/** A partial tridiagonalization `A Q = Q T + beta_m q_(m+1) e_m'`. */
export interface LanczosResult extends Outcome {
  /** `[n, m]`, orthonormal columns; the rows of this rank, `BasisRows`, where `A.arithmetic` splits the basis. */
  readonly basis: Matrix | BasisRows;
  /** `[m]`, diagonal of T. */
  readonly alpha: Float64Array;
  /** `[m - 1]`, subdiagonal of T. */
  readonly beta: Float64Array;
  /** `beta_m`, the norm of what the basis does not hold of `A Q`. */
  readonly residualNorm: number;
}

/**
 * Lanczos tridiagonalization of a symmetric matrix (Lanczos, 1950) with full reorthogonalization: after m steps `Q' A Q = T`, tridiagonal,
 * with `Q` `[n, m]` orthonormal to rounding. One product a step; beside it 4 n m operations, 8 n m where the norm test asks for a second
 * pass. `A.arithmetic` does these where the operator has it, and may split the rows of Q over ranks. Status "breakdown" says that the Krylov space of the start vector is
 * exhausted, so that T holds eigenvalues of A exactly.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function lanczos(A: LinearOperator, options: LanczosOptions): Promise<LanczosResult> {
  return runToEnd(lanczosSteps(A, options));
}

/** The run of `lanczos` step by step; yields a state after each, from which `state` resumes it. */
export async function* lanczosSteps(
  A: LinearOperator,
  options: LanczosOptions,
): AsyncGenerator<LanczosState, LanczosResult, void> {
  checkOptions("lanczos", options, "steps seed start breakdown state signal onProgress");
  const name = "lanczos";
  checkDeclaredSymmetric(name, A);
  checkCount(name, "steps", options.steps);
  if (options.start === undefined || options.breakdown === "continue") checkSeed(name, options.seed);
  const run = products(A, { ...options, name, matvecs: options.steps, used: options.state?.matvecs ?? 0 });
  const { state, interruption } = yield* tridiagonalization(A, run, { ...options, name });
  const m = state.matvecs;
  return {
    basis: leadingColumns(state.basis, m),
    alpha: state.alpha,
    beta: state.beta.slice(0, Math.max(m - 1, 0)),
    residualNorm: state.beta[m - 1] ?? 0,
    ...ending(state, options.steps, interruption),
  };
}

function ending({ matvecs, basis, columns }: LanczosState, asked: number, interruption?: Interruption): Outcome {
  if (interruption) return outcome(interruption.status, { happened: interruption.happened, matvecs });
  if (basis.columns > matvecs) return outcome("converged", { happened: `made ${matvecs} steps as asked`, matvecs });
  if (matvecs === columns) {
    const happened = `the basis spans the whole space after ${matvecs} of ${asked} steps, so T has all eigenvalues`;
    return outcome("converged", { happened, matvecs });
  }
  const happened = `the Krylov space is exhausted after ${matvecs} of ${asked} steps, so T is exact on it`;
  return outcome("breakdown", { happened, matvecs, advice: "for the rest of the space, start from another vector" });
}

/** Options of the process as a part of another method. */
export interface Tridiagonalization extends Omit<LanczosOptions, "signal" | "onProgress"> {
  readonly name: string;
  /** State of the method that this process is a part of, for `error.state`. */
  readonly enclosing?: (state: LanczosState) => unknown;
}

/** The process itself, for methods that make their own use of it. Ends early when interrupted or when the space is exhausted. */
export async function* tridiagonalization(
  A: LinearOperator,
  run: Products,
  options: Tridiagonalization,
): AsyncGenerator<
  LanczosState,
  { readonly state: LanczosState; readonly interruption?: Interruption | undefined },
  void
> {
  const { name, steps, enclosing = (state: LanczosState) => state } = options;
  const n = A.shape[1];
  const arithmetic = arithmeticOf(A);
  let state = options.state ?? (await initialState(A, options));
  checkState(name, state, { method: "lanczos", columns: n });
  const capacity = Math.min(steps, n) + 1;
  state = { ...state, basis: growingBasis(state.basis, { capacity, dtype: precision(A), arithmetic }) };
  while (state.matvecs < steps && state.basis.columns > state.matvecs) {
    const current = state;
    const newest = await wholeColumn(current.basis, current.matvecs, arithmetic);
    const w = await run.matvec(newest, () => enclosing(current));
    if (isInterruption(w)) return { state, interruption: w };
    const beta = current.beta[current.matvecs - 1] ?? 0;
    const step = await lanczosStep(w, { basis: current.basis, newest, beta, arithmetic });
    state = await extended(A, current, { step, ...options });
    run.report();
    yield state;
  }
  return { state };
}

/** Unit vector along the start of a Krylov space, or along a random direction where none is given. */
export async function startVector(
  A: LinearOperator,
  { name, start, seed }: { readonly name: string } & Pick<LanczosOptions, "start" | "seed">,
): Promise<Vector> {
  const n = A.shape[1];
  const dtype = precision(A);
  const none: Matrix = { rows: n, columns: 0, data: new Float64Array(0) };
  if (start) checkVector(name, start, { what: "start", length: n });
  if (start && norm(start) === 0) {
    throw new CurvatureError(
      "argument",
      `${name} expects a start vector other than zero; leave it out for a random one`,
    );
  }
  if (start) return toPrecision(normalized(Float64Array.from(start)), dtype);
  return randomDirection(none, { seed: seed!, path: 0, dtype, arithmetic: hostArithmetic });
}

async function initialState(A: LinearOperator, options: Tridiagonalization): Promise<LanczosState> {
  const n = A.shape[1];
  const q = await startVector(A, options);
  const empty = new Float64Array(0);
  return {
    method: "lanczos",
    columns: n,
    matvecs: 0,
    basis: { rows: n, columns: 1, data: q },
    alpha: empty,
    beta: empty,
  };
}

async function extended(
  A: LinearOperator,
  state: LanczosState,
  { step, breakdown, seed }: { step: LanczosStep } & Tridiagonalization,
): Promise<LanczosState> {
  const alpha = appended(state.alpha, step.alpha);
  const matvecs = state.matvecs + 1;
  const scale = Math.max(maxAbs(alpha), maxAbs(state.beta));
  const exhausted = matvecs === state.columns || isExhausted(step.beta, { scale, dtype: precision(A) });
  const beta = appended(state.beta, exhausted ? 0 : step.beta);
  let { basis } = state;
  if (matvecs < state.columns) {
    if (!exhausted) basis = withColumn(basis, normalized(step.next));
    else if (breakdown === "continue") {
      const arithmetic = arithmeticOf(A);
      basis = withColumn(
        basis,
        await randomDirection(basis, { seed: seed!, path: matvecs, dtype: precision(A), arithmetic }),
      );
    }
  }
  return { ...state, matvecs, basis, alpha, beta };
}

/** Whether what is left of `A q` is rounding: a few units in the last place of the largest entries of T. */
export function isExhausted(beta: number, { scale, dtype }: { scale: number; dtype: Precision }): boolean {
  return beta <= 16 * epsilon(dtype) * scale;
}

/** The array with one more entry. */
export function appended(values: Float64Array, value: number): Float64Array {
  const longer = new Float64Array(values.length + 1);
  longer.set(values);
  longer[values.length] = value;
  return longer;
}
