import { gramBudget, gramOf } from "../algebra/gram.ts";
import { tridiagonalEigh } from "../dense/index.ts";
import { type LanczosState, tridiagonalization } from "../krylov/lanczos.ts";
import { checkCount, checkNonnegative, checkOperator, checkSeed } from "../operator/checks.ts";
import type { LinearOperator, RunOptions } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { type Interruption, products } from "../runs/products.ts";
import { type Outcome, outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { checkConfidence } from "../statistics/confidence.ts";

/** Options of `spectralNorm`. */
export interface SpectralNormOptions extends RunOptions {
  readonly seed: number;
  /** Largest distance of the upper bound from the norm, over the norm; 0.05 by default. */
  readonly tolerance?: number | undefined;
  /** Probability that the upper bound holds; 0.99 by default. */
  readonly confidence?: number | undefined;
  /** Most products, with A and with its transpose; 200 by default. */
  readonly matvecs?: number | undefined;
  /** Where an earlier run with the same options stopped. */
  readonly state?: LanczosState | undefined;
}

/** A spectral norm between bounds. */
export interface SpectralNorm extends Outcome {
  /** A lower bound, and far the better estimate. */
  readonly norm: number;
  /** Exceeds the spectral norm with the asked confidence; Infinity where the run was too short to say anything. */
  readonly upperBound: number;
}

const NAME = "spectralNorm";

/** Steps between two looks at the tridiagonal matrix. */
const LOOK_EVERY = 4;

/**
 * Spectral norm `||A||_2`, the largest singular value of a matrix of any shape, by Lanczos from a random direction, with a bound from above.
 * One product a step for symmetric A; else two, with A and its transpose. The bound falls to the norm like the inverse square of the number
 * of steps whatever the spectrum; the estimate is usually far closer, and what is between them is what cannot be excluded.
 *
 * The bound (Kuczynski and Wozniakowski, 1992, theorem 4.2): k steps from a uniform direction with a semidefinite B of order n give a Ritz
 * value below `(1 - e) ||B||` with probability at most `1.648 sqrt(n) exp(-sqrt(e) (2 k - 1))`. B is A where that is semidefinite, else
 * `A'A`, whose Krylov space of k steps is contained in that of 2 k steps with a symmetric A.
 *
 * @throws CurvatureError "argument" or "unsupported" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function spectralNorm(A: LinearOperator, options: SpectralNormOptions): Promise<SpectralNorm> {
  return runToEnd(spectralNormSteps(A, options));
}

/** The run of `spectralNorm` step by step; yields a state after each, from which `state` resumes it. */
export async function* spectralNormSteps(
  A: LinearOperator,
  options: SpectralNormOptions,
): AsyncGenerator<LanczosState, SpectralNorm, void> {
  checkOptions(NAME, options, "seed tolerance confidence matvecs state signal onProgress");
  checkOperator(NAME, A);
  const { seed, tolerance = 0.05, confidence = 0.99, matvecs = 200 } = options;
  checkSeed(NAME, seed);
  checkCount(NAME, "matvecs", matvecs);
  checkNonnegative(NAME, "tolerance", tolerance);
  checkConfidence(NAME, confidence);
  const { B, cost } = gramOf(A);
  const steps = gramBudget(NAME, { matvecs, cost });
  const used = options.state?.matvecs ?? 0;
  const run = products(B, { ...options, name: NAME, matvecs: steps, used });
  const process = tridiagonalization(B, run, { name: NAME, steps, seed, state: options.state });
  const context = { A, cost, confidence, tolerance };
  for (;;) {
    const next = await process.next();
    if (next.done) return finish(next.value, context);
    const state = next.value;
    yield state;
    if (state.matvecs % LOOK_EVERY !== 0) continue;
    const bounds = await boundsOf(state, context);
    if (bounds.upperBound <= (1 + tolerance) * bounds.norm) return finish({ state }, context);
  }
}

interface Context {
  readonly A: LinearOperator;
  readonly cost: 1 | 2;
  readonly confidence: number;
  readonly tolerance: number;
}

async function boundsOf({ alpha, beta, matvecs, columns, basis }: LanczosState, { A, cost, confidence }: Context) {
  if (matvecs === 0) return { norm: 0, upperBound: Number.POSITIVE_INFINITY };
  const { values } = await tridiagonalEigh(alpha, beta.subarray(0, matvecs - 1));
  const largest = Math.max(Math.abs(values[0]), Math.abs(values[matvecs - 1]));
  const norm = cost === 2 ? Math.sqrt(largest) : largest;
  // An exhausted space holds the whole of a random vector, which has a part along every eigenspace.
  if (basis.columns === matvecs) return { norm, upperBound: norm };
  const power = cost === 1 && A.psd ? 1 : 2;
  const k = cost === 1 && power === 2 ? Math.floor(matvecs / 2) : matvecs;
  const root = Math.log((1.648 * Math.sqrt(columns)) / (1 - confidence)) / (2 * k - 1);
  const unknown = k === 0 || root >= 1;
  return { norm, upperBound: unknown ? Number.POSITIVE_INFINITY : norm / (1 - root * root) ** (1 / power) };
}

async function finish(
  { state, interruption }: { readonly state: LanczosState; readonly interruption?: Interruption | undefined },
  context: Context,
): Promise<SpectralNorm> {
  const bounds = await boundsOf(state, context);
  const matvecs = context.cost * state.matvecs;
  if (interruption) return { ...bounds, ...outcome(interruption.status, { happened: interruption.happened, matvecs }) };
  const gap =
    bounds.norm === 0 ? (bounds.upperBound === 0 ? 0 : Number.POSITIVE_INFINITY) : bounds.upperBound / bounds.norm - 1;
  const status = gap <= context.tolerance ? "converged" : "budget";
  const happened = `the upper bound is ${gap.toPrecision(2)} of the norm above it, ${context.tolerance} asked for`;
  return { ...bounds, ...outcome(status, { happened, matvecs }) };
}
