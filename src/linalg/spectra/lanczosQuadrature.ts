import { CurvatureError } from "../../errors/index.ts";
import { stream } from "../../random/index.ts";
import type { Matrix, Precision, Vector } from "../../tensors/index.ts";
import { tridiagonalEigh } from "../dense/index.ts";
import { checkFinite } from "../dense/matrixChecks.ts";
import { type LanczosState, tridiagonalization } from "../krylov/lanczos.ts";
import { type LanczosRecurrenceState, lanczosRecurrence } from "../krylov/lanczosRecurrence.ts";
import { callMatvec } from "../operator/callOperator.ts";
import {
  checkCount,
  checkDeclaredSymmetric,
  checkNonnegative,
  checkSeed,
  checkState,
  precision,
} from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { type Interruption, type Products, products } from "../runs/products.ts";
import { type Outcome, outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { type Certainty, certainty, checkConfidence, fewProbesRemark } from "../statistics/confidence.ts";
import { sequentialOutcome, sequentialRule } from "../statistics/sequentialStopping.ts";
import { checkDeflation, projectedOut } from "../traces/deflation.ts";
import { checkDistribution, isRotationInvariant, type ProbeDistribution, probe } from "../vectors/probes.ts";
import { arithmeticOf } from "../vectors/vector.ts";

/** Options of stochastic Lanczos quadrature. */
export interface LanczosQuadratureOptions extends RunOptions {
  /** Lanczos steps a probe: the quadrature is exact for polynomials of degree `2 steps - 1`. */
  readonly steps: number;
  /** Number of random vectors that are averaged over. */
  readonly probes: number;
  readonly seed: number;
  /** Most products, `steps * probes` by default. A smaller one makes each probe's Lanczos run shorter, and below one step a probe, fewer probes. */
  readonly matvecs?: number | undefined;
  /** Distribution of the probes: "signs" (default), "gaussian" or "sphere"; with `deflation` one of the last two, "sphere" by default. */
  readonly distribution?: ProbeDistribution | undefined;
  /**
   * Known eigenpairs, as `eigsh` gives them: their eigenvalues enter exactly, and the probes see the rest alone. What a few outliers add to
   * the error vanishes. Without effect where n products give all eigenvalues.
   */
  readonly deflation?: Eigenpairs | undefined;
  /**
   * Whether the vectors of a probe are kept and made orthogonal to each other: by default where all of them have at most 4,194,304 entries,
   * `n steps`, together. Without, memory is three vectors and eigenvalues that a probe has found take further steps; sums over the quadrature
   * stay as accurate (`lanczosRecurrence.ts` says why).
   */
  readonly reorthogonalize?: boolean | undefined;
  /** Where an earlier run with the same options stopped. */
  readonly state?: LanczosQuadratureState | undefined;
}

/** Some eigenvalues `[k]` of a symmetric matrix and their orthonormal eigenvectors `[n, k]`. */
export interface Eigenpairs {
  readonly values: Vector;
  readonly vectors: Matrix;
}

/** Gauss quadrature of one probe's spectral measure. */
export interface Quadrature {
  /** `[m]`, ascending. */
  readonly nodes: Float64Array;
  /** `[m]`, positive, of sum 1. */
  readonly weights: Float64Array;
  /** The part of the rule that a Lanczos run estimates; absent where the nodes are all eigenvalues. */
  readonly gauss?: GaussRule | undefined;
}

/** A Gauss rule and the tridiagonal matrix that it comes from. */
export interface GaussRule {
  /** `[m]`, ascending. */
  readonly nodes: Float64Array;
  /** `[m]`, of sum `share`. */
  readonly weights: Float64Array;
  /** Share of all eigenvalues that the rule represents: 1 less the share of deflated ones. */
  readonly share: number;
  /** `[m]` */
  readonly diagonal: Float64Array;
  /** `[m]`; the last one couples to the step that was not made, 0 where the rule is exact. */
  readonly subdiagonal: Float64Array;
}

/** The probes done and the Lanczos run of the one in work: plain data, from which the run can go on. */
export interface LanczosQuadratureState {
  readonly method: "lanczosQuadrature";
  readonly columns: number;
  readonly matvecs: number;
  readonly seed: number;
  readonly quadrature: readonly Quadrature[];
  readonly current?: LanczosState | LanczosRecurrenceState | undefined;
}

/** Distribution of eigenvalues as quadratures; densities on any scale follow from it without further products. */
export interface LanczosQuadrature extends Outcome {
  /** One for each probe. `n sum_j w_j f(x_j)`, averaged over probes, estimates `tr f(A)`. */
  readonly quadrature: readonly Quadrature[];
  /** Order n of the matrix. */
  readonly order: number;
  readonly dtype: Precision;
  /** Whether the single entry of `quadrature` holds all n eigenvalues with weights 1/n, so that nothing is estimated. */
  readonly exact: boolean;
  /** Certainty of intervals over these probes, of confidence 0.95. */
  readonly certainty: Certainty;
}

/** The quantity by which a run with a tolerance decides that it has drawn enough probes. */
export interface QuadratureWatch {
  readonly tolerance: number;
  /** Half the quantity's interval over its size, from the probes so far. */
  half(run: QuadratureRules, how: Certainty): Promise<number>;
  /** Quantity that half the interval is compared with, "the estimate" by default. */
  readonly of?: string | undefined;
}

/** Knowledge of the spectrum, without the outcome of the run. */
export type QuadratureRules = Pick<LanczosQuadrature, "quadrature" | "order" | "dtype" | "exact">;

/** Options of the run behind everything that averages over quadratures. */
export interface QuadratureSetup extends LanczosQuadratureOptions {
  /** The function that was called. */
  readonly name: string;
  readonly confidence?: number | undefined;
  readonly watch?: QuadratureWatch | undefined;
}

const NAME = "lanczosQuadrature";

/** Names of the options, for `checkOptions`. */
export const QUADRATURE_OPTIONS =
  "steps probes seed matvecs distribution deflation reorthogonalize state signal onProgress";

/** Entries of a basis, 16 MB in float32, above which reading it in every step takes longer than products of networks of that size. */
const MOST_ENTRIES = 2 ** 22;

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
  return runToEnd(lanczosQuadratureSteps(A, options));
}

/** The run of `lanczosQuadrature` product by product; yields a state after each, from which `state` resumes it. */
export function lanczosQuadratureSteps(
  A: LinearOperator,
  options: LanczosQuadratureOptions,
): AsyncGenerator<LanczosQuadratureState, LanczosQuadrature, void> {
  checkOptions(NAME, options, QUADRATURE_OPTIONS);
  return quadratureSteps(A, { ...options, name: NAME });
}

/** The run itself. With `watch` it looks after 32, 48, 72, ... probes whether they are enough. */
export async function* quadratureSteps(
  A: LinearOperator,
  options: QuadratureSetup,
): AsyncGenerator<LanczosQuadratureState, LanczosQuadrature, void> {
  const { name } = options;
  const plan = planned(A, options);
  const columns = A.shape[1];
  const { seed } = options;
  const B = plan.deflation ? withoutBasis(A, { name, basis: plan.deflation.vectors }) : A;
  let state: LanczosQuadratureState = options.state ?? { method: NAME, columns, matvecs: 0, seed, quadrature: [] };
  checkState(name, state, { method: NAME, columns, seed });
  const run = products(B, { ...options, name, matvecs: plan.products, used: state.matvecs });
  const stopping = stoppingRule(A, plan, options);
  while (state.quadrature.length < plan.probes && !(await stopping.isEnough(state.quadrature))) {
    const before = state;
    const enclosing = (current: Current): LanczosQuadratureState => ({ ...before, matvecs: run.used, current });
    const process = probeSteps(B, run, { plan, start: await startOf(A, before, plan), before, name, enclosing });
    let step = await process.next();
    for (; !step.done; step = await process.next()) yield enclosing(step.value);
    const { state: finished, interruption } = step.value;
    if (interruption) {
      const partial = before.quadrature.length === 0 ? await quadratureOf(finished, plan) : [];
      return stopping.concluded([...before.quadrature, ...partial], { matvecs: run.used, interruption });
    }
    const { current: _, ...rest } = before;
    state = {
      ...rest,
      matvecs: run.used,
      quadrature: [...before.quadrature, ...(await quadratureOf(finished, plan))],
    };
  }
  return stopping.concluded(state.quadrature, { matvecs: run.used });
}

/** When a run has drawn enough probes, and what it then says. */
function stoppingRule(A: LinearOperator, plan: Plan, { watch, confidence = 0.95 }: QuadratureSetup) {
  const rule = watch && !plan.exact ? sequentialRule({ confidence, most: plan.probes }) : undefined;
  const certaintyOf = ({ quadrature, exact }: QuadratureRules) =>
    rule?.certainty(quadrature.length) ?? certainty(confidence, { probes: quadrature.length, exact });
  const halfOf = (rules: QuadratureRules) => watch!.half(rules, certaintyOf(rules));
  return {
    isEnough: async (quadrature: readonly Quadrature[]) =>
      rule?.isCheckpoint(quadrature.length) === true &&
      (await halfOf(rulesOf(A, quadrature, plan))) <= watch!.tolerance,
    concluded: async (
      quadrature: readonly Quadrature[],
      { matvecs, interruption }: { readonly matvecs: number; readonly interruption?: Interruption | undefined },
    ): Promise<LanczosQuadrature> => {
      const rules = rulesOf(A, quadrature, plan);
      const how = certaintyOf(rules);
      const said = interruption
        ? outcome(interruption.status, { happened: interruption.happened, matvecs })
        : rule
          ? sequentialOutcome({ ...watch!, half: await halfOf(rules), how, matvecs })
          : asked(plan, { how, matvecs });
      return { ...rules, certainty: how, ...said };
    },
  };
}

type Current = LanczosState | LanczosRecurrenceState;

interface Plan {
  readonly probes: number;
  readonly steps: number;
  readonly products: number;
  readonly exact: boolean;
  readonly seed: number;
  readonly distribution: ProbeDistribution;
  readonly deflation: Eigenpairs | undefined;
  readonly reorthogonalize: boolean;
}

function planned(A: LinearOperator, options: QuadratureSetup): Plan {
  const { name, steps, probes, seed } = options;
  const { deflation, distribution = deflation ? "sphere" : "signs" } = options;
  checkDeclaredSymmetric(name, A);
  checkCount(name, "steps", steps);
  checkCount(name, "probes", probes);
  checkSeed(name, seed);
  checkConfidence(name, options.confidence ?? 0.95);
  checkNonnegative(name, "tolerance", options.watch?.tolerance ?? 0);
  checkDistribution(name, distribution);
  const { matvecs = steps * probes } = options;
  checkCount(name, "matvecs", matvecs);
  const n = A.shape[1];
  if (deflation) checkEigenpairs(name, A, { deflation, distribution });
  const exact = n <= Math.min(steps, matvecs);
  const random = { seed, distribution };
  if (exact) return { probes: 1, steps: n, products: n, exact, ...random, deflation: undefined, reorthogonalize: true };
  const affordable = Math.min(probes, matvecs);
  const most = n - (deflation?.values.length ?? 0);
  const depth = Math.min(steps, Math.floor(matvecs / affordable), most);
  const { reorthogonalize = n * depth <= MOST_ENTRIES } = options;
  return {
    probes: affordable,
    steps: depth,
    products: affordable * depth,
    exact,
    ...random,
    deflation,
    reorthogonalize,
  };
}

function checkEigenpairs(
  name: string,
  A: LinearOperator,
  { deflation, distribution }: { readonly deflation: Eigenpairs; readonly distribution: ProbeDistribution },
): void {
  checkDeflation(name, deflation.vectors, A);
  const { columns } = deflation.vectors;
  if (deflation.values.length !== columns) {
    const message = `${name} expects as many values as vectors in deflation, got ${deflation.values.length} and ${columns}`;
    throw new CurvatureError("shape", message);
  }
  checkFinite(`${name} (deflation)`, deflation.values);
  if (!isRotationInvariant(distribution)) {
    const message = `${name} expects distribution "sphere" or "gaussian" with deflation, got "${distribution}"; what projection leaves of signs is biased`;
    throw new CurvatureError("argument", message);
  }
}

/** `(I - Q Q') A`, which on the complement of eigenvectors Q equals A, and keeps rounding from bringing them back. */
function withoutBasis(
  A: LinearOperator,
  { name, basis }: { readonly name: string; readonly basis: Matrix },
): LinearOperator {
  const arithmetic = arithmeticOf(A);
  return {
    shape: A.shape,
    dtype: A.dtype,
    symmetric: true,
    psd: false,
    matvec: async (x, options) => projectedOut(await callMatvec(A, x, { name, options }), basis, arithmetic),
    arithmetic: A.arithmetic,
  };
}

/** The start of the Lanczos run of the probe that is next, or in work. */
async function startOf(A: LinearOperator, { quadrature }: LanczosQuadratureState, plan: Plan): Promise<Vector> {
  const { seed, distribution, deflation } = plan;
  const dtype = precision(A);
  const v = probe(A.shape[1], { distribution, stream: stream(seed, "probe", quadrature.length), dtype });
  return projectedOut(v, deflation?.vectors, arithmeticOf(A));
}

interface ProbeRun {
  readonly plan: Plan;
  readonly start: Vector;
  readonly before: LanczosQuadratureState;
  readonly name: string;
  readonly enclosing: (current: Current) => LanczosQuadratureState;
}

/** The Lanczos run of a probe, with or without its basis; from the state that an earlier run left of it. */
function probeSteps(B: LinearOperator, run: Products, { plan, start, before, name, enclosing }: ProbeRun) {
  const { current } = before;
  const { steps, seed, exact } = plan;
  // A saved run goes on as it began; the checks of states refuse one that began otherwise.
  if (plan.reorthogonalize) {
    const state = current as LanczosState | undefined;
    const breakdown = exact ? "continue" : "stop";
    return tridiagonalization(B, run, { name, steps, start, seed, breakdown, enclosing, state });
  }
  return lanczosRecurrence(B, run, { name, steps, start, enclosing, state: current as LanczosRecurrenceState });
}

/**
 * Golub and Welsch (1969): nodes are the eigenvalues of T, weights the squared first entries of its eigenvectors. Of a T that spans the
 * whole space all eigenvalues count the same. Nothing before the first step. Deflated eigenvalues come in with weights 1 / n, and the rule
 * with what they leave: a uniform direction of their complement stands for each of its n - k eigenvalues alike.
 */
async function quadratureOf(
  { alpha, beta, columns }: Current,
  { exact, deflation }: Plan,
): Promise<readonly Quadrature[]> {
  const m = alpha.length;
  if (m === 0) return [];
  const { values: nodes, vectors } = await tridiagonalEigh(alpha, beta.subarray(0, m - 1));
  if (exact && m === columns) return [{ nodes, weights: nodes.map(() => 1 / m) }];
  const share = 1 - (deflation?.values.length ?? 0) / columns;
  const weights = nodes.map((_, j) => share * vectors.data[j * m] ** 2);
  const gauss = { nodes, weights, share, diagonal: alpha, subdiagonal: beta };
  if (!deflation) return [{ nodes, weights, gauss }];
  const pairs = [
    ...Array.from(nodes, (node, j) => [node, weights[j]] as const),
    ...Array.from(deflation.values, (value) => [value, 1 / columns] as const),
  ].sort(([x], [y]) => x - y);
  return [{ nodes: Float64Array.from(pairs, ([x]) => x), weights: Float64Array.from(pairs, ([, w]) => w), gauss }];
}

function rulesOf(A: LinearOperator, quadrature: readonly Quadrature[], { exact }: Plan): QuadratureRules {
  const order = A.shape[1];
  return { quadrature, order, dtype: precision(A), exact: exact && quadrature[0]?.nodes.length === order };
}

/** Outcome of a run that made all its probes. */
function asked(
  { exact, steps }: Plan,
  { how, matvecs }: { readonly how: Certainty; readonly matvecs: number },
): Outcome {
  if (exact) return outcome("converged", { happened: `exact: ${steps} steps give all eigenvalues`, matvecs });
  const happened = `averaged ${how.probes} probes${fewProbesRemark(how)}; each took at most ${steps} steps`;
  return outcome("converged", { happened, matvecs });
}
