import { CurvatureError } from "../errors/index.ts";
import { column, type Matrix, type Precision, type Vector, zeros } from "../tensors/index.ts";
import { adjoint } from "./adjoint.ts";
import { growingBasis, leadingColumns, normalized, orthogonalize, randomDirection, withColumn } from "./basis.ts";
import { checkCount, checkNonnegative, checkOperator, checkSeed, checkState, epsilon, precision } from "./checks.ts";
import { svd } from "./dense/index.ts";
import { drive } from "./drive.ts";
import type { Arithmetic, LinearOperator, RunOptions } from "./operator.ts";
import { type Interruption, isInterruption, type Products, products } from "./products.ts";
import { type Outcome, outcome } from "./result.ts";
import { axpy, hostArithmetic, maxAbs, norm } from "./vector.ts";

/** Options of `svds`. */
export interface SvdsOptions extends RunOptions {
  /** Number of singular triplets, at most the smaller of the operator's dimensions. */
  readonly k: number;
  /** "largest" (default) or "smallest", which converge far more slowly. */
  readonly which?: "largest" | "smallest";
  readonly seed: number;
  /** Bound on `||A' u - value v||` over the largest value: 1e-8 by default, 1e-4 for float32 operators. */
  readonly tolerance?: number;
  /** Most products, those with the transpose included; default 100 times `dimension`. The last 2 k are kept for the true residuals. */
  readonly matvecs?: number;
  /** Most basis vectors held at once on each side, at least k + 2 unless the operator is smaller; default `max(2 k + 16, 32)`. */
  readonly dimension?: number;
  /** Where an earlier run with the same options stopped. */
  readonly state?: SvdsState;
}

/** Both bases and the projected matrix, of the transpose where A has more columns than rows, after `matvecs` products: plain data, from which the run can go on. */
export interface SvdsState {
  readonly method: "svds";
  readonly columns: number;
  readonly matvecs: number;
  /** `[n, steps + 1]`, orthonormal; the next step multiplies the last column. One fewer where it spans everything. */
  readonly right: Matrix;
  /** `[m, steps]`, orthonormal. */
  readonly left: Matrix;
  /** `[steps, steps]`, `U' A V` of the columns multiplied. */
  readonly projected: Matrix;
  /** What couples `A' U` to the next right vector, the last column of U. */
  readonly beta: number;
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

interface Plan {
  readonly A: LinearOperator;
  readonly run: Products;
  readonly k: number;
  readonly which: "largest" | "smallest";
  readonly seed: number;
  readonly tolerance: number;
  readonly dimension: number;
  readonly dtype: Precision;
  /** What forms singular vectors: an operator's own is for square ones, whose vectors have one length. */
  readonly arithmetic: Arithmetic;
}

/**
 * Largest or smallest singular values of an operator of any shape and their vectors, by Golub-Kahan bidiagonalization with full
 * reorthogonalization and thick restart (Golub and Kahan, 1965; Baglama and Reichel, 2005), without squaring A. Two products a step, one with A
 * and one with its transpose, and 2 k at the end. Convergence is looked at every fourth step.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take, "unsupported" where A is not symmetric and has no
 * adjoint; whatever the operator throws, with `state`
 */
export async function svds(A: LinearOperator, options: SvdsOptions): Promise<SvdsResult> {
  return drive(svdsSteps(A, options));
}

/** The run of `svds` step by step; yields a state after each, from which `state` resumes it. */
export async function* svdsSteps(A: LinearOperator, options: SvdsOptions): AsyncGenerator<SvdsState, SvdsResult, void> {
  checkOperator(NAME, A);
  // With more columns than rows the right basis would hold vectors of the null space, which look like singular values of zero.
  const wide = A.shape[0] < A.shape[1];
  const { U, V, ...rest } = yield* tallSteps(wide ? adjoint(A) : A, options);
  return wide ? { ...rest, U: V, V: U } : { ...rest, U, V };
}

async function* tallSteps(A: LinearOperator, options: SvdsOptions): AsyncGenerator<SvdsState, SvdsResult, void> {
  const plan = planned(A, options);
  const { run, k, dimension, dtype } = plan;
  let state = options.state ?? (await initialState(plan));
  checkState(NAME, state, { method: NAME, columns: A.shape[1] });
  state = { ...state, ...roomFor(state, dimension, dtype) };
  for (;;) {
    const steps = state.left.columns;
    const spans = steps > 0 && (steps === Math.min(...A.shape) || state.right.columns === steps);
    const short = run.left < 2 * k + 2;
    const full = steps === dimension || spans || short;
    if (full || (steps > 0 && steps % 4 === 0)) {
      const triplets = steps > 0 ? await ritzTriplets(state, plan) : undefined;
      const done = triplets !== undefined && isConverged(triplets, plan);
      if (done || spans || short) return conclude(state, plan, { triplets });
      if (full) state = await restarted(state, triplets!, plan);
    }
    const next = await step(state, plan);
    if ("status" in next) return conclude(state, plan, { interruption: next });
    state = next;
    run.report();
    yield state;
  }
}

function planned(A: LinearOperator, options: SvdsOptions): Plan {
  const { k, which = "largest", seed, tolerance = precision(A) === "float32" ? 1e-4 : 1e-8 } = options;
  const smaller = Math.min(...A.shape);
  checkCount(NAME, "k", k);
  checkSeed(NAME, seed);
  checkNonnegative(NAME, "tolerance", tolerance);
  if (k > smaller) {
    throw new CurvatureError("argument", `${NAME} expects k of at most ${smaller}, the smaller dimension, got ${k}`);
  }
  if (which !== "largest" && which !== "smallest") {
    throw new CurvatureError("argument", `${NAME} expects which to be "largest" or "smallest", got "${which}"`);
  }
  const { dimension = Math.max(2 * k + 16, 32) } = options;
  checkCount(NAME, "dimension", dimension);
  if (dimension < Math.min(k + 2, smaller)) {
    throw new CurvatureError("argument", `${NAME} expects dimension to be at least k + 2 = ${k + 2}, got ${dimension}`);
  }
  const { matvecs = 100 * dimension } = options;
  checkCount(NAME, "matvecs", matvecs);
  const run = products(A, { ...options, name: NAME, matvecs, used: options.state?.matvecs ?? 0 });
  const { arithmetic = hostArithmetic } = A.shape[0] === A.shape[1] ? A : {};
  const dtype = precision(A);
  return { A, run, k, which, seed, tolerance, dimension: Math.min(dimension, smaller), dtype, arithmetic };
}

async function initialState({ A, seed, dtype }: Plan): Promise<SvdsState> {
  const [m, n] = A.shape;
  const none = { rows: n, columns: 0, data: zeros(0, dtype) };
  const v = await randomDirection(none, { seed, path: 0, dtype, arithmetic: hostArithmetic });
  const empty = { rows: 0, columns: 0, data: new Float64Array(0) };
  const right = { rows: n, columns: 1, data: v };
  return { method: NAME, columns: n, matvecs: 0, right, left: { ...none, rows: m }, projected: empty, beta: 0 };
}

function roomFor({ right, left }: SvdsState, dimension: number, dtype: Precision) {
  return {
    right: growingBasis(right, { capacity: dimension + 1, dtype }),
    left: growingBasis(left, { capacity: dimension, dtype }),
  };
}

/** `A v` gives one more left vector and the last column of the projection, `A' u` the next right vector. */
async function step(state: SvdsState, plan: Plan): Promise<SvdsState | Interruption> {
  const { A, run, seed, dtype } = plan;
  const steps = state.left.columns;
  const w = await run.matvec(column(state.right, steps), () => state);
  if (isInterruption(w)) return w;
  const up = await orthogonalize(w, state.left, hostArithmetic);
  const size = maxAbs(state.projected.data);
  const rounding = 16 * epsilon(dtype) * Math.max(size, norm(up.coefficients), up.norm);
  const gone = up.norm <= rounding;
  const fresh = (basis: Matrix, side: string) =>
    randomDirection(basis, { seed, path: `${side} ${run.used}`, dtype, arithmetic: hostArithmetic });
  const u = gone ? await fresh(state.left, "left") : normalized(up.vector);
  const left = withColumn(state.left, u);
  const projected = bordered(state.projected, up.coefficients, gone ? 0 : up.norm);
  const z = await run.adjointMatvec(u, () => state);
  if (isInterruption(z)) return z;
  const down = await orthogonalize(z, state.right, hostArithmetic);
  const next = { ...state, matvecs: run.used, left, projected };
  if (state.right.columns === A.shape[1]) return { ...next, beta: 0 };
  const spent = down.norm <= 16 * epsilon(dtype) * Math.max(size, norm(down.coefficients));
  const v = spent ? await fresh(state.right, "right") : normalized(down.vector);
  return { ...next, beta: spent ? 0 : down.norm, right: withColumn(state.right, v) };
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
  /** `beta` times the last coordinate of the left vector: what couples it to the next right vector. */
  readonly coupling: Float64Array;
  readonly scale: number;
}

async function ritzTriplets({ projected, beta }: SvdsState, { which }: Plan): Promise<Triplets> {
  const { values, U, V } = await svd(projected);
  const size = values.length;
  const order = Array.from(values, (_, i) => (which === "largest" ? i : size - 1 - i));
  const pick = (Q: Matrix) => ({
    rows: size,
    columns: size,
    data: Float64Array.from(order.flatMap((i) => Array.from(column(Q, i)))),
  });
  return {
    values: Float64Array.from(order, (i) => values[i]!),
    X: pick(U),
    Y: pick(V),
    coupling: Float64Array.from(order, (i) => beta * U.data[i * size + size - 1]!),
    scale: values[0]!,
  };
}

function isConverged({ values, coupling, scale }: Triplets, { k, tolerance }: Plan): boolean {
  return values.length >= k && coupling.subarray(0, k).every((c) => Math.abs(c) <= (tolerance * scale) / 2);
}

/** Bases of the foremost singular vectors, and the right vector that comes next. */
async function restarted(
  state: SvdsState,
  { values, X, Y }: Triplets,
  { k, dimension, dtype, arithmetic }: Plan,
): Promise<SvdsState> {
  const steps = state.left.columns;
  const count = Math.min(k + Math.floor((dimension - k) / 2), dimension - 1);
  const right = await arithmetic.combine(leadingColumns(state.right, steps), leadingColumns(Y, count));
  const left = await arithmetic.combine(state.left, leadingColumns(X, count));
  const projected = new Float64Array(count * count);
  for (let i = 0; i < count; i++) projected[i * count + i] = values[i]!;
  const room = roomFor({ ...state, right, left }, dimension, dtype);
  return {
    ...state,
    left: room.left,
    right: withColumn(room.right, column(state.right, steps)),
    projected: { rows: count, columns: count, data: projected },
  };
}

async function conclude(
  state: SvdsState,
  plan: Plan,
  { triplets, interruption }: { readonly triplets?: Triplets | undefined; readonly interruption?: Interruption },
): Promise<SvdsResult> {
  const { run, k, tolerance, dtype, arithmetic } = plan;
  const steps = state.left.columns;
  const pairs = triplets ?? (steps > 0 ? await ritzTriplets(state, plan) : undefined);
  const count = Math.min(k, pairs?.values.length ?? 0);
  const none = (rows: number) => ({ rows, columns: 0, data: zeros(0, dtype) });
  const U = pairs ? await arithmetic.combine(state.left, leadingColumns(pairs.X, count)) : none(state.left.rows);
  const V = pairs
    ? await arithmetic.combine(leadingColumns(state.right, steps), leadingColumns(pairs.Y, count))
    : none(state.columns);
  const values = pairs?.values.slice(0, count) ?? new Float64Array(0);
  const residualNorms = pairs?.coupling.slice(0, count).map(Math.abs) ?? new Float64Array(0);
  let stopped = interruption;
  for (let i = 0; i < count && !stopped; i++) {
    const difference = await tripletResidual({ u: column(U, i), v: column(V, i), value: values[i]! }, run, state);
    if (typeof difference === "number") residualNorms[i] = difference;
    else stopped = difference;
  }
  const matvecs = run.used;
  const found = { values, U, V, residualNorms };
  if (stopped) return { ...found, ...outcome(stopped.status, { happened: stopped.happened, matvecs }) };
  const good = residualNorms.filter((r) => r <= tolerance * (pairs?.scale ?? 0)).length;
  const happened = `${good} of ${k} singular triplets have residuals below ${tolerance} of the largest value`;
  if (good === k) return { ...found, ...outcome("converged", { happened, matvecs }) };
  const rounded = `${happened}, though the recurrence says all have: products are rounded`;
  if (pairs && isConverged(pairs, plan)) return { ...found, ...outcome("stagnated", { happened: rounded, matvecs }) };
  const advice = "raise matvecs or dimension, or loosen tolerance";
  return { ...found, ...outcome("budget", { happened, matvecs, advice }) };
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
