import { CurvatureError } from "../../errors/index.ts";
import { column, type Matrix, type Precision, type Vector, zeros } from "../../tensors/index.ts";
import { svd } from "../dense/index.ts";
import { adjoint } from "../operator/adjoint.ts";
import {
  checkCount,
  checkNonnegative,
  checkOperator,
  checkSeed,
  checkState,
  epsilon,
  precision,
} from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { type Interruption, isInterruption, type Products, products } from "../runs/products.ts";
import { type Outcome, outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import type { Arithmetic } from "../vectors/arithmetic.ts";
import {
  growingBasis,
  leadingColumns,
  normalized,
  orthogonalize,
  randomDirection,
  withColumn,
} from "../vectors/basis.ts";
import { axpy, hostArithmetic, maxAbs, norm } from "../vectors/vector.ts";
import { convergedOutcome, excludesCopies } from "./copies.ts";
import { columnsOf, preference, trailingBlock } from "./ritzPairs.ts";

/** Options of `svds`. */
export interface SvdsOptions extends RunOptions {
  /** Number of singular triplets, at most the smaller of the operator's dimensions. */
  readonly k: number;
  /** "largest" (default) or "smallest", which converge far more slowly. */
  readonly which?: "largest" | "smallest";
  readonly seed: number;
  /** Bound on `||A' u - value v||` over the largest value: 1e-8 by default, 1e-4 for float32 operators. */
  readonly tolerance?: number;
  /** Most products, those with the transpose included; default 100 times `basisSize`. The last 2 k are kept for the true residuals. */
  readonly matvecs?: number;
  /** Most basis vectors held at once on each side, at least k + 2 unless the operator is smaller; default `max(2 k + 16, 32)`. */
  readonly basisSize?: number;
  /**
   * Whether to look for further copies of repeated singular values once k triplets have converged (default true), on the complement of the k triplets and
   * until its own extreme value is known to lie beyond the k-th: about as many steps as the k triplets took, and once more for each copy. Without it,
   * or where the budget ends it, copies may be missing.
   */
  readonly copies?: boolean;
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
  /** Leading columns of both bases that have converged, while further copies of them are looked for in their complement. */
  readonly locked?: number;
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
  readonly basisSize: number;
  readonly copies: boolean;
  readonly dtype: Precision;
  /** What forms singular vectors: an operator's own is for square ones, whose vectors have one length. */
  readonly arithmetic: Arithmetic;
}

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
  const plan = planned(A, options);
  const { run, k, basisSize, dtype } = plan;
  let state = options.state ?? (await initialState(plan));
  checkState(NAME, state, { method: NAME, columns: A.shape[1] });
  state = { ...state, ...roomFor(state, basisSize, dtype) };
  for (;;) {
    const steps = state.left.columns;
    const spans = steps > 0 && (steps === Math.min(...A.shape) || state.right.columns === steps);
    const short = run.left < 2 * k + 2;
    const full = steps === basisSize || spans || short;
    if (full || (steps > 0 && steps % 4 === 0)) {
      const triplets = steps > 0 ? await ritzTriplets(state, plan) : undefined;
      const done = triplets !== undefined && isConverged(triplets, plan);
      if (spans || short || (done && (!plan.copies || isComplete(state, triplets, plan)))) {
        return conclude(state, plan, { triplets });
      }
      // A basis that can hold everything shows every copy when it does.
      const holdsAll = plan.basisSize === Math.min(...A.shape);
      const fresh = done && !holdsAll && !triplets.locked.slice(0, k).every(Boolean);
      if (full || fresh) state = await restarted(state, triplets!, { plan, fresh });
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
  const { basisSize = Math.max(2 * k + 16, 32) } = options;
  checkCount(NAME, "basisSize", basisSize);
  if (basisSize < Math.min(k + 2, smaller)) {
    throw new CurvatureError("argument", `${NAME} expects basisSize to be at least k + 2 = ${k + 2}, got ${basisSize}`);
  }
  const { matvecs = 100 * basisSize, copies = true } = options;
  checkCount(NAME, "matvecs", matvecs);
  const run = products(A, { ...options, name: NAME, matvecs, used: options.state?.matvecs ?? 0 });
  const { arithmetic = hostArithmetic } = A.shape[0] === A.shape[1] ? A : {};
  const dtype = precision(A);
  return { A, run, k, which, seed, tolerance, basisSize: Math.min(basisSize, smaller), copies, dtype, arithmetic };
}

async function initialState({ A, seed, dtype }: Plan): Promise<SvdsState> {
  const [m, n] = A.shape;
  const none = { rows: n, columns: 0, data: zeros(0, dtype) };
  const v = await randomDirection(none, { seed, path: 0, dtype, arithmetic: hostArithmetic });
  const empty = { rows: 0, columns: 0, data: new Float64Array(0) };
  const right = { rows: n, columns: 1, data: v };
  return { method: NAME, columns: n, matvecs: 0, right, left: { ...none, rows: m }, projected: empty, beta: 0 };
}

function roomFor({ right, left }: SvdsState, basisSize: number, dtype: Precision) {
  return {
    right: growingBasis(right, { capacity: basisSize + 1, dtype }),
    left: growingBasis(left, { capacity: basisSize, dtype }),
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
  /** Whether each is a locked triplet. */
  readonly locked: readonly boolean[];
  readonly scale: number;
}

async function ritzTriplets(state: SvdsState, { which, tolerance }: Plan): Promise<Triplets> {
  const { projected, beta, locked = 0 } = state;
  const size = projected.columns;
  const open = trailingBlock(projected, locked);
  const { values: own, U, V } = await svd(open);
  const values = Float64Array.from({ length: size }, (_, i) =>
    i < locked ? projected.data[i * size + i]! : own[i - locked]!,
  );
  const scale = maxAbs(values);
  const order = preference(values, which, { count: locked, by: (tolerance * scale) / 2 });
  const coordinates = (Q: Matrix, i: number) => {
    const x = new Float64Array(size);
    if (i < locked) x[i] = 1;
    else x.set(column(Q, i - locked), locked);
    return x;
  };
  const pick = (Q: Matrix) => ({
    rows: size,
    columns: size,
    data: Float64Array.from(order.flatMap((i) => Array.from(coordinates(Q, i)))),
  });
  const X = pick(U);
  return {
    values: Float64Array.from(order, (i) => values[i]!),
    X,
    Y: pick(V),
    coupling: Float64Array.from(order, (_, at) => beta * X.data[at * size + size - 1]!),
    locked: order.map((i) => i < locked),
    scale,
  };
}

function isConverged(triplets: Triplets, plan: Plan): boolean {
  const { values, coupling } = triplets;
  return values.length >= plan.k && coupling.subarray(0, plan.k).every((c) => Math.abs(c) <= target(triplets, plan));
}

/** Bound on residual norms inside the run: half of what is promised, since true residuals add rounding to the recurrence's. */
function target({ scale }: Triplets, { tolerance }: Plan): number {
  return (tolerance * scale) / 2;
}

/** Whether no copy of a repeated value is missing. */
function isComplete(state: SvdsState, triplets: Triplets, plan: Plan): boolean {
  const spans = state.left.columns === Math.min(...plan.A.shape);
  const pairs = { ...triplets, residualNorms: triplets.coupling.map(Math.abs) };
  return spans || excludesCopies(pairs, { ...plan, target: target(triplets, plan) });
}

/**
 * Bases of the foremost singular vectors, and the right vector that comes next. `fresh` keeps converged vectors alone, locks them, and goes on from a
 * random vector.
 */
async function restarted(
  state: SvdsState,
  triplets: Triplets,
  { plan, fresh }: { readonly plan: Plan; readonly fresh: boolean },
): Promise<SvdsState> {
  const { basisSize, dtype, arithmetic, seed, run } = plan;
  const steps = state.left.columns;
  const chosen = fresh ? convergedTriplets(triplets, plan) : keptTriplets(triplets, plan);
  const count = chosen.length;
  const right = await arithmetic.combine(leadingColumns(state.right, steps), columnsOf(triplets.Y, chosen));
  const left = await arithmetic.combine(state.left, columnsOf(triplets.X, chosen));
  const projected = new Float64Array(count * count);
  chosen.forEach((from, i) => {
    projected[i * count + i] = triplets.values[from]!;
  });
  const room = roomFor({ ...state, right, left }, basisSize, dtype);
  const next = fresh
    ? await randomDirection(right, { seed, path: `copies ${run.used}`, dtype, arithmetic: hostArithmetic })
    : column(state.right, steps);
  return {
    ...state,
    left: room.left,
    right: withColumn(room.right, next),
    projected: { rows: count, columns: count, data: projected },
    ...(fresh && { locked: count }),
  };
}

/** Foremost triplets that have converged, as many as leave half of the basis for the search beside them. */
function convergedTriplets(triplets: Triplets, plan: Plan): readonly number[] {
  const { k, basisSize } = plan;
  const unconverged = triplets.coupling.findIndex((c) => Math.abs(c) > target(triplets, plan));
  const most = Math.min(k + Math.floor((basisSize - k) / 2), basisSize - 2);
  const count = Math.min(most, unconverged < 0 ? triplets.values.length : unconverged);
  return Array.from({ length: count }, (_, i) => i);
}

/** The locked triplets and, of the others, the foremost that half of the remaining basis can hold. */
function keptTriplets({ locked, values }: Triplets, { k, basisSize }: Plan): readonly number[] {
  const indices = Array.from(values, (_, i) => i);
  const fixed = indices.filter((i) => locked[i]);
  const free = basisSize - fixed.length;
  const half = Math.min(Math.max(Math.floor(free / 2), 1), free - 1);
  const most = fixed.length > 0 ? half : Math.min(k + Math.floor((basisSize - k) / 2), basisSize - 1);
  return [...fixed, ...indices.filter((i) => !locked[i]).slice(0, most)];
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
  const order = preference(pairs?.values.slice(0, count) ?? new Float64Array(0), plan.which);
  const U = pairs ? await arithmetic.combine(state.left, columnsOf(pairs.X, order)) : none(state.left.rows);
  const V = pairs
    ? await arithmetic.combine(leadingColumns(state.right, steps), columnsOf(pairs.Y, order))
    : none(state.columns);
  const values = Float64Array.from(order, (i) => pairs!.values[i]!);
  const residualNorms = Float64Array.from(order, (i) => Math.abs(pairs!.coupling[i]!));
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
  if (good === k) {
    const complete = pairs !== undefined && isComplete(state, pairs, plan);
    return {
      ...found,
      ...convergedOutcome(happened, { matvecs, complete, copies: plan.copies, of: "singular values" }),
    };
  }
  const rounded = `${happened}, though the recurrence says all have: products are rounded`;
  if (pairs && isConverged(pairs, plan)) return { ...found, ...outcome("stagnated", { happened: rounded, matvecs }) };
  const advice = "raise matvecs or basisSize, or loosen tolerance";
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
