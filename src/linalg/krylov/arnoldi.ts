import { column, type Matrix, precisionOf, type Vector, zeros } from "../../tensors/index.ts";
import { checkCount, checkSeed, checkSquare, checkState, precision } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { type Interruption, isInterruption, products } from "../runs/products.ts";
import { type Outcome, outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import {
  growingBasis,
  leadingColumns,
  normalized,
  orthogonalize,
  randomDirection,
  withColumn,
} from "../vectors/basis.ts";
import { arithmeticOf, norm, scaled } from "../vectors/vector.ts";
import { appended, isExhausted, type KrylovOptions, startVector } from "./lanczos.ts";

/** Options of the Arnoldi process. */
export type ArnoldiOptions = KrylovOptions<ArnoldiState>;

/** The process after `matvecs` steps: plain data, from which it can go on. */
export interface ArnoldiState {
  readonly method: "arnoldi";
  readonly columns: number;
  readonly matvecs: number;
  /** `[n, matvecs + 1]`, orthonormal; `[n, matvecs]` once nothing is left to add. The next product starts from the last column. */
  readonly basis: Matrix;
  /** Columns of H, of 2, 3, ... entries: the last of each is on the subdiagonal, 0 where the space is exhausted. */
  readonly hessenberg: readonly Float64Array[];
}

/** A partial reduction to Hessenberg form, `A Q = Q H + f e_m'`. */
export interface ArnoldiResult extends Outcome {
  /** Q `[n, m]`, orthonormal columns. */
  readonly basis: Matrix;
  /** H `[m, m]` in float64, upper Hessenberg: `Q' A Q`. */
  readonly hessenberg: Matrix;
  /** f `[n]`, orthogonal to Q: what the basis does not hold of A times its last column. */
  readonly residual: Vector;
  /** `||f||`; for an eigenvector y of H, `A Q y` misses `value Q y` by `||f||` times the last entry of y. */
  readonly residualNorm: number;
}

const NAME = "arnoldi";

/**
 * Arnoldi factorization of a square matrix of any kind (Arnoldi, 1951): after m steps `A Q = Q H + f e_m'` with Q `[n, m]` orthonormal to
 * rounding, its first column the start vector, H upper Hessenberg and f orthogonal to Q. One product a step; beside it 2 n m operations to
 * project and as many to subtract, twice where the norm test asks for a second pass. `A.arithmetic` does these where the operator has it. For
 * symmetric A H is tridiagonal, and `lanczos` gives it with less. Status "breakdown" says that the Krylov space of the start vector is
 * exhausted: f is zero, Q spans an invariant subspace and all eigenvalues of H are eigenvalues of A. `eigs` is built for eigenvalues, `gmres`
 * for systems.
 *
 * @throws CurvatureError "argument", "shape" or "numeric" for options, operators or vectors it cannot take; whatever the operator throws, with
 * `state`
 */
export async function arnoldi(A: LinearOperator, options: ArnoldiOptions): Promise<ArnoldiResult> {
  return runToEnd(arnoldiSteps(A, options));
}

/** The run of `arnoldi` step by step; yields a state after each, from which `state` resumes it. */
export async function* arnoldiSteps(
  A: LinearOperator,
  options: ArnoldiOptions,
): AsyncGenerator<ArnoldiState, ArnoldiResult, void> {
  checkOptions(NAME, options, "steps seed start breakdown state signal onProgress");
  checkSquare(NAME, A);
  const { steps, start, breakdown = "stop", seed } = options;
  checkCount(NAME, "steps", steps);
  if (start === undefined || breakdown === "continue") checkSeed(NAME, seed);
  const n = A.shape[1];
  let state = options.state ?? (await initialState(A, options));
  checkState(NAME, state, { method: NAME, columns: n });
  const run = products(A, { ...options, name: NAME, matvecs: steps, used: state.matvecs });
  const capacity = Math.min(steps, n) + 1;
  state = { ...state, basis: growingBasis(state.basis, { capacity, dtype: precision(A) }) };
  while (run.left > 0 && state.basis.columns > state.matvecs) {
    const current = state;
    const w = await run.matvec(column(current.basis, current.matvecs), () => current);
    if (isInterruption(w)) return conclude(state, options, w);
    state = await extended(A, current, { w, breakdown, seed });
    run.report();
    yield state;
  }
  return conclude(state, options);
}

async function initialState(A: LinearOperator, { start, seed }: ArnoldiOptions): Promise<ArnoldiState> {
  const n = A.shape[1];
  const q = await startVector(A, { name: NAME, start, seed });
  return { method: NAME, columns: n, matvecs: 0, basis: { rows: n, columns: 1, data: q }, hessenberg: [] };
}

/** One more column of H, and one more basis vector unless nothing is left. */
async function extended(
  A: LinearOperator,
  state: ArnoldiState,
  { w, breakdown, seed }: { w: Vector; breakdown: "stop" | "continue"; seed: number | undefined },
): Promise<ArnoldiState> {
  const dtype = precision(A);
  const arithmetic = arithmeticOf(A);
  const { basis } = state;
  const { vector, coefficients, norm: left } = await orthogonalize(w, basis, arithmetic);
  const matvecs = state.matvecs + 1;
  const scale = state.hessenberg.reduce((so, each) => Math.max(so, norm(each)), Math.hypot(norm(coefficients), left));
  const exhausted = matvecs === state.columns || isExhausted(left, { scale, dtype });
  const hessenberg = [...state.hessenberg, appended(coefficients, exhausted ? 0 : left)];
  const next = { ...state, matvecs, hessenberg };
  if (!exhausted) return { ...next, basis: withColumn(basis, normalized(vector)) };
  if (matvecs === state.columns || breakdown === "stop") return next;
  const q = await randomDirection(basis, { seed: seed!, path: matvecs, dtype, arithmetic });
  return { ...next, basis: withColumn(basis, q) };
}

function conclude(state: ArnoldiState, { steps: asked }: ArnoldiOptions, interruption?: Interruption): ArnoldiResult {
  const { columns: n, matvecs: m, basis, hessenberg } = state;
  const data = new Float64Array(m * m);
  hessenberg.forEach((each, j) => {
    data.set(each.subarray(0, Math.min(j + 2, m)), j * m);
  });
  const residualNorm = hessenberg[m - 1]?.[m] ?? 0;
  const dtype = precisionOf(basis.data);
  const residual = residualNorm === 0 ? zeros(n, dtype) : scaled(residualNorm, column(basis, m));
  const Q = leadingColumns(basis, m);
  return {
    basis: Q,
    hessenberg: { rows: m, columns: m, data },
    residual,
    residualNorm,
    ...ending(state, { asked, interruption }),
  };
}

function ending(
  { matvecs, basis, columns }: ArnoldiState,
  { asked, interruption }: { asked: number; interruption: Interruption | undefined },
): Outcome {
  if (interruption) return outcome(interruption.status, { happened: interruption.happened, matvecs });
  if (matvecs === columns) {
    const happened = `the basis spans the whole space after ${matvecs} of ${asked} steps, so H has all eigenvalues`;
    return outcome("converged", { happened, matvecs });
  }
  if (basis.columns > matvecs) return outcome("converged", { happened: `made ${matvecs} steps as asked`, matvecs });
  const happened = `the Krylov space is exhausted after ${matvecs} of ${asked} steps, so it is invariant and H exact on it`;
  return outcome("breakdown", { happened, matvecs, advice: "for the rest of the space, start from another vector" });
}
