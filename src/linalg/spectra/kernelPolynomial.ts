import { stream } from "../../random/index.ts";
import type { Vector } from "../../tensors/index.ts";
import { tridiagonalEigh } from "../dense/index.ts";
import { type LanczosState, tridiagonalization } from "../krylov/lanczos.ts";
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
import { type Interruption, isInterruption, type Products, products } from "../runs/products.ts";
import { type Outcome, outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { type Certainty, certainty, checkConfidence, fewProbesRemark } from "../statistics/confidence.ts";
import { sampleMean } from "../statistics/sampleMean.ts";
import { checkDistribution, type ProbeDistribution, probe } from "../vectors/probes.ts";
import { combination, dot } from "../vectors/vector.ts";

/** Options of the kernel polynomial method. */
export interface KernelPolynomialOptions extends RunOptions {
  /** Products a probe; they give `2 steps` Chebyshev moments. */
  readonly steps: number;
  /** Number of random vectors that are averaged over. */
  readonly probes: number;
  readonly seed: number;
  /** Interval that holds the spectrum. By default found by at most 16 Lanczos steps, and wider than what they see by a twentieth each side. */
  readonly range?: readonly [low: number, high: number] | undefined;
  /** Number of grid points; 4 times the number of moments by default. */
  readonly points?: number | undefined;
  /** Most products; by default those that the other options ask for. With fewer, fewer probes. */
  readonly matvecs?: number | undefined;
  /** Probability that the band holds the expected density at a point; 0.95 by default. */
  readonly confidence?: number | undefined;
  /** Distribution of the probes: "signs" (default), "gaussian" or "sphere". */
  readonly distribution?: ProbeDistribution | undefined;
  /** Where an earlier run with the same options stopped. */
  readonly state?: KernelPolynomialState | undefined;
}

/** The moments of the probes done, and the recurrence of the one in work: plain data, from which the run can go on. */
export interface KernelPolynomialState {
  readonly method: "kernelPolynomial";
  readonly columns: number;
  readonly matvecs: number;
  readonly seed: number;
  readonly range?: readonly [low: number, high: number] | undefined;
  readonly lanczos?: LanczosState | undefined;
  /** One row of `2 steps` moments a probe, `v' T_k(scaled A) v / n`. */
  readonly moments: readonly Float64Array[];
  readonly current?: { readonly previous: Vector; readonly latest: Vector; readonly moments: readonly number[] };
}

/** A density of eigenvalues as a damped Chebyshev series. */
export interface KernelPolynomialDensity extends Outcome {
  /** `[points]`, Chebyshev points of `range`, ascending: dense towards its ends. */
  readonly grid: Float64Array;
  /** `[points]`, per unit of the eigenvalue; not negative, of integral 1 over `range`. */
  readonly density: Float64Array;
  /** `[points]`, over probes; Infinity after a single one. */
  readonly standardErrors: Float64Array;
  readonly certainty: Certainty;
  /** `[2 steps]`, mean of `v' T_k v / n`, before damping. */
  readonly moments: Float64Array;
  readonly range: readonly [low: number, high: number];
}

const NAME = "kernelPolynomial";
const RANGE_STEPS = 16;

/**
 * Spectral density of a symmetric matrix by the kernel polynomial method (Weisse, Wellein, Alvermann and Fehske, 2006): Chebyshev moments
 * from random probes, two a product, damped by the Jackson kernel, which makes the series positive and as sharp as Gaussians of standard
 * deviation about `pi (high - low) / (4 steps)` in the middle of the range. Needs three vectors of memory and no orthogonalization, so it can
 * afford more moments than `spectralDensity`, whose nodes resolve the ends of the spectrum far better. At most `16 + steps * probes`
 * products. Status "breakdown" where moments exceed 1, which says that eigenvalues lie outside of `range`.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function kernelPolynomial(
  A: LinearOperator,
  options: KernelPolynomialOptions,
): Promise<KernelPolynomialDensity> {
  return runToEnd(kernelPolynomialSteps(A, options));
}

/** The run of `kernelPolynomial` product by product; yields a state after each, from which `state` resumes it. */
export async function* kernelPolynomialSteps(
  A: LinearOperator,
  options: KernelPolynomialOptions,
): AsyncGenerator<KernelPolynomialState, KernelPolynomialDensity, void> {
  checkOptions(NAME, options, "steps probes seed range points matvecs confidence distribution state signal onProgress");
  const plan = planned(A, options);
  let state = options.state ?? initialState(A, options);
  checkState(NAME, state, { method: NAME, columns: A.shape[1], seed: options.seed });
  const run = products(A, { ...options, name: NAME, matvecs: plan.products, used: state.matvecs });
  if (!state.range) {
    const found = yield* rangeSteps(A, run, { state, plan });
    state = found.state;
    if (found.interruption) return concluded(state, plan, { interruption: found.interruption });
  }
  while (state.moments.length < plan.probes) {
    const before: KernelPolynomialState = state;
    const next: KernelPolynomialState | Interruption = await step(A, before, { run, plan });
    if ("status" in next) return concluded(state, plan, { interruption: next });
    state = next;
    if (next.current?.moments.some((moment) => Math.abs(moment) > 1 + 1e-3))
      return concluded(state, plan, { outside: true });
    run.report();
    yield state;
  }
  return concluded(state, plan, {});
}

interface Plan {
  readonly steps: number;
  readonly probes: number;
  readonly products: number;
  readonly rangeProducts: number;
  readonly points: number;
  readonly confidence: number;
  readonly distribution: ProbeDistribution;
}

function planned(A: LinearOperator, options: KernelPolynomialOptions): Plan {
  checkDeclaredSymmetric(NAME, A);
  const { steps, probes, seed, range, confidence = 0.95, distribution = "signs" } = options;
  checkCount(NAME, "steps", steps);
  checkCount(NAME, "probes", probes);
  checkSeed(NAME, seed);
  checkConfidence(NAME, confidence);
  checkDistribution(NAME, distribution);
  const [low, high] = range ?? [0, 1];
  const holds = low < high && Number.isFinite(high - low);
  checkArgument(holds, `${NAME} expects range to be [low, high] with low < high, got [${low}, ${high}]`);
  const { points = 8 * steps } = options;
  checkCount(NAME, "points", points);
  const most = range ? 0 : Math.min(RANGE_STEPS, A.shape[1]);
  const { matvecs = most + steps * probes } = options;
  checkCount(NAME, "matvecs", matvecs);
  const rangeProducts = Math.min(most, Math.floor(matvecs / 2));
  const left = matvecs - rangeProducts;
  const depth = Math.min(steps, left);
  const affordable = Math.min(probes, Math.floor(left / depth));
  const rest = { rangeProducts, points, confidence, distribution };
  return { steps: depth, probes: affordable, products: matvecs, ...rest };
}

function initialState(A: LinearOperator, { seed, range }: KernelPolynomialOptions): KernelPolynomialState {
  return { method: NAME, columns: A.shape[1], matvecs: 0, seed, moments: [], range };
}

async function* rangeSteps(
  A: LinearOperator,
  run: Products,
  { state, plan }: { readonly state: KernelPolynomialState; readonly plan: Plan },
): AsyncGenerator<
  KernelPolynomialState,
  { readonly state: KernelPolynomialState; readonly interruption?: Interruption | undefined },
  void
> {
  const { seed, lanczos: saved } = state;
  const enclosing = (lanczos: LanczosState): KernelPolynomialState => ({ ...state, matvecs: run.used, lanczos });
  const process = tridiagonalization(A, run, {
    ...{ name: NAME, steps: plan.rangeProducts, seed, enclosing, state: saved },
  });
  let next = await process.next();
  for (; !next.done; next = await process.next()) yield enclosing(next.value);
  const { state: made, interruption } = next.value;
  const { lanczos: _, ...rest } = state;
  const found = { ...rest, matvecs: run.used, range: await rangeOf(made) };
  return { state: found, interruption };
}

/** The Ritz values' range, each end pushed out by its residual and a twentieth of the width. */
async function rangeOf({ alpha, beta }: LanczosState): Promise<readonly [number, number]> {
  const m = alpha.length;
  if (m === 0) return [-1, 1];
  const { values, vectors } = await tridiagonalEigh(alpha, beta.subarray(0, m - 1));
  const residual = (j: number) => Math.abs(beta[m - 1] * vectors.data[j * m + m - 1]);
  const [low, high] = [values[0] - residual(0), values[m - 1] + residual(m - 1)];
  const margin = (high - low) / 20 || Math.abs(high) / 20 || 1;
  return [low - margin, high + margin];
}

/** One product: the next vector `t_(k + 1) = 2 B t_k - t_(k - 1)` of `B = (A - centre) / half`, and moments 2 k + 1 and 2 k + 2. */
async function step(
  A: LinearOperator,
  state: KernelPolynomialState,
  { run, plan }: { readonly run: Products; readonly plan: Plan },
): Promise<KernelPolynomialState | Interruption> {
  const n = state.columns;
  const dtype = precision(A);
  const [low, high] = state.range!;
  const [centre, half] = [(low + high) / 2, (high - low) / 2];
  const { distribution } = plan;
  const fresh = () => probe(n, { distribution, stream: stream(state.seed, "probe", state.moments.length), dtype });
  const { current } = state;
  const latest = current?.latest ?? fresh();
  const y = await run.matvec(latest, () => state);
  if (isInterruption(y)) return y;
  const factor = current ? 2 : 1;
  const scaled = combination([factor / half, y], [(-factor * centre) / half, latest], { dtype });
  const next = current ? combination([1, scaled], [-1, current.previous], { dtype }) : scaled;
  // With unit-normalized probes mu_0 = 1; 2 T_i T_j = T_(i + j) + T_|i - j| doubles the number of moments.
  const size = current ? undefined : dot(latest, latest);
  const known = current?.moments ?? [1];
  const norm = size ?? dotOfStart(state, { A, plan });
  const odd = current ? (2 * dot(next, latest)) / norm - known[1] : dot(next, latest) / norm;
  const even = (2 * dot(next, next)) / norm - 1;
  const moments = [...known, odd, even];
  const { current: _, ...rest } = state;
  const used = { ...rest, matvecs: run.used };
  if (moments.length < 2 * plan.steps) return { ...used, current: { previous: latest, latest: next, moments } };
  return { ...used, moments: [...state.moments, Float64Array.from(moments.slice(0, 2 * plan.steps))] };
}

/** Squared norm of the probe in work. */
function dotOfStart(
  state: KernelPolynomialState,
  { A, plan }: { readonly A: LinearOperator; readonly plan: Plan },
): number {
  if (plan.distribution !== "gaussian") return state.columns;
  const { distribution } = plan;
  const random = stream(state.seed, "probe", state.moments.length);
  const v = probe(state.columns, { distribution, stream: random, dtype: precision(A) });
  return dot(v, v);
}

/** Factor of moment k of M that makes the series of a point mass positive (Jackson, 1912). */
function jackson(k: number, M: number): number {
  const angle = Math.PI / (M + 1);
  return ((M - k + 1) * Math.cos(k * angle) + Math.sin(k * angle) / Math.tan(angle)) / (M + 1);
}

function concluded(
  state: KernelPolynomialState,
  plan: Plan,
  {
    interruption,
    outside = false,
  }: { readonly interruption?: Interruption | undefined; readonly outside?: boolean | undefined },
): KernelPolynomialDensity {
  const range = state.range ?? ([-1, 1] as const);
  const [low, high] = range;
  const partial = state.moments.length === 0 && state.current ? [Float64Array.from(state.current.moments)] : [];
  const rows = [...state.moments, ...partial];
  const { points } = plan;
  // Point i of the grid is centre + half cos(angle): T_k there is cos(k angle).
  const angles = Array.from({ length: points }, (_, i) => (Math.PI * (points - i - 0.5)) / points);
  const series = rows.map((moments) => angles.map((angle) => seriesAt(angle, moments) / ((high - low) / 2)));
  const estimates = angles.map((_, i) => sampleMean(series.map((values) => values[i])));
  const how = certainty(plan.confidence, { probes: rows.length });
  const length = rows[0]?.length ?? 0;
  return {
    grid: Float64Array.from(angles, (angle) => (low + high) / 2 + ((high - low) / 2) * Math.cos(angle)),
    density: Float64Array.from(estimates, ({ value }) => value),
    standardErrors: Float64Array.from(estimates, ({ standardError }) => standardError),
    certainty: how,
    moments: Float64Array.from({ length }, (_, k) => sampleMean(rows.map((moments) => moments[k])).value),
    range,
    ...ending(state, plan, { how, outside, interruption }),
  };
}

function seriesAt(angle: number, moments: Float64Array): number {
  const M = moments.length;
  let sum = jackson(0, M) * moments[0];
  for (let k = 1; k < M; k++) sum += 2 * jackson(k, M) * moments[k] * Math.cos(k * angle);
  return sum / (Math.PI * Math.sin(angle));
}

function ending(
  { matvecs, range }: KernelPolynomialState,
  { probes, steps }: Plan,
  {
    how,
    interruption,
    outside,
  }: { readonly how: Certainty; readonly interruption?: Interruption | undefined; readonly outside: boolean },
): Outcome {
  if (interruption) return outcome(interruption.status, { happened: interruption.happened, matvecs });
  if (outside) {
    const happened = `moments exceed 1, so eigenvalues lie outside of [${range!.map((x) => x.toPrecision(4)).join(", ")}]`;
    return outcome("breakdown", { happened, matvecs, advice: "pass a wider range" });
  }
  const happened = `averaged ${probes} probes${fewProbesRemark(how)} with ${2 * steps} moments each`;
  return outcome("converged", { happened, matvecs });
}
