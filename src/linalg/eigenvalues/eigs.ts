import { column, type Matrix, precisionOf, zeros } from "../../tensors/index.ts";
import { qr } from "../dense/index.ts";
import { checkSquare, checkState, epsilon } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { type Interruption, isInterruption } from "../runs/products.ts";
import { type Outcome, outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { growingBasis, leadingColumns, normalized, orthogonalize, withColumn } from "../vectors/basis.ts";
import { axpy, dot, hostArithmetic, maxAbs, multiply, norm, transposedProduct } from "../vectors/vector.ts";
import { KEYS, type RitzVectors, ritzVectors, WHICH_COMPLEX, type WhichComplex, whole } from "./complexRitz.ts";
import { SURE } from "./copies.ts";
import { trailingBlock } from "./ritzPairs.ts";
import {
  type CopySearch,
  freshDirection,
  isConverged,
  lockedCount,
  type ThickRestartEnd,
  type ThickRestartMethod,
  type ThickRestartOptions,
  type ThickRestartPlan,
  thickRestartOutcome,
  thickRestartPlan,
  thickRestartSteps,
} from "./thickRestart.ts";

/** Options of `eigs`; one more eigenvalue comes where the k-th is the first of a conjugate pair. */
export interface EigsOptions extends ThickRestartOptions<EigsState> {
  /** "magnitude" by default. */
  readonly which?: WhichComplex | undefined;
  /** Most products; default 50 times `basisSize`. The last k + 1 are kept for the true residuals. */
  readonly matvecs?: number | undefined;
  /** Most basis vectors held at once, at least k + 3 unless n is smaller; default `max(2 k + 16, 32)`. */
  readonly basisSize?: number | undefined;
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
  readonly locked?: number | undefined;
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
  checkSquare(NAME, A);
  const { k } = options;
  const rules = { name: NAME, choices: WHICH_COMPLEX, basisSize: Math.max(2 * k + 16, 32) };
  const plan = thickRestartPlan(A, options, { ...rules, beside: [3, "k + 3"] });
  const state = options.state ?? (await initialState(plan));
  checkState(NAME, state, { method: NAME, columns: A.shape[1] });
  const basis = growingBasis(state.basis, { capacity: plan.basisSize + 1, dtype: plan.dtype });
  return conclude(plan, yield* thickRestartSteps(methodOf(plan), { ...state, basis }, plan));
}

type Plan = ThickRestartPlan<WhichComplex>;

async function initialState(plan: Plan): Promise<EigsState> {
  const rows = plan.A.shape[1];
  const none = { rows, columns: 0, data: new Float64Array(0) };
  const q = await freshDirection(none, 0, { ...plan, arithmetic: hostArithmetic });
  const start = { method: NAME, columns: rows, matvecs: 0, basis: { rows, columns: 1, data: q } } as const;
  return { ...start, projected: { ...none, rows: 0 }, coupling: none.data };
}

function methodOf(plan: Plan): ThickRestartMethod<EigsState, RitzVectors> {
  const { k, run, basisSize } = plan;
  return {
    spans: (state) => state.basis.columns === state.coupling.length,
    isShort: () => run.left < k + 2,
    hasRoom: (state) => state.coupling.length < basisSize,
    isDue: (state) => state.coupling.length > 0 && state.coupling.length % 4 === 0,
    look: (state) => look(state, plan),
    isConverged: (ritz) => isConverged(ritz, plan, whole(k, ritz)),
    search: (state) => searched(state, plan),
    locked: (state, ritz) => lockedState(state, ritz, plan),
    restarted: (state, ritz) => restarted(state, ritz, plan),
    step: (state) => step(state, plan),
  };
}

async function look(state: EigsState, { which }: Plan): Promise<RitzVectors | undefined> {
  return state.coupling.length > 0 ? ritzVectors(state, which) : undefined;
}

/** One product, whose coefficients in the basis are the next column of H. */
async function step(state: EigsState, plan: Plan): Promise<EigsState | Interruption> {
  const { run, dtype, arithmetic } = plan;
  const { basis, projected, coupling } = state;
  const m = coupling.length;
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
  const q = exhausted ? await freshDirection(basis, run.used, plan) : normalized(vector);
  if (!exhausted) next.coupling[m] = left;
  return { ...next, basis: withColumn(basis, q) };
}

/** The search for copies; complete where the complement of the locked vectors holds no eigenvalue among the k foremost, by the rule of copies.ts. */
async function searched(state: EigsState, { k, which, tolerance, basisSize }: Plan): Promise<CopySearch> {
  const { locked = 0, projected, coupling } = state;
  if (coupling.length === state.columns) return "complete";
  // A basis that can hold everything shows every copy when it does.
  const start = basisSize < state.columns ? "start" : "on";
  if (locked === 0) return start;
  if (coupling.length === locked) return "on";
  const key = ({ real, imaginary }: RitzVectors, i: number) => KEYS[which](real[i]!, imaginary[i]!);
  const known = { projected: leadingBlock(projected, locked), coupling: new Float64Array(locked) };
  const found = await ritzVectors(known, which);
  const open = await ritzVectors(openPart(state), which);
  const bound = (tolerance * Math.max(found.scale, open.scale)) / 2;
  const distance = key(found, k - 1) - key(open, 0);
  if (distance < -bound) return start;
  return open.residualNorms[0]! <= Math.max(bound, SURE * distance) ? "complete" : "on";
}

/** The matrix on the complement of the locked vectors. */
function openPart({ projected, coupling, locked = 0 }: EigsState): Pick<EigsState, "projected" | "coupling"> {
  return { projected: trailingBlock(projected, locked), coupling: coupling.subarray(locked) };
}

/** Converged vectors alone, and a random one to look for copies from in their complement. */
async function lockedState(state: EigsState, ritz: RitzVectors, plan: Plan): Promise<EigsState> {
  const locked = whole(lockedCount(ritz, plan, { spare: 3 }), ritz);
  const { Q: W } = await qr(leadingColumns(ritz.coordinates, locked));
  const next = await onBasis(state, W, plan);
  const basis = leadingColumns(next.basis, locked);
  const q = await freshDirection(basis, `copies ${plan.run.used}`, plan);
  return { ...next, basis: withColumn(basis, q), coupling: new Float64Array(locked), locked };
}

/**
 * The decomposition on an orthonormal basis of the foremost eigenvectors, and of the locked ones before them where there are any;
 * `A Q W = Q W (W' H W) + q (W' c)'` since they span an invariant space.
 */
async function restarted(state: EigsState, ritz: RitzVectors, plan: Plan): Promise<EigsState> {
  const { k, basisSize, which } = plan;
  const { locked = 0 } = state;
  if (locked === 0) {
    const wanted = Math.min(k + Math.floor((basisSize - k) / 2), basisSize - 2);
    const { Q: W } = await qr(leadingColumns(ritz.coordinates, whole(Math.max(wanted, 1), ritz)));
    return onBasis(state, W, plan);
  }
  const open = await ritzVectors(openPart(state), which);
  const free = basisSize - locked;
  const count = whole(Math.min(Math.max(Math.floor(free / 2), 1), free - 2), open);
  const { Q } = await qr(leadingColumns(open.coordinates, count));
  return onBasis(state, besideIdentity(Q, locked), plan);
}

/** The decomposition on the vectors with these coordinates, which span an invariant space of H. */
async function onBasis(state: EigsState, W: Matrix, { arithmetic, basisSize, dtype }: Plan): Promise<EigsState> {
  const { basis, projected, coupling } = state;
  const m = coupling.length;
  const kept = await arithmetic.combine(leadingColumns(basis, m), W);
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
  plan: Plan,
  { state, pairs, interruption }: ThickRestartEnd<EigsState, RitzVectors>,
): Promise<EigsResult> {
  const { A, run, k, dtype, copies, arithmetic } = plan;
  const found = pairs ?? (await look(state, plan));
  const count = found ? Math.min(whole(k, found), found.real.length) : 0;
  const leading = (x: Float64Array | undefined) => x?.slice(0, count) ?? new Float64Array(0);
  const values = { real: leading(found?.real), imaginary: leading(found?.imaginary) };
  const residualNorms = leading(found?.residualNorms);
  const basis = leadingColumns(state.basis, state.coupling.length);
  const parts = found
    ? await arithmetic.combine(basis, leadingColumns(found.coordinates, count))
    : { rows: A.shape[1], columns: 0, data: zeros(0, dtype) };
  const vectors = complexColumns(parts, values.imaginary);
  const stopped = interruption ?? (await trueResiduals(state, plan, { parts, values, residualNorms }));
  const result = { values, vectors, residualNorms };
  if (stopped) return { ...result, ...outcome(stopped.status, { happened: stopped.happened, matvecs: run.used }) };
  const complete = async () => copies && (await searched(state, plan)) === "complete";
  return { ...result, ...(await thickRestartOutcome(plan, { look: found, residualNorms, complete })) };
}

/** Columns of parts as complex vectors: those of a pair are conjugates. */
function complexColumns(parts: Matrix, imaginaryValues: Float64Array): EigsResult["vectors"] {
  const real = { ...parts, data: parts.data.slice() };
  const imaginary = { ...parts, data: zeros(parts.data.length, precisionOf(parts.data)) };
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
