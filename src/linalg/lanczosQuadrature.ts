import { stream } from "../random/index.ts";
import type { Precision } from "../tensors/index.ts";
import { checkCount, checkDeclaredSymmetric, checkSeed, checkState, precision } from "./checks.ts";
import { tridiagonalEigh } from "./dense/index.ts";
import { drive } from "./drive.ts";
import { type LanczosState, tridiagonalization } from "./lanczos.ts";
import type { LinearOperator, RunOptions } from "./operator.ts";
import { checkDistribution, type ProbeDistribution, probe } from "./probes.ts";
import { type Interruption, products } from "./products.ts";
import { type Outcome, outcome } from "./result.ts";

/** Options of stochastic Lanczos quadrature. */
export interface LanczosQuadratureOptions extends RunOptions {
  /** Lanczos steps a probe: the quadrature is exact for polynomials of degree `2 steps - 1`. */
  readonly steps: number;
  /** Number of random vectors that are averaged over. */
  readonly probes: number;
  readonly seed: number;
  /** Most products, `steps * probes` by default. A smaller one makes each probe's Lanczos run shorter, and below one step a probe, fewer probes. */
  readonly matvecs?: number;
  /** Distribution of the probes' entries: "signs" (default) or "gaussian". */
  readonly distribution?: ProbeDistribution;
  /** Where an earlier run with the same options stopped. */
  readonly state?: LanczosQuadratureState;
}

/** Gauss quadrature of one probe's spectral measure. */
export interface Quadrature {
  /** `[m]`, ascending. */
  readonly nodes: Float64Array;
  /** `[m]`, positive, of sum 1. */
  readonly weights: Float64Array;
}

/** The probes done and the Lanczos run of the one in work: plain data, from which the run can go on. */
export interface LanczosQuadratureState {
  readonly method: "lanczosQuadrature";
  readonly columns: number;
  readonly matvecs: number;
  readonly seed: number;
  readonly quadrature: readonly Quadrature[];
  readonly current?: LanczosState;
}

/** What products tell about the distribution of eigenvalues; densities on any scale are read off it without further products. */
export interface LanczosQuadrature extends Outcome {
  /** One for each probe. `n sum_j w_j f(x_j)`, averaged over probes, estimates `tr f(A)`. */
  readonly quadrature: readonly Quadrature[];
  /** Order n of the matrix. */
  readonly order: number;
  readonly dtype: Precision;
  /** Whether the single entry of `quadrature` holds all n eigenvalues with weights 1/n, so that nothing is estimated. */
  readonly exact: boolean;
}

const NAME = "lanczosQuadrature";

/**
 * Stochastic Lanczos quadrature of a symmetric matrix: for each random unit vector v the nodes and weights of the Gauss quadrature of its
 * spectral measure, `v' f(A) v = sum_j w_j f(x_j)`, from the eigenpairs of its tridiagonal T (Golub and Welsch, 1969; Ubaru, Chen and Saad,
 * 2017). At most `steps * probes` products, one a step; fewer where a Krylov space is exhausted, after which its quadrature is exact. Where
 * n is at most `steps`, n products give all eigenvalues.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function lanczosQuadrature(
  A: LinearOperator,
  options: LanczosQuadratureOptions,
): Promise<LanczosQuadrature> {
  return drive(lanczosQuadratureSteps(A, options));
}

/** The run of `lanczosQuadrature` product by product; yields a state after each, from which `state` resumes it. */
export function lanczosQuadratureSteps(
  A: LinearOperator,
  options: LanczosQuadratureOptions,
): AsyncGenerator<LanczosQuadratureState, LanczosQuadrature, void> {
  return quadratureSteps(A, { ...options, name: NAME });
}

/** The run itself; `name` is the function that was called. */
export async function* quadratureSteps(
  A: LinearOperator,
  options: LanczosQuadratureOptions & { readonly name: string },
): AsyncGenerator<LanczosQuadratureState, LanczosQuadrature, void> {
  const { name } = options;
  const plan = planned(A, options);
  const columns = A.shape[1];
  const { seed } = options;
  let state: LanczosQuadratureState = options.state ?? { method: NAME, columns, matvecs: 0, seed, quadrature: [] };
  checkState(name, state, { method: NAME, columns, seed });
  const run = products(A, { ...options, name, matvecs: plan.products, used: state.matvecs });
  while (state.quadrature.length < plan.probes) {
    const before = state;
    const enclosing = (current: LanczosState): LanczosQuadratureState => ({ ...before, matvecs: run.used, current });
    const process = tridiagonalization(A, run, { ...probeOptions(A, before, plan), name, enclosing });
    let step = await process.next();
    for (; !step.done; step = await process.next()) yield enclosing(step.value);
    const { state: finished, interruption } = step.value;
    if (interruption) {
      const partial = before.quadrature.length === 0 ? await quadratureOf(finished, plan.exact) : [];
      return { ...result(A, [...before.quadrature, ...partial], plan), ...ending(run.used, plan, interruption) };
    }
    const { current: _, ...rest } = before;
    state = {
      ...rest,
      matvecs: run.used,
      quadrature: [...before.quadrature, ...(await quadratureOf(finished, plan.exact))],
    };
  }
  return { ...result(A, state.quadrature, plan), ...ending(run.used, plan) };
}

interface Plan {
  readonly probes: number;
  readonly steps: number;
  readonly products: number;
  readonly exact: boolean;
  readonly seed: number;
  readonly distribution: ProbeDistribution;
}

function planned(A: LinearOperator, options: LanczosQuadratureOptions & { readonly name: string }): Plan {
  const { name, steps, probes, seed, distribution = "signs" } = options;
  checkDeclaredSymmetric(name, A);
  checkCount(name, "steps", steps);
  checkCount(name, "probes", probes);
  checkSeed(name, seed);
  checkDistribution(name, distribution);
  const { matvecs = steps * probes } = options;
  checkCount(name, "matvecs", matvecs);
  const n = A.shape[1];
  const exact = n <= Math.min(steps, matvecs);
  if (exact) return { probes: 1, steps: n, products: n, exact, seed, distribution };
  const affordable = Math.min(probes, matvecs);
  const depth = Math.min(steps, Math.floor(matvecs / affordable));
  return { probes: affordable, steps: depth, products: affordable * depth, exact, seed, distribution };
}

/** Options of the Lanczos run of the probe that is next, or in work. */
function probeOptions(A: LinearOperator, { quadrature, current }: LanczosQuadratureState, plan: Plan) {
  const { seed, distribution } = plan;
  const dtype = precision(A);
  const start = probe(A.shape[1], { distribution, stream: stream(seed, "probe", quadrature.length), dtype });
  const breakdown: "continue" | "stop" = plan.exact ? "continue" : "stop";
  return { matvecs: plan.steps, start, seed, breakdown, ...(current ? { state: current } : {}) };
}

/**
 * Golub and Welsch (1969): nodes are the eigenvalues of T, weights the squared first entries of its eigenvectors. Of a T that spans the
 * whole space all eigenvalues count the same. Nothing before the first step.
 */
async function quadratureOf({ alpha, beta, columns }: LanczosState, exact: boolean): Promise<readonly Quadrature[]> {
  const m = alpha.length;
  if (m === 0) return [];
  const { values, vectors } = await tridiagonalEigh(alpha, beta.subarray(0, m - 1));
  const whole = exact && m === columns;
  const weights = values.map((_, j) => (whole ? 1 / m : vectors.data[j * m]! ** 2));
  return [{ nodes: values, weights }];
}

function result(A: LinearOperator, quadrature: readonly Quadrature[], { exact }: Plan) {
  const order = A.shape[1];
  return { quadrature, order, dtype: precision(A), exact: exact && quadrature[0]?.nodes.length === order };
}

function ending(matvecs: number, { exact, probes, steps }: Plan, interruption?: Interruption): Outcome {
  if (interruption) return outcome(interruption.status, { happened: interruption.happened, matvecs });
  if (exact) return outcome("converged", { happened: `exact: ${steps} steps give all eigenvalues`, matvecs });
  return outcome("converged", { happened: `averaged ${probes} probes of at most ${steps} steps as asked`, matvecs });
}
