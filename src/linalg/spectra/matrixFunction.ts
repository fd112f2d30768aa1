import { type Vector, zeros } from "../../tensors/index.ts";
import { tridiagonalEigh } from "../dense/index.ts";
import { appended, isExhausted, type LanczosState, tridiagonalization } from "../krylov/lanczos.ts";
import {
  checkCount,
  checkDeclaredSymmetric,
  checkFunction,
  checkState,
  checkVector,
  precision,
} from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { checkedRun } from "../runs/checkedRun.ts";
import { type Interruption, isInterruption, type Products } from "../runs/products.ts";
import { type Outcome, outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { leadingColumns, normalized, wholeColumn, wholeProduct } from "../vectors/basis.ts";
import { arithmeticOf, axpy, dot, maxAbs, norm, scaled } from "../vectors/vector.ts";

/** Options of `matrixFunction`. */
export interface MatrixFunctionOptions extends RunOptions {
  /** Called at Ritz values, which lie inside the spectrum. */
  readonly f: (x: number) => number;
  /** Bound on the error estimate over the norm of the result: 1e-8 by default, 1e-4 for float32 operators. */
  readonly tolerance?: number | undefined;
  /** Most products; 1000 by default. */
  readonly matvecs?: number | undefined;
  /** Most basis vectors held; 100 by default. Steps beyond cost two products each, since their vectors are made a second time. */
  readonly basisSize?: number | undefined;
  /** Where an earlier run with the same A, b and options stopped. */
  readonly state?: MatrixFunctionState | undefined;
}

/** Plain data, from which the run can go on. */
export interface MatrixFunctionState {
  readonly method: "matrixFunction";
  readonly columns: number;
  readonly matvecs: number;
  readonly lanczos?: LanczosState | undefined;
  /** The recurrence beyond the basis: T as a whole, and the two vectors that the next step needs. */
  readonly beyond?: Recurrence | undefined;
  /** The second pass: how far the sum over vectors beyond the basis has come. */
  readonly again?: Recurrence & { readonly x: Vector; readonly step: number };
  /** `f(T) e_1` at the last look, and how much it had changed since the one before, times `||b||`. */
  readonly coefficients: Float64Array;
  readonly errorEstimate: number;
}

interface Recurrence {
  readonly alpha: Float64Array;
  readonly beta: Float64Array;
  readonly previous: Vector;
  readonly latest: Vector;
}

/** A matrix function times a vector. */
export interface MatrixFunctionResult extends Outcome {
  /** `[n]` */
  readonly x: Vector;
  /** Distance of x from the approximation of four steps before, which exceeds the error of x where the steps converge. */
  readonly errorEstimate: number;
}

const NAME = "matrixFunction";
const LOOK_EVERY = 4;

/**
 * Matrix function times a vector, `f(A) b` for symmetric A, by Lanczos: `||b|| Q f(T) e_1` (Druskin and Knizhnerman, 1989; Saad, 1992). One
 * product a step, with full reorthogonalization while the basis has at most `basisSize` vectors. Then the three-term recurrence goes on
 * without keeping them, and once converged starts again from the end of the basis to add up what they contribute (two-pass Lanczos: Borici,
 * 2000; Frommer and Simoncini, 2008); rounding delays its convergence, it does not spoil it (Druskin and Knizhnerman, 1991). Status
 * "indefinite" where f is not finite at a Ritz value.
 *
 * @throws CurvatureError "argument", "shape" or "numeric" for options, operators or vectors it cannot take; whatever the operator throws,
 * with `state`
 */
export async function matrixFunction(
  A: LinearOperator,
  b: Vector,
  options: MatrixFunctionOptions,
): Promise<MatrixFunctionResult> {
  return runToEnd(matrixFunctionSteps(A, b, options));
}

interface Context {
  readonly A: LinearOperator;
  readonly size: number;
  readonly f: (x: number) => number;
  readonly tolerance: number;
  readonly run: Products;
}

/** Why a run ends, or that it goes on. */
interface Verdict {
  readonly status: "converged" | "budget" | "indefinite" | Interruption["status"];
  readonly happened: string;
}

function initialState(columns: number): MatrixFunctionState {
  const nothing = { coefficients: new Float64Array(0), errorEstimate: Number.POSITIVE_INFINITY };
  return { method: NAME, columns, matvecs: 0, ...nothing };
}

/** The run of `matrixFunction` product by product; yields a state after each, from which `state` resumes it. */
export async function* matrixFunctionSteps(
  A: LinearOperator,
  b: Vector,
  options: MatrixFunctionOptions,
): AsyncGenerator<MatrixFunctionState, MatrixFunctionResult, void> {
  checkOptions(NAME, options, "f tolerance matvecs basisSize state signal onProgress");
  checkFunction("matrixFunction", "f", options.f);
  checkDeclaredSymmetric(NAME, A);
  const n = A.shape[1];
  checkVector(NAME, b, { what: "b", length: n });
  const { f, basisSize = 100 } = options;
  const { tolerance, matvecs, run } = checkedRun(A, options, { name: NAME });
  checkCount(NAME, "basisSize", basisSize);
  let state = options.state ?? initialState(n);
  checkState(NAME, state, { method: NAME, columns: n });
  const context = { A, size: norm(b), f, tolerance, run };
  if (context.size === 0) {
    const happened = "b is zero, and so is the result";
    return { x: zeros(n, precision(A)), errorEstimate: 0, ...outcome("converged", { happened, matvecs: run.used }) };
  }
  if (!state.beyond) {
    const first = yield* basisSteps(state, context, { b, basisSize: Math.min(basisSize, matvecs) });
    if (first.verdict) return fromBasis(first.state, context, first.verdict);
    state = { ...first.state, beyond: await startOf(first.state.lanczos!, context) };
  }
  if (!state.again) {
    const second = yield* beyondSteps(state, context);
    const { verdict } = second;
    state = second.state;
    const held = state.lanczos!.alpha.length;
    const alone = state.coefficients.length <= held || verdict.status !== settled(state, context).status;
    if (alone) return fromBasis(state, context, verdict);
  }
  return yield* secondPass(state, context);
}

interface Stage {
  readonly state: MatrixFunctionState;
  readonly verdict?: Verdict | undefined;
}

/** Steps with a full basis; no verdict where it is full and the run goes on without. */
async function* basisSteps(
  before: MatrixFunctionState,
  context: Context,
  { b, basisSize }: { readonly b: Vector; readonly basisSize: number },
): AsyncGenerator<MatrixFunctionState, Stage, void> {
  const { A, run } = context;
  let state = before;
  const enclosing = (lanczos: LanczosState): MatrixFunctionState => ({ ...state, matvecs: run.used, lanczos });
  const process = tridiagonalization(A, run, {
    name: NAME,
    steps: basisSize,
    start: b,
    enclosing,
    state: before.lanczos,
  });
  for (;;) {
    const next = await process.next();
    const lanczos = next.done ? next.value.state : next.value;
    state = enclosing(lanczos);
    const m = lanczos.alpha.length;
    if (m > 0 && (next.done || m % LOOK_EVERY === 0)) {
      const looking = await looked(state, context, { ...lanczos, exhausted: lanczos.basis.columns === m });
      state = looking.state;
      const verdict = next.done && next.value.interruption ? next.value.interruption : looking.verdict;
      if (verdict) return { state, verdict };
    }
    if (next.done) {
      const { interruption } = next.value;
      if (interruption) return { state, verdict: interruption };
      return run.left > 0 ? { state } : { state, verdict: settled(state, context) };
    }
    yield state;
  }
}

/** The state with `f(T) e_1` and how much it has changed; a verdict where that is little enough, or f is not finite. */
async function looked(
  state: MatrixFunctionState,
  context: Context,
  {
    alpha,
    beta,
    exhausted,
  }: { readonly alpha: Float64Array; readonly beta: Float64Array; readonly exhausted: boolean },
): Promise<Stage> {
  const { f, size } = context;
  const m = alpha.length;
  const { coefficients: before } = state;
  if (before.length === m) return { state };
  const { values, vectors } = await tridiagonalEigh(alpha, beta.subarray(0, m - 1));
  const bad = values.find((value) => !Number.isFinite(f(value)));
  if (bad !== undefined) {
    const happened = `f is not finite at the Ritz value ${bad.toPrecision(3)}`;
    return { state, verdict: { status: "indefinite", happened } };
  }
  const y = new Float64Array(m);
  for (let j = 0; j < m; j++) {
    axpy(f(values[j]) * vectors.data[j * m], vectors.data.subarray(j * m, (j + 1) * m), y);
  }
  const known = before.length > 0;
  const errorEstimate = exhausted ? 0 : known ? size * changeOf(before, y) : Number.POSITIVE_INFINITY;
  const next = { ...state, coefficients: y, errorEstimate };
  const verdict = settled(next, context);
  return { state: next, verdict: verdict.status === "converged" ? verdict : undefined };
}

/** Distance of coefficients on a longer basis from those on a shorter one. */
function changeOf(before: Float64Array, y: Float64Array): number {
  const change = y.slice();
  axpy(-1, before, change.subarray(0, before.length));
  return norm(change);
}

/** Whether the last change is as small as was asked for. */
function settled({ coefficients: y, errorEstimate }: MatrixFunctionState, { size, tolerance }: Context): Verdict {
  const steps = y.length;
  if (errorEstimate === 0) {
    const happened = `the Krylov space is exhausted after ${steps} steps, so the result is exact`;
    return { status: "converged", happened };
  }
  const status = errorEstimate <= tolerance * size * norm(y) ? "converged" : "budget";
  const change = errorEstimate.toPrecision(2);
  return {
    status,
    happened: `the result changed by ${change} in the last steps of ${steps}, ${tolerance} of its norm asked for`,
  };
}

/** The result from the basis alone, by its own T. */
async function fromBasis(
  state: MatrixFunctionState,
  context: Context,
  { status, happened }: Verdict,
): Promise<MatrixFunctionResult> {
  const { A, size, run } = context;
  const said = outcome(status, { happened, matvecs: run.used });
  const { alpha, beta, basis } = state.lanczos ?? {
    alpha: new Float64Array(0),
    beta: new Float64Array(0),
    basis: undefined,
  };
  const m = alpha.length;
  const fresh = { ...state, coefficients: new Float64Array(0) };
  const own =
    m === 0 ? undefined : (await looked(fresh, context, { alpha, beta, exhausted: false })).state.coefficients;
  if (!own || own.length === 0) {
    return { x: zeros(A.shape[1], precision(A)), errorEstimate: Number.POSITIVE_INFINITY, ...said };
  }
  const further = state.coefficients.length > m ? size * changeOf(own, state.coefficients) : state.errorEstimate;
  const coefficients = { rows: m, columns: 1, data: scaled(size, own) };
  const x = (await wholeProduct(leadingColumns(basis!, m), coefficients, arithmeticOf(A))).data;
  return { x, errorEstimate: further, ...said };
}

/** The recurrence beyond the basis, whose vectors are not kept. */
async function* beyondSteps(
  before: MatrixFunctionState,
  context: Context,
): AsyncGenerator<MatrixFunctionState, Stage & { readonly verdict: Verdict }, void> {
  const { run } = context;
  let state = before;
  const held = state.lanczos!.alpha.length;
  for (;;) {
    const { alpha, beta } = state.beyond!;
    const extra = alpha.length - held;
    const exhausted = extra > 0 && beta[beta.length - 1] === 0;
    // The second pass makes all vectors beyond the basis but the first, and one more step here takes one more product there.
    const over = run.left < extra + 1;
    if (extra > 0 && (exhausted || over || extra % LOOK_EVERY === 0)) {
      const { state: next, verdict } = await looked(state, context, { alpha, beta, exhausted });
      state = next;
      if (verdict) return { state, verdict };
    }
    if (over) return { state, verdict: settled(state, context) };
    const current = state;
    const next = await recurrenceStep(current.beyond!, context, () => current);
    if ("status" in next) return { state, verdict: next };
    state = { ...state, matvecs: run.used, beyond: next };
    run.report();
    yield state;
  }
}

/** The vectors beyond the basis once more, each added with its coefficient. */
async function* secondPass(
  before: MatrixFunctionState,
  context: Context,
): AsyncGenerator<MatrixFunctionState, MatrixFunctionResult, void> {
  const { size, run } = context;
  const lanczos = before.lanczos!;
  const held = lanczos.alpha.length;
  const y = before.coefficients;
  let again = before.again ?? (await firstOf(lanczos, y, context));
  while (again.step < y.length) {
    const current: MatrixFunctionState = { ...before, again, matvecs: run.used };
    const next = await recurrenceStep(again, context, () => current);
    if ("status" in next) return fromBasis(before, context, next);
    const x = again.x.slice();
    axpy(y[again.step], next.latest, x);
    again = { ...next, x, step: again.step + 1 };
    run.report();
    yield { ...before, matvecs: run.used, again };
  }
  const { status, happened } = settled(before, context);
  const steps = y.length - held;
  const message = `${happened}, with a second pass over ${steps} vectors`;
  return {
    x: scaled(size, again.x),
    errorEstimate: before.errorEstimate,
    ...outcome(status, { happened: message, matvecs: run.used }),
  };
}

/** The sum over the basis and the first vector beyond it. */
async function firstOf(
  lanczos: LanczosState,
  y: Float64Array,
  context: Context,
): Promise<NonNullable<MatrixFunctionState["again"]>> {
  const held = lanczos.alpha.length;
  const start = await startOf(lanczos, context);
  const basis = leadingColumns(lanczos.basis, held);
  const coefficients = { rows: held, columns: 1, data: y.slice(0, held) };
  const x = (await wholeProduct(basis, coefficients, arithmeticOf(context.A))).data;
  axpy(y[held], start.latest, x);
  return { ...start, x, step: held + 1 };
}

/** Where the recurrence goes on from the end of a full basis. */
async function startOf({ basis, alpha, beta }: LanczosState, { A }: Context): Promise<Recurrence> {
  const m = alpha.length;
  const arithmetic = arithmeticOf(A);
  const previous = await wholeColumn(basis, m - 1, arithmetic);
  return { alpha, beta, previous, latest: await wholeColumn(basis, m, arithmetic) };
}

async function recurrenceStep(
  { alpha, beta, previous, latest }: Recurrence,
  { A, run }: Context,
  state: () => unknown,
): Promise<Recurrence | Interruption> {
  const w = await run.matvec(latest, state);
  if (isInterruption(w)) return w;
  axpy(-beta[beta.length - 1], previous, w);
  const a = dot(latest, w);
  axpy(-a, latest, w);
  const longer = appended(alpha, a);
  const left = norm(w);
  const exhausted = isExhausted(left, { scale: Math.max(maxAbs(longer), maxAbs(beta)), dtype: precision(A) });
  const next = exhausted ? w : normalized(w);
  return { alpha: longer, beta: appended(beta, exhausted ? 0 : left), previous: latest, latest: next };
}
