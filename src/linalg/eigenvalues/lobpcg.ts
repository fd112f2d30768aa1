import { column, type Matrix } from "../../tensors/index.ts";
import {
  checkArgument,
  checkChoice,
  checkCount,
  checkDeclaredSymmetric,
  checkNonnegative,
  checkSameShape,
  checkSeed,
  checkState,
  precision,
} from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { checkedRun } from "../runs/checkedRun.ts";
import { type Interruption, isInterruption, preconditionerProducts, products } from "../runs/products.ts";
import { type Outcome, outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { growingBasis, leadingColumns, randomDirection, withColumn } from "../vectors/basis.ts";
import { arithmeticOf, axpy, maxAbs, norm } from "../vectors/vector.ts";
import {
  firstStep,
  type LobpcgEnding,
  type LobpcgPlan,
  type LobpcgState,
  nextStep,
  noColumns,
  residualScale,
} from "./lobpcgIteration.ts";

/** Options of `lobpcg`. */
export interface LobpcgOptions extends RunOptions {
  /** Number of eigenpairs; three times as many and the guards must fit into n. */
  readonly k: number;
  /** End of the spectrum: "smallest" (default) or "largest". */
  readonly which?: "smallest" | "largest" | undefined;
  readonly seed: number;
  /** Symmetric positive definite operator `[n, n]` of the generalized problem `A x = value B x`; the identity by default. */
  readonly B?: LinearOperator | undefined;
  /** Symmetric positive definite operator close to the inverse of A, shifted where A is indefinite; not counted in `matvecs`. */
  readonly preconditioner?: LinearOperator | undefined;
  /**
   * Bound on every residual norm over the largest |eigenvalue| seen, with B over `(||A|| + |value| ||B||) ||v||` with norms estimated from
   * below: 1e-6 by default, 1e-3 for float32 operators.
   */
  readonly tolerance?: number | undefined;
  /** Most products with A; 1000 times k by default. The last k are kept for the true residuals. */
  readonly matvecs?: number | undefined;
  /** Further vectors iterated with the k, which speed up convergence where eigenvalues are close; `ceil(k / 4) + 1` by default. */
  readonly guards?: number | undefined;
  /** Where an earlier run with the same options stopped. */
  readonly state?: LobpcgState | undefined;
}

/** Some eigenpairs at one end of the spectrum. */
export interface LobpcgResult extends Outcome {
  /** `[k]`, the outermost first. */
  readonly values: Float64Array;
  /** `[n, k]`, columns in the order of `values`, orthonormal, with B in its inner product: `v_i' B v_j` is 1 for i = j, else 0. */
  readonly vectors: Matrix;
  /**
   * `[k]`, `||A v - value v||`, or `||A v - value B v||`, from one more product each; the iteration's own values after "aborted" and
   * "nonfinite". Some eigenvalue lies within that distance of the value, with B within it over the root of B's smallest eigenvalue.
   */
  readonly residualNorms: Float64Array;
}

const NAME = "lobpcg";

/**
 * Eigenvalues at one end of the spectrum of a symmetric matrix, or of a pencil `A x = value B x`, by the locally optimal block preconditioned
 * conjugate gradient method (Knyazev, 2001): each step minimizes over the span of the vectors, their preconditioned residuals and the last
 * directions, kept orthonormal as by Hetmaniuk and Lehoucq (2006). Products a step: one for each vector that has not converged, at most
 * k + guards; the same at the start, and k at the end. With B as many with B, one vector at a time, which do not count in `matvecs`; none with
 * its inverse, which `eigshGeneralized` needs. Memory `6 n (k + guards)`, `9 n (k + guards)` with B, whatever the number of steps. With a good
 * preconditioner it is the method for the smallest eigenvalues; without one `eigsh` takes fewer products. A B that is not positive definite
 * ends the run as "indefinite" or "breakdown" as soon as a direction shows it.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function lobpcg(A: LinearOperator, options: LobpcgOptions): Promise<LobpcgResult> {
  return runToEnd(lobpcgSteps(A, options));
}

/** The run of `lobpcg` step by step; yields a state after each, from which `state` resumes it. */
export async function* lobpcgSteps(
  A: LinearOperator,
  options: LobpcgOptions,
): AsyncGenerator<LobpcgState, LobpcgResult, void> {
  checkOptions(NAME, options, "k which seed B preconditioner tolerance matvecs guards state signal onProgress");
  const plan = planned(A, options);
  const { run, k } = plan;
  let state = options.state ?? (await initialState(plan));
  checkState(NAME, state, { method: NAME, columns: A.shape[1] });
  for (;;) {
    const active = activeColumns(state, plan);
    const known = state.ax.columns > 0;
    if (known && active.filter((i) => i < k).length === 0) return conclude(state, plan);
    if (run.left < (known ? active.length : plan.size) + k) return conclude(state, plan);
    const next = known ? await nextStep(state, { plan, active }) : await firstStep(state, plan);
    if ("status" in next) return conclude(state, plan, next);
    state = next;
    run.report(maxAbs(state.residualNorms.subarray(0, k)));
    yield state;
  }
}

function planned(A: LinearOperator, options: LobpcgOptions): LobpcgPlan {
  checkDeclaredSymmetric(NAME, A);
  const { k, seed, which = "smallest" } = options;
  const n = A.shape[1];
  checkCount(NAME, "k", k);
  checkSeed(NAME, seed);
  checkChoice(NAME, "which", which, ["smallest", "largest"]);
  checkArgument(k <= n, `${NAME} expects k of at most ${n}, the order of the matrix, got ${k}`);
  const { guards = Math.ceil(k / 4) + 1 } = options;
  checkNonnegative(NAME, "guards", guards);
  const usual = { tolerance: precision(A) === "float32" ? 1e-3 : 1e-6, matvecs: 1000 * k };
  const { tolerance, run } = checkedRun(A, options, { name: NAME, ...usual });
  const size = Math.min(k + Math.floor(guards), n);
  return { A, run, ...companions(A, options), k, size, sign: which === "smallest" ? 1 : -1, seed, tolerance };
}

/** Products with B and the preconditioner, which no budget limits. */
function companions(A: LinearOperator, { B, preconditioner: M, signal }: LobpcgOptions) {
  for (const [what, operator] of [
    ["B", B],
    ["preconditioner", M],
  ] as const) {
    if (!operator) continue;
    checkDeclaredSymmetric(`${NAME} (${what})`, operator);
    checkSameShape(NAME, A, { B: operator, what: `A and ${what}` });
  }
  return {
    metric: B && products(B, { signal, name: `B of ${NAME}`, matvecs: Number.POSITIVE_INFINITY }),
    preconditioner: preconditionerProducts(M, { name: NAME, signal }),
  };
}

async function initialState({ A, size, seed }: LobpcgPlan): Promise<LobpcgState> {
  const n = A.shape[1];
  const dtype = precision(A);
  const none = noColumns(n, dtype);
  let x = growingBasis(none, { capacity: size, dtype });
  const arithmetic = arithmeticOf(A);
  for (let j = 0; j < size; j++) x = withColumn(x, await randomDirection(x, { seed, path: j, dtype, arithmetic }));
  const values = new Float64Array(size);
  const residualNorms = new Float64Array(size).fill(Number.POSITIVE_INFINITY);
  const start = { method: NAME, columns: n, matvecs: 0, steps: 0, scale: 0 } as const;
  return { ...start, x, ax: none, p: none, ap: none, values, residualNorms };
}

/** Vectors whose residuals are above the bound. */
function activeColumns(state: LobpcgState, { tolerance }: LobpcgPlan): readonly number[] {
  const isSmall = (r: number, i: number) => r <= (tolerance * residualScale(state, i)) / 2;
  return Array.from(state.residualNorms, (_, i) => i).filter((i) => !isSmall(state.residualNorms[i]!, i));
}

async function conclude(state: LobpcgState, plan: LobpcgPlan, ending?: LobpcgEnding): Promise<LobpcgResult> {
  const { run, k, tolerance } = plan;
  const known = state.ax.columns > 0;
  const values = state.values.slice(0, known ? k : 0);
  const vectors = leadingColumns(state.x, values.length);
  const residualNorms = state.residualNorms.slice(0, values.length);
  const interrupted = ending?.status === "aborted" || ending?.status === "nonfinite";
  const asked = known && !interrupted && run.left >= k;
  const stopped = (asked ? await trueResiduals(state, plan, { values, vectors, residualNorms }) : undefined) ?? ending;
  const found = { values, vectors: { ...vectors, data: vectors.data.slice() }, residualNorms };
  const matvecs = run.used;
  if (stopped) return { ...found, ...outcome(stopped.status, { ...stopped, matvecs }) };
  const isSmall = (r: number, i: number) => asked && r <= tolerance * residualScale(state, i);
  const good = residualNorms.filter(isSmall).length;
  const measure = state.metric ? "of (||A|| + |value| ||B||) ||v||" : "of the largest |Ritz value|";
  const happened = `${good} of ${k} eigenpairs have residuals below ${tolerance} ${measure} after ${state.steps} steps`;
  if (good === k) return { ...found, ...outcome("converged", { happened, matvecs }) };
  const claimed = asked && activeColumns(state, plan).every((i) => i >= k);
  const rounded = `${happened}, though the iteration says all have: products are rounded`;
  if (claimed) return { ...found, ...outcome("stagnated", { happened: rounded, matvecs }) };
  const advice = "raise matvecs or guards, take a preconditioner, or loosen tolerance";
  return { ...found, ...outcome("budget", { happened, matvecs, advice }) };
}

/** Writes the norms of `A v - value v`, or of `A v - value B v`, over the estimates. */
async function trueResiduals(
  state: LobpcgState,
  { run, metric }: LobpcgPlan,
  { values, vectors, residualNorms }: Pick<LobpcgResult, "values" | "vectors" | "residualNorms">,
): Promise<Interruption | undefined> {
  const made = await run.block(vectors, () => state);
  for (const [i, w] of made.columns.entries()) {
    const v = column(vectors, i);
    const Bv = metric ? await metric.matvec(v, () => state) : v;
    if (isInterruption(Bv)) return Bv;
    axpy(-values[i]!, Bv, w);
    residualNorms[i] = norm(w);
  }
  return made.interruption;
}
