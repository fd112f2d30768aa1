import { column, type Matrix, type Vector, zeros } from "../../tensors/index.ts";
import { svd } from "../dense/index.ts";
import { adjoint } from "../operator/adjoint.ts";
import { checkOperator, checkState, epsilon } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { type Interruption, isInterruption, type Products } from "../runs/products.ts";
import { type Outcome, outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { growingBasis, leadingColumns, normalized, orthogonalize, withColumn } from "../vectors/basis.ts";
import { arithmeticOf, axpy, hostArithmetic, maxAbs, norm } from "../vectors/vector.ts";
import { excludesCopies } from "./copies.ts";
import { besideLocked, columnsOf, foremost, resultOrder, trailingBlock } from "./ritzPairs.ts";
import {
  diagonalOf,
  freshDirection,
  indices,
  isConverged,
  keptPairs,
  lockedCount,
  type ThickRestartEnd,
  type ThickRestartMethod,
  type ThickRestartOptions,
  type ThickRestartPlan,
  target,
  thickRestartOutcome,
  thickRestartPlan,
  thickRestartSteps,
} from "./thickRestart.ts";

/** Options of `svds`, whose `tolerance` bounds `||A' u - value v||` over the largest value. */
export interface SvdsOptions extends ThickRestartOptions<SvdsState> {
  /** "largest" (default) or "smallest", which converge far more slowly. */
  readonly which?: "largest" | "smallest" | undefined;
  /** Most products, those with the transpose included; default 100 times `basisSize`. The last 2 k are kept for the true residuals. */
  readonly matvecs?: number | undefined;
  /** Most basis vectors held at once on each side, at least k + 2 unless the operator is smaller; default `max(2 k + 16, 32)`. */
  readonly basisSize?: number | undefined;
}

/** Both bases and the projected matrix, of the transpose where A has more columns than rows, after `matvecs` products: plain data, from which the run can go on. */
export interface SvdsState {
  readonly method: "svds";
  readonly columns: number;
  readonly matvecs: number;
  /** `[n, steps + 1]`, orthonormal; the next step multiplies the last column. One fewer where it spans everything. */
  readonly V: Matrix;
  /** `[m, steps]`, orthonormal. */
  readonly U: Matrix;
  /** `[steps, steps]`, `U' A V` of the columns multiplied. */
  readonly projected: Matrix;
  /** Coupling of `A' U`, by the last column of U, to the next right vector. */
  readonly beta: number;
  /** Leading columns of both bases that have converged, while further copies of them are looked for in their complement. */
  readonly locked?: number | undefined;
}

/** Some singular triplets. */
export interface SvdsResult extends Outcome {
  /** `[k]`, descending, or ascending for the smallest. */
  readonly values: Float64Array;
  /** `[m, k]` and `[n, k]`, orthonormal columns. */
  readonly U: Matrix;
  readonly V: Matrix;
  /** `[k]`, `hypot(||A v - value u||, ||A' u - value v||)` from two more products each; estimates after "aborted" and "nonfinite". */
  readonly residualNorms: Float64Array;
}

const NAME = "svds";

/** The plan, with the arithmetic that forms singular vectors: an operator's own is for square ones, whose vectors have one length. */
type Plan = ThickRestartPlan<"largest" | "smallest">;

/**
 * Largest or smallest singular values of an operator of any shape and their vectors, by Golub-Kahan bidiagonalization with full
 * reorthogonalization and thick restart (Golub and Kahan, 1965; Baglama and Reichel, 2005), without squaring A. Two products a step, one with A
 * and one with its transpose, and 2 k at the end. "converged" means that residuals are small and that no copy of a repeated value is missing (see
 * `copies`). Convergence is looked at every fourth step.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take, "unsupported" where A is not symmetric and has no
 * adjoint; whatever the operator throws, with `state`
 */
export async function svds(A: LinearOperator, options: SvdsOptions): Promise<SvdsResult> {
  return runToEnd(svdsSteps(A, options));
}

/** The run of `svds` step by step; yields a state after each, from which `state` resumes it. */
export async function* svdsSteps(A: LinearOperator, options: SvdsOptions): AsyncGenerator<SvdsState, SvdsResult, void> {
  checkOptions(NAME, options, "k which seed tolerance matvecs basisSize copies state signal onProgress");
  checkOperator(NAME, A);
  // With more columns than rows the right basis would hold vectors of the null space, which look like singular values of zero.
  const wide = A.shape[0] < A.shape[1];
  const { U, V, ...rest } = yield* tallSteps(wide ? adjoint(A) : A, options);
  return wide ? { ...rest, U: V, V: U } : { ...rest, U, V };
}

async function* tallSteps(A: LinearOperator, options: SvdsOptions): AsyncGenerator<SvdsState, SvdsResult, void> {
  const [rows, columns] = A.shape;
  const basisSize = Math.max(2 * options.k + 16, 32);
  const plan: Plan = {
    ...thickRestartPlan(A, options, {
      name: NAME,
      choices: ["largest", "smallest"],
      most: [columns, "the smaller dimension"],
      basisSize,
      productsPerVector: 100,
    }),
    arithmetic: rows === columns ? arithmeticOf(A) : hostArithmetic,
  };
  const state = options.state ?? (await initialState(plan));
  checkState(NAME, state, { method: NAME, columns });
  return conclude(plan, yield* thickRestartSteps(methodOf(plan), { ...state, ...roomFor(state, plan) }, plan));
}

async function initialState(plan: Plan): Promise<SvdsState> {
  const { A, dtype } = plan;
  const [rows, columns] = A.shape;
  const none = { rows: columns, columns: 0, data: zeros(0, dtype) };
  const v = await freshDirection(none, 0, { ...plan, arithmetic: hostArithmetic });
  const bases = { V: { rows: columns, columns: 1, data: v }, U: { ...none, rows } };
  const projected = { rows: 0, columns: 0, data: new Float64Array(0) };
  return { method: NAME, columns, matvecs: 0, ...bases, projected, beta: 0 };
}

function roomFor({ U, V }: Pick<SvdsState, "U" | "V">, { basisSize, dtype }: Plan) {
  return {
    V: growingBasis(V, { capacity: basisSize + 1, dtype }),
    U: growingBasis(U, { capacity: basisSize, dtype }),
  };
}

function methodOf(plan: Plan): ThickRestartMethod<SvdsState, Triplets> {
  const { A, k, run, basisSize } = plan;
  return {
    spans: ({ U, V }) => U.columns > 0 && (U.columns === A.shape[1] || V.columns === U.columns),
    isShort: () => run.left < 2 * k + 2,
    hasRoom: (state) => state.U.columns < basisSize,
    isDue: (state) => state.U.columns > 0 && state.U.columns % 4 === 0,
    look: (state) => look(state, plan),
    isConverged: (triplets) => isConverged(triplets, plan),
    search(state, triplets) {
      if (isComplete(state, triplets, plan)) return "complete";
      // A basis that can hold everything shows every copy when it does.
      return basisSize === A.shape[1] || triplets.locked.slice(0, k).every(Boolean) ? "on" : "start";
    },
    async locked(state, triplets) {
      const chosen = indices(lockedCount(triplets, plan, { spare: 2 }));
      const next = await onTriplets(state, { triplets, chosen, plan });
      const path = `copies ${run.used}`;
      const direction = await freshDirection(next.V, path, { ...plan, arithmetic: hostArithmetic });
      return { ...next, V: withColumn(next.V, direction), locked: chosen.length };
    },
    async restarted(state, triplets) {
      const next = await onTriplets(state, { triplets, chosen: keptPairs(triplets.locked, plan), plan });
      return { ...next, V: withColumn(next.V, column(state.V, state.U.columns)) };
    },
    step: (state) => step(state, plan),
  };
}

/** `A v` gives the next column of U and of the projection, `A' u` the next column of V. */
async function step(state: SvdsState, plan: Plan): Promise<SvdsState | Interruption> {
  const { A, run, dtype } = plan;
  const steps = state.U.columns;
  const w = await run.matvec(column(state.V, steps), () => state);
  if (isInterruption(w)) return w;
  const up = await orthogonalize(w, state.U, hostArithmetic);
  const size = maxAbs(state.projected.data);
  const rounding = 16 * epsilon(dtype) * Math.max(size, norm(up.coefficients), up.norm);
  const gone = up.norm <= rounding;
  const fresh = (basis: Matrix, side: string) =>
    freshDirection(basis, `${side} ${run.used}`, { ...plan, arithmetic: hostArithmetic });
  const u = gone ? await fresh(state.U, "left") : normalized(up.vector);
  const U = withColumn(state.U, u);
  const projected = bordered(state.projected, up.coefficients, gone ? 0 : up.norm);
  const z = await run.adjointMatvec(u, () => state);
  if (isInterruption(z)) return z;
  const down = await orthogonalize(z, state.V, hostArithmetic);
  const next = { ...state, matvecs: run.used, U, projected };
  if (state.V.columns === A.shape[1]) return { ...next, beta: 0 };
  const spent = down.norm <= 16 * epsilon(dtype) * Math.max(size, norm(down.coefficients));
  const v = spent ? await fresh(state.V, "right") : normalized(down.vector);
  return { ...next, beta: spent ? 0 : down.norm, V: withColumn(state.V, v) };
}

/** The matrix with one more column, and a row of zeros below but for the corner. */
function bordered(B: Matrix, above: Float64Array, corner: number): Matrix {
  const size = B.columns + 1;
  const data = new Float64Array(size * size);
  for (let j = 0; j < B.columns; j++) data.set(column(B, j), j * size);
  data.set(above, (size - 1) * size);
  data[size * size - 1] = corner;
  return { rows: size, columns: size, data };
}

interface Triplets {
  readonly values: Float64Array;
  /** Coordinates of left and right vectors, the most wanted first. */
  readonly X: Matrix;
  readonly Y: Matrix;
  /** |beta times the last coordinate of the left vector|: what couples it to the next right vector. */
  readonly residualNorms: Float64Array;
  /** Whether each is a locked triplet. */
  readonly locked: readonly boolean[];
  readonly scale: number;
}

async function look(state: SvdsState, { which, tolerance }: Plan): Promise<Triplets | undefined> {
  const { projected, beta, locked = 0 } = state;
  const size = projected.columns;
  if (size === 0) return undefined;
  const { values: own, U, V } = await svd(trailingBlock(projected, locked));
  const known = Float64Array.from({ length: locked }, (_, i) => projected.data[i * (size + 1)]!);
  const values = Float64Array.of(...known, ...own);
  const { order, ...sorted } = foremost(values, which, { locked, advantage: tolerance / 2 });
  const X = besideLocked(U, { order, locked });
  const residualNorms = Float64Array.from(order, (_, at) => Math.abs(beta * X.data[at * size + size - 1]!));
  return { ...sorted, X, Y: besideLocked(V, { order, locked }), residualNorms };
}

/** Whether no copy of a repeated value is missing. */
function isComplete(state: SvdsState, triplets: Triplets, plan: Plan): boolean {
  const spans = state.U.columns === plan.A.shape[1];
  return spans || excludesCopies(triplets, { ...plan, target: target(triplets, plan) });
}

/** The state on some of its singular vectors, without the right vector that comes after them. */
async function onTriplets(
  state: SvdsState,
  at: { readonly triplets: Triplets; readonly chosen: readonly number[]; readonly plan: Plan },
): Promise<SvdsState> {
  const { triplets, chosen, plan } = at;
  const { arithmetic } = plan;
  const whole = leadingColumns(state.V, state.U.columns);
  const V = await arithmetic.combine(whole, columnsOf(triplets.Y, chosen));
  const U = await arithmetic.combine(state.U, columnsOf(triplets.X, chosen));
  return { ...state, ...roomFor({ U, V }, plan), projected: diagonalOf(triplets.values, chosen) };
}

const TRIPLETS = { pairs: "singular triplets", values: "singular values", largest: "largest value" };

async function conclude(
  plan: Plan,
  { state, pairs, interruption }: ThickRestartEnd<SvdsState, Triplets>,
): Promise<SvdsResult> {
  const { run, dtype, arithmetic } = plan;
  const found = pairs ?? (await look(state, plan));
  const order = found ? resultOrder(found.values, plan) : [];
  const formed = (Q: Matrix, coordinates?: Matrix) =>
    coordinates
      ? arithmetic.combine(leadingColumns(Q, state.U.columns), columnsOf(coordinates, order))
      : { ...Q, columns: 0, data: zeros(0, dtype) };
  const [U, V] = [await formed(state.U, found?.X), await formed(state.V, found?.Y)];
  const values = Float64Array.from(order, (i) => found?.values[i] ?? 0);
  const residualNorms = Float64Array.from(order, (i) => found?.residualNorms[i] ?? 0);
  let stopped = interruption;
  for (let i = 0; i < values.length && !stopped; i++) {
    const difference = await tripletResidual({ u: column(U, i), v: column(V, i), value: values[i]! }, run, state);
    if (typeof difference === "number") residualNorms[i] = difference;
    else stopped = difference;
  }
  const result = { values, U, V, residualNorms };
  if (stopped) return { ...result, ...outcome(stopped.status, { happened: stopped.happened, matvecs: run.used }) };
  const complete = () => found !== undefined && isComplete(state, found, plan);
  const facts = { look: found, residualNorms, complete, words: TRIPLETS };
  return { ...result, ...(await thickRestartOutcome(plan, facts)) };
}

async function tripletResidual(
  { u, v, value }: { readonly u: Vector; readonly v: Vector; readonly value: number },
  run: Products,
  state: SvdsState,
): Promise<number | Interruption> {
  const Av = await run.matvec(v, () => state);
  if (isInterruption(Av)) return Av;
  const Atu = await run.adjointMatvec(u, () => state);
  if (isInterruption(Atu)) return Atu;
  axpy(-value, u, Av);
  axpy(-value, v, Atu);
  return Math.hypot(norm(Av), norm(Atu));
}
