import { CurvatureError } from "../../errors/index.ts";
import { column, type Matrix, type Precision, zeros } from "../../tensors/index.ts";
import { qr } from "../dense/index.ts";
import {
  checkCount,
  checkNonnegative,
  checkSeed,
  checkSquare,
  checkState,
  epsilon,
  precision,
} from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { type Interruption, isInterruption, type Products, products } from "../runs/products.ts";
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
import {
  arithmeticOf,
  axpy,
  dot,
  hostArithmetic,
  maxAbs,
  multiply,
  norm,
  transposedProduct,
} from "../vectors/vector.ts";
import { KEYS, type RitzVectors, ritzVectors, type WhichComplex, whole } from "./complexRitz.ts";
import { convergedOutcome, SURE } from "./copies.ts";
import { trailingBlock } from "./ritzPairs.ts";

/** Options of `eigs`. */
export interface EigsOptions extends RunOptions {
  /** Number of eigenvalues, at most n; one more comes where the last is the first of a conjugate pair. */
  readonly k: number;
  /** "magnitude" by default. */
  readonly which?: WhichComplex;
  readonly seed: number;
  /** Bound on every residual norm over the largest |eigenvalue|: 1e-8 by default, 1e-4 for float32 operators. */
  readonly tolerance?: number;
  /** Most products; default 50 times `basisSize`. The last k + 1 are kept for the true residuals. */
  readonly matvecs?: number;
  /** Most basis vectors held at once, at least k + 3 unless n is smaller; default `max(2 k + 16, 32)`. */
  readonly basisSize?: number;
  /**
   * Whether to look for further copies of repeated eigenvalues once k pairs have converged (default true), on the complement of the k pairs and until
   * its own outermost eigenvalue is known to come after the k-th: about as many steps as the k pairs took, and once more for each copy. Without it, or
   * where the budget ends it, copies may be missing.
   */
  readonly copies?: boolean;
  /** Where an earlier run with the same options stopped. */
  readonly state?: EigsState;
}

/** A Krylov decomposition `A Q = Q H + q c'`: plain data, from which the run can go on. */
export interface EigsState {
  readonly method: "eigs";
  readonly columns: number;
  readonly matvecs: number;
  /** `[n, m + 1]`, orthonormal: Q and q; one column fewer where Q spans everything. */
  readonly basis: Matrix;
  /** `[m, m]` */
  readonly projected: Matrix;
  /** `[m]` */
  readonly coupling: Float64Array;
  /** Leading columns of Q that have converged, while further copies of them are looked for in their complement. */
  readonly locked?: number;
}

/** Some eigenvalues and right eigenvectors, conjugate pairs together, the positive imaginary part first. */
export interface EigsResult extends Outcome {
  /** `[k]` or `[k + 1]` each. */
  readonly values: { readonly real: Float64Array; readonly imaginary: Float64Array };
  /** `[n, k]` or `[n, k + 1]` each; every column has length 1 as a complex vector. */
  readonly vectors: { readonly real: Matrix; readonly imaginary: Matrix };
  /**
   * `||A v - value v||` from one more product each. Unlike for symmetric matrices it bounds no distance: that takes the condition of the value.
   */
  readonly residualNorms: Float64Array;
}

const NAME = "eigs";

interface Plan {
  readonly A: LinearOperator;
  readonly run: Products;
  readonly k: number;
  readonly which: WhichComplex;
  readonly seed: number;
  readonly tolerance: number;
  readonly basisSize: number;
  readonly copies: boolean;
  readonly dtype: Precision;
}

/**
 * Outermost eigenvalues of a square operator that is not symmetric, as `K^-1 H` is, by Arnoldi with restarts in the manner of Krylov and Schur
 * (Arnoldi, 1951; Stewart, 2002): a restart keeps an orthonormal basis of the wanted eigenvectors, on which A is their part of its real Schur
 * form in another basis. One product a step and one for each eigenvalue at the end. "converged" means that residuals are small and that no copy of a
 * repeated eigenvalue is missing (see `copies`). Convergence is looked at every fourth step.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function eigs(A: LinearOperator, options: EigsOptions): Promise<EigsResult> {
  return runToEnd(eigsSteps(A, options));
}

/** The run of `eigs` product by product; yields a state after each, from which `state` resumes it. */
export async function* eigsSteps(A: LinearOperator, options: EigsOptions): AsyncGenerator<EigsState, EigsResult, void> {
  checkOptions(NAME, options, "k which seed tolerance matvecs basisSize copies state signal onProgress");
  const plan = planned(A, options);
  const { run, k, basisSize, dtype } = plan;
  let state = options.state ?? (await initialState(plan));
  checkState(NAME, state, { method: NAME, columns: A.shape[1] });
  state = { ...state, basis: growingBasis(state.basis, { capacity: basisSize + 1, dtype }) };
  for (;;) {
    const m = state.coupling.length;
    const spans = state.basis.columns === m;
    const short = run.left < k + 2;
    const full = m === basisSize || spans || short;
    if (full || (m > 0 && m % 4 === 0)) {
      const ritz = m > 0 ? await ritzVectors(state, plan) : undefined;
      const done = ritz !== undefined && isConverged(ritz, plan);
      const search = done && plan.copies ? await searched(state, plan) : "complete";
      if (spans || short || (done && search === "complete")) return conclude(state, plan, { ritz });
      // A basis that can hold everything shows every copy when it does.
      const fresh = done && search === "start" && basisSize < state.columns;
      if (fresh) state = await lockedState(state, ritz, plan);
      else if (full) state = await restarted(state, ritz!, plan);
    }
    const next = await step(state, plan);
    if ("status" in next) return conclude(state, plan, { interruption: next });
    state = next;
    run.report();
    yield state;
  }
}

function planned(A: LinearOperator, options: EigsOptions): Plan {
  checkSquare(NAME, A);
  const n = A.shape[1];
  const { k, which = "magnitude", seed, tolerance = precision(A) === "float32" ? 1e-4 : 1e-8 } = options;
  checkCount(NAME, "k", k);
  if (k > n)
    throw new CurvatureError("argument", `${NAME} expects k of at most ${n}, the order of the matrix, got ${k}`);
  if (!Object.hasOwn(KEYS, which)) {
    const known = Object.keys(KEYS).join('", "');
    throw new CurvatureError("argument", `${NAME} expects which to be one of "${known}", got "${which}"`);
  }
  checkSeed(NAME, seed);
  checkNonnegative(NAME, "tolerance", tolerance);
  const { basisSize = Math.max(2 * k + 16, 32) } = options;
  checkCount(NAME, "basisSize", basisSize);
  if (basisSize < Math.min(k + 3, n)) {
    throw new CurvatureError("argument", `${NAME} expects basisSize to be at least k + 3 = ${k + 3}, got ${basisSize}`);
  }
  const { matvecs = 50 * basisSize, copies = true } = options;
  checkCount(NAME, "matvecs", matvecs);
  const run = products(A, { ...options, name: NAME, matvecs, used: options.state?.matvecs ?? 0 });
  return { A, run, k, which, seed, tolerance, basisSize: Math.min(basisSize, n), copies, dtype: precision(A) };
}

async function initialState({ A, seed, dtype }: Plan): Promise<EigsState> {
  const n = A.shape[1];
  const none = { rows: n, columns: 0, data: zeros(0, dtype) };
  const q = await randomDirection(none, { seed, path: 0, dtype, arithmetic: hostArithmetic });
  const empty = new Float64Array(0);
  const projected = { rows: 0, columns: 0, data: empty };
  return { method: NAME, columns: n, matvecs: 0, basis: { rows: n, columns: 1, data: q }, projected, coupling: empty };
}

/** One product, whose coefficients in the basis are the next column of H. */
async function step(state: EigsState, plan: Plan): Promise<EigsState | Interruption> {
  const { A, run, seed, dtype } = plan;
  const { basis, projected, coupling } = state;
  const m = coupling.length;
  const arithmetic = arithmeticOf(A);
  const w = await run.matvec(column(basis, m), () => state);
  if (isInterruption(w)) return w;
  const { vector, coefficients, norm: left } = await orthogonalize(w, basis, arithmetic);
  const data = new Float64Array((m + 1) ** 2);
  for (let j = 0; j < m; j++) {
    data.set(column(projected, j), j * (m + 1));
    data[j * (m + 1) + m] = coupling[j]!;
  }
  data.set(coefficients, m * (m + 1));
  const H = { rows: m + 1, columns: m + 1, data };
  const next = { ...state, matvecs: run.used, projected: H, coupling: new Float64Array(m + 1) };
  if (m + 1 === state.columns) return next;
  const exhausted = left <= 16 * epsilon(dtype) * maxAbs(data);
  const random = { seed, path: run.used, dtype, arithmetic };
  const q = exhausted ? await randomDirection(basis, random) : normalized(vector);
  if (!exhausted) next.coupling[m] = left;
  return { ...next, basis: withColumn(basis, q) };
}

function isConverged(ritz: RitzVectors, { k, tolerance }: Plan): boolean {
  if (ritz.real.length < k) return false;
  return ritz.residualNorms.subarray(0, whole(k, ritz)).every((r) => r <= (tolerance * ritz.scale) / 2);
}

/**
 * How far the search for copies has come: it is to start, again where it has found one; it goes on; or the complement of the locked vectors is known to
 * hold no eigenvalue that belongs among the k foremost, by the rule of copies.ts.
 */
async function searched(state: EigsState, plan: Plan): Promise<"start" | "on" | "complete"> {
  const { locked = 0 } = state;
  if (state.coupling.length === state.columns) return "complete";
  if (locked === 0) return "start";
  if (state.coupling.length === locked) return "on";
  const key = ({ real, imaginary }: RitzVectors, i: number) => KEYS[plan.which](real[i]!, imaginary[i]!);
  const found = await ritzVectors(
    { projected: leadingBlock(state.projected, locked), coupling: new Float64Array(locked) },
    plan,
  );
  const open = await ritzVectors(openPart(state), plan);
  const bound = (plan.tolerance * Math.max(found.scale, open.scale)) / 2;
  const distance = key(found, plan.k - 1) - key(open, 0);
  if (distance < -bound) return "start";
  return open.residualNorms[0]! <= Math.max(bound, SURE * distance) ? "complete" : "on";
}

/** The matrix on the complement of the locked vectors. */
function openPart({ projected, coupling, locked = 0 }: EigsState): Pick<EigsState, "projected" | "coupling"> {
  return { projected: trailingBlock(projected, locked), coupling: coupling.subarray(locked) };
}

/** Converged vectors alone, and a random one to look for copies from in their complement. */
async function lockedState(state: EigsState, ritz: RitzVectors, plan: Plan): Promise<EigsState> {
  const { k, basisSize, seed, dtype, A, run } = plan;
  const bound = (plan.tolerance * ritz.scale) / 2;
  const unconverged = ritz.residualNorms.findIndex((r) => r > bound);
  const most = Math.min(k + Math.floor((basisSize - k) / 2), basisSize - 3);
  const converged = Math.min(most, unconverged < 0 ? ritz.real.length : unconverged);
  const count = whole(Math.max(converged, k), ritz);
  const { Q: W } = await qr(leadingColumns(ritz.coordinates, count));
  const next = await onBasis(state, W, plan);
  const arithmetic = arithmeticOf(A);
  const basis = leadingColumns(next.basis, count);
  const q = await randomDirection(basis, { seed, path: `copies ${run.used}`, dtype, arithmetic });
  return { ...next, basis: withColumn(basis, q), coupling: new Float64Array(count), locked: count };
}

/**
 * The decomposition on an orthonormal basis of the foremost eigenvectors, and of the locked ones before them where there are any;
 * `A Q W = Q W (W' H W) + q (W' c)'` since they span an invariant space.
 */
async function restarted(state: EigsState, ritz: RitzVectors, plan: Plan): Promise<EigsState> {
  const { k, basisSize } = plan;
  const { locked = 0 } = state;
  if (locked === 0) {
    const wanted = Math.min(k + Math.floor((basisSize - k) / 2), basisSize - 2);
    const { Q: W } = await qr(leadingColumns(ritz.coordinates, whole(Math.max(wanted, 1), ritz)));
    return onBasis(state, W, plan);
  }
  const open = await ritzVectors(openPart(state), plan);
  const free = basisSize - locked;
  const count = whole(Math.min(Math.max(Math.floor(free / 2), 1), free - 2), open);
  const { Q } = await qr(leadingColumns(open.coordinates, count));
  return onBasis(state, besideIdentity(Q, locked), plan);
}

/** The decomposition on the vectors with these coordinates, which span an invariant space of H. */
async function onBasis(state: EigsState, W: Matrix, { A, basisSize, dtype }: Plan): Promise<EigsState> {
  const { basis, projected, coupling } = state;
  const m = coupling.length;
  const kept = await arithmeticOf(A).combine(leadingColumns(basis, m), W);
  const grown = growingBasis(kept, { capacity: basisSize + 1, dtype });
  return {
    ...state,
    basis: withColumn(grown, column(basis, m)),
    projected: transposedProduct(W, multiply(projected, W)),
    coupling: Float64Array.from({ length: W.columns }, (_, j) => dot(coupling, column(W, j))),
  };
}

/** Unit vectors before the columns of Q, which get as many zeros on top. */
function besideIdentity(Q: Matrix, count: number): Matrix {
  const rows = count + Q.rows;
  const data = new Float64Array(rows * (count + Q.columns));
  for (let i = 0; i < count; i++) data[i * rows + i] = 1;
  for (let j = 0; j < Q.columns; j++) data.set(column(Q, j), (count + j) * rows + count);
  return { rows, columns: count + Q.columns, data };
}

/** The block of the first rows and columns. */
function leadingBlock({ rows, data }: Matrix, size: number): Matrix {
  const block = new Float64Array(size * size);
  for (let j = 0; j < size; j++) block.set(data.subarray(j * rows, j * rows + size), j * size);
  return { rows: size, columns: size, data: block };
}

async function conclude(
  state: EigsState,
  plan: Plan,
  { ritz, interruption }: { readonly ritz?: RitzVectors | undefined; readonly interruption?: Interruption },
): Promise<EigsResult> {
  const { A, run, k, tolerance } = plan;
  const m = state.coupling.length;
  const found = ritz ?? (m > 0 ? await ritzVectors(state, plan) : undefined);
  const count = found ? Math.min(whole(k, found), found.real.length) : 0;
  const values = {
    real: found?.real.slice(0, count) ?? new Float64Array(0),
    imaginary: found?.imaginary.slice(0, count) ?? new Float64Array(0),
  };
  const residualNorms = found?.residualNorms.slice(0, count) ?? new Float64Array(0);
  const none = { rows: state.columns, columns: 0, data: zeros(0, plan.dtype) };
  const arithmetic = arithmeticOf(A);
  const parts = found
    ? await arithmetic.combine(leadingColumns(state.basis, m), leadingColumns(found.coordinates, count))
    : none;
  const vectors = complexColumns(parts, values.imaginary);
  const stopped = interruption ?? (await trueResiduals(state, plan, { parts, values, residualNorms }));
  const matvecs = run.used;
  const result = { values, vectors, residualNorms };
  if (stopped) return { ...result, ...outcome(stopped.status, { happened: stopped.happened, matvecs }) };
  const good = residualNorms.filter((r) => r <= tolerance * (found?.scale ?? 0)).length;
  const happened = `${good} of ${Math.max(k, count)} eigenpairs have residuals below ${tolerance} of the largest |eigenvalue|`;
  if (count >= k && good === count) {
    const complete = plan.copies && (await searched(state, plan)) === "complete";
    return { ...result, ...convergedOutcome(happened, { matvecs, complete, copies: plan.copies, of: "eigenvalues" }) };
  }
  const rounded = `${happened}, though the recurrence says all have: products are rounded`;
  if (found && isConverged(found, plan)) return { ...result, ...outcome("stagnated", { happened: rounded, matvecs }) };
  const advice = "raise matvecs or basisSize, or loosen tolerance";
  return { ...result, ...outcome("budget", { happened, matvecs, advice }) };
}

/** Columns of parts as complex vectors: those of a pair are conjugates. */
function complexColumns(parts: Matrix, imaginaryValues: Float64Array): EigsResult["vectors"] {
  const real = { ...parts, data: parts.data.slice() };
  const imaginary = {
    ...parts,
    data: zeros(parts.data.length, parts.data instanceof Float64Array ? "float64" : "float32"),
  };
  imaginaryValues.forEach((value, i) => {
    if (!(value > 0)) return;
    column(imaginary, i).set(column(parts, i + 1));
    column(imaginary, i + 1).set(column(parts, i + 1).map((entry) => -entry));
    column(real, i + 1).set(column(parts, i));
  });
  return { real, imaginary };
}

/** Writes `||A v - value v||` over the estimates: of a pair `A x - (a x - b y)` and `A y - (b x + a y)` for `v = x + i y`. */
async function trueResiduals(
  state: EigsState,
  { run }: Plan,
  at: { readonly parts: Matrix; readonly values: EigsResult["values"]; readonly residualNorms: Float64Array },
): Promise<Interruption | undefined> {
  const { parts, values, residualNorms } = at;
  for (let i = 0; i < parts.columns; i++) {
    const [a, b] = [values.real[i]!, values.imaginary[i]!];
    const x = column(parts, i);
    const Ax = await run.matvec(x, () => state);
    if (isInterruption(Ax)) return Ax;
    axpy(-a, x, Ax);
    if (!(b > 0)) {
      residualNorms[i] = norm(Ax);
      continue;
    }
    const y = column(parts, i + 1);
    axpy(b, y, Ax);
    const Ay = await run.matvec(y, () => state);
    if (isInterruption(Ay)) return Ay;
    axpy(-b, x, Ay);
    axpy(-a, y, Ay);
    residualNorms[i] = residualNorms[i + 1] = Math.hypot(norm(Ax), norm(Ay));
    i++;
  }
  return undefined;
}
