import { CurvatureError } from "../../errors/index.ts";
import { column, type Matrix, type Vector, zeros } from "../../tensors/index.ts";
import { damped } from "../algebra/damped.ts";
import {
  checkArgument,
  checkCount,
  checkDeclaredSymmetric,
  checkSeed,
  checkState,
  precision,
} from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { checkedRun } from "../runs/checkedRun.ts";
import { isInterruption, products } from "../runs/products.ts";
import { type Outcome, outcome, type Status } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { minres } from "../systems/minres.ts";
import { axpy, dot, norm } from "../vectors/vector.ts";
import { type EigshState, eigshSteps } from "./eigsh.ts";

/** Options of `eigshInterior`. */
export interface EigshInteriorOptions extends RunOptions {
  /** Number of eigenpairs, at most n. */
  readonly k: number;
  /** Where eigenvalues are looked for; must not be one itself. */
  readonly shift: number;
  readonly seed: number;
  /** Bound on every residual norm over `|value - shift| + |shift|`: 1e-8 by default, 1e-4 for float32 operators. */
  readonly tolerance?: number | undefined;
  /** Most products with A, those of the inner solves included; default 100,000. The last k are kept for the true residuals. */
  readonly matvecs?: number | undefined;
  /** `(A - shift I)^-1`, from a factorization or another solver; default minres on each system, to `tolerance / 10`. */
  readonly inverse?: LinearOperator | undefined;
  /** Positive definite operator close to `|A - shift I|^-1`, for the inner minres. */
  readonly preconditioner?: LinearOperator | undefined;
  /** Most basis vectors held at once; default `max(2 k + 16, 32)`. */
  readonly basisSize?: number | undefined;
  /** Where an earlier run with the same options stopped. */
  readonly state?: EigshInteriorState | undefined;
}

/** The outer Krylov space after `matvecs` products with A: plain data, from which the run can go on. */
export interface EigshInteriorState {
  readonly method: "eigshInterior";
  readonly columns: number;
  readonly matvecs: number;
  /** State of the Lanczos process on the inverse, absent before its first step. */
  readonly outer?: EigshState | undefined;
}

/** The eigenpairs nearest to the shift. */
export interface EigshInteriorResult extends Outcome {
  /** `[k]`, the nearest first; fewer only where the run ended before k could be formed. */
  readonly values: Float64Array;
  /** `[n, k]`, orthonormal to the tolerance. */
  readonly vectors: Matrix;
  /** `[k]`, `||A v - value v||` from one product each. */
  readonly residualNorms: Float64Array;
  /** Systems that were solved. */
  readonly solves: number;
}

const NAME = "eigshInterior";

/**
 * Eigenvalues of a symmetric matrix nearest to a shift, inside of its spectrum or not, by shift-and-invert Lanczos (Ericsson and Ruhe, 1980):
 * `eigsh` on `(A - shift I)^-1`, whose largest eigenvalues belong to those nearest. Each of its steps solves one system, by `minres` at the
 * cost of many products, or by `inverse` at none; k products at the end for the true residuals.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function eigshInterior(A: LinearOperator, options: EigshInteriorOptions): Promise<EigshInteriorResult> {
  return runToEnd(eigshInteriorSteps(A, options));
}

interface Inner {
  used: number;
  solves: number;
  failure?: { readonly status: Status; readonly happened: string };
}

/** The run of `eigshInterior` system by system; yields a state after each, from which `state` resumes it. */
export async function* eigshInteriorSteps(
  A: LinearOperator,
  options: EigshInteriorOptions,
): AsyncGenerator<EigshInteriorState, EigshInteriorResult, void> {
  checkOptions(
    NAME,
    options,
    "k shift seed tolerance matvecs inverse preconditioner basisSize state signal onProgress",
  );
  const plan = planned(A, options);
  const { k, seed, tolerance, basisSize = Math.max(2 * k + 16, 32) } = plan;
  const columns = A.shape[1];
  const saved = options.state;
  if (saved) checkState(NAME, saved, { method: NAME, columns });
  const inner: Inner = { used: saved?.matvecs ?? 0, solves: saved?.outer?.matvecs ?? 0 };
  const inverse = plan.inverse ?? solver(A, { plan, inner });
  const outer = eigshSteps(inverse, {
    k,
    seed,
    basisSize,
    tolerance: tolerance / 4,
    which: "magnitude",
    matvecs: 1_000_000,
    copies: false,
    signal: options.signal,
    state: saved?.outer,
  });
  let state: EigshInteriorState = saved ?? { method: NAME, columns, matvecs: 0 };
  for (;;) {
    const next = await outer.next().catch((error: unknown) => {
      throw withState(error, { state, used: inner.used });
    });
    if (next.done) return conclude(A, { plan, inner, state, found: next.value, options });
    state = { method: NAME, columns, matvecs: inner.used, outer: next.value };
    options.onProgress?.({ stage: NAME, done: inner.used, total: plan.matvecs });
    yield state;
  }
}

type Plan = EigshInteriorOptions & { readonly tolerance: number; readonly matvecs: number };

function planned(A: LinearOperator, options: EigshInteriorOptions): Plan {
  checkDeclaredSymmetric(NAME, A);
  const { k, shift, seed } = options;
  checkCount(NAME, "k", k);
  checkSeed(NAME, seed);
  const { tolerance, matvecs } = checkedRun(A, options, { name: NAME, matvecs: 100_000 });
  checkArgument(Number.isFinite(shift), `${NAME} expects shift to be a finite number, got ${shift}`);
  return { ...options, tolerance, matvecs };
}

/** `(A - shift I)^-1` by minres, which ends the outer process by a vector that is not finite where it has no solution. */
function solver(A: LinearOperator, { plan, inner }: { readonly plan: Plan; readonly inner: Inner }): LinearOperator {
  const shifted = damped(A, -plan.shift);
  return {
    shape: A.shape,
    dtype: precision(A),
    symmetric: true,
    psd: false,
    arithmetic: A.arithmetic,
    async matvec(b, { signal } = {}): Promise<Vector> {
      const left = plan.matvecs - plan.k - inner.used;
      const stop = (status: Status, happened: string) => {
        inner.failure = { status, happened };
        return zeros(b.length, precision(A)).fill(Number.NaN);
      };
      if (left < 3) return stop("budget", `the products were used up after ${inner.solves} systems`);
      const { x, status, message, matvecs } = await minres(shifted, b, {
        tolerance: plan.tolerance / 10,
        matvecs: left,
        signal,
        preconditioner: plan.preconditioner,
      });
      inner.used += matvecs;
      if (status !== "converged") return stop(status, `system ${inner.solves + 1} was not solved: ${message}`);
      inner.solves++;
      return x;
    },
  };
}

/** The failure of a product within a system within the outer process, as one of this method with the operator's own error as its cause. */
function withState(error: unknown, { state, used }: { state: EigshInteriorState; used: number }): unknown {
  if (!(error instanceof CurvatureError)) return error;
  let failure = error;
  while (failure.cause instanceof CurvatureError && failure.cause.state !== undefined) failure = failure.cause;
  const { cause, code, state: system } = failure;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const product = used + ((system as { matvecs?: number })?.matvecs ?? 0) + 1;
  const message = `${NAME} expected product ${product} of the operator, which failed: ${reason}; resume from error.state`;
  return new CurvatureError(code, message, { cause, state });
}

async function conclude(
  A: LinearOperator,
  at: {
    readonly plan: Plan;
    readonly inner: Inner;
    readonly state: EigshInteriorState;
    readonly found: { readonly values: Float64Array; readonly vectors: Matrix } & Outcome;
    readonly options: EigshInteriorOptions;
  },
): Promise<EigshInteriorResult> {
  const { plan, inner, state, found, options } = at;
  const { vectors } = found;
  const run = products(A, { ...options, name: NAME, matvecs: plan.matvecs, used: inner.used });
  const values = found.values.map((theta) => plan.shift + 1 / theta);
  const residualNorms = new Float64Array(values.length).fill(Number.POSITIVE_INFINITY);
  const aborted = found.status === "aborted" || inner.failure?.status === "nonfinite";
  const made = aborted ? { columns: [] } : await run.block(vectors, () => state);
  for (const [i, Av] of made.columns.entries()) {
    if (isInterruption(Av)) break;
    // The Rayleigh quotient is the better value: its error is the square of the vector's.
    values[i] = dot(column(vectors, i), Av) / dot(column(vectors, i), column(vectors, i));
    axpy(-values[i]!, column(vectors, i), Av);
    residualNorms[i] = norm(Av);
  }
  const bound = (i: number) => plan.tolerance * (Math.abs(values[i]! - plan.shift) + Math.abs(plan.shift));
  const good = residualNorms.filter((r, i) => r <= bound(i)).length;
  const happened = `${good} of ${plan.k} eigenpairs nearest to ${plan.shift} have residuals below ${plan.tolerance} of their size, after ${inner.solves} systems`;
  const rest = { values, vectors, residualNorms, solves: inner.solves };
  const failed =
    inner.failure ?? (found.status === "converged" ? undefined : { status: found.status, happened: found.message });
  const matvecs = run.used;
  if (failed) return { ...rest, ...outcome(failed.status, { happened: `${failed.happened}; ${happened}`, matvecs }) };
  return { ...rest, ...outcome(good === plan.k ? "converged" : "stagnated", { happened, matvecs }) };
}
