import { checkFunction } from "../operator/checks.ts";
import type { LinearOperator } from "../operator/operator.ts";
import { checkOptions } from "../operator/options.ts";
import { type Estimate, type Outcome, outcome } from "../runs/result.ts";
import { runToEnd } from "../runs/runToEnd.ts";
import { type Certainty, type Interval, interval } from "../statistics/confidence.ts";
import { sampleMean } from "../statistics/sampleMean.ts";
import { relativeHalf } from "../statistics/sequentialStopping.ts";
import { gaussRadau } from "./gaussRadau.ts";
import {
  type LanczosQuadratureOptions,
  QUADRATURE_OPTIONS,
  type Quadrature,
  type QuadratureRules,
  quadratureSteps,
} from "./lanczosQuadrature.ts";

/** Options of what is a sum over eigenvalues. */
export interface SpectralSumOptions extends LanczosQuadratureOptions {
  /** Probability that an interval holds the truth; 0.95 by default. */
  readonly confidence?: number | undefined;
  /**
   * Stops once half the interval is at most this times the size of the result. The run looks after 32, 48, 72, ... probes and the last, and
   * its intervals hold for all looks together with probability `confidence`. `probes` is then the most that are drawn.
   */
  readonly tolerance?: number | undefined;
}

/** An estimated sum over eigenvalues. */
export interface SpectralSum extends Outcome {
  readonly value: number;
  /** Standard error over probes: 0 where all eigenvalues are known, Infinity after a single probe. */
  readonly standardError: number;
  /** Holds the sum with the asked confidence, apart from the error of the quadrature, which falls fast with `steps`. */
  readonly interval: Interval;
}

/** A spectral sum with bounds on the error of its quadrature. */
export interface BoundedSum extends SpectralSum {
  /**
   * Bounds on the quadrature error: the mean of `v' f(A) v` over these probes lies between, whatever the number of steps. The
   * interval is widened by it.
   */
  readonly bounds: { readonly lower: number; readonly upper: number };
}

/**
 * Spectral sum `tr f(A) = sum_i f(lambda_i)` of a symmetric matrix by stochastic Lanczos quadrature (Ubaru, Chen and Saad, 2017). `f` is
 * called at Ritz values, which lie inside the spectrum; smooth functions need few steps. At most `steps * probes` products. Status
 * "indefinite" and value NaN where f is not finite at one of them.
 *
 * @throws CurvatureError "argument" or "shape" for options or operators it cannot take; whatever the operator throws, with `state`
 */
export async function spectralSum(
  A: LinearOperator,
  f: (x: number) => number,
  options: SpectralSumOptions,
): Promise<SpectralSum> {
  checkOptions("spectralSum", options, `${QUADRATURE_OPTIONS} confidence tolerance`);
  checkFunction("spectralSum", "f", f);
  const { bounds: _, ...result } = await summed(A, { ...options, name: "spectralSum", f });
  return result;
}

/** A sum over eigenvalues, as one of the public functions asks for it. */
export interface SumSetup extends SpectralSumOptions {
  /** The function that was called. */
  readonly name: string;
  readonly f: (x: number) => number;
  /** Lower bound on the eigenvalues, by which the quadrature is bounded from below. */
  readonly smallest?: number | undefined;
  /** Increasing function of the sum that `tolerance` is about; the sum itself by default. */
  readonly watched?: (sum: number) => number;
}

/**
 * The sum behind every function of this kind. `smallest` is a lower bound on the eigenvalues from which even derivatives of f are negative
 * and odd ones positive, as they are of a logarithm: then the Gauss rule is an upper bound and the Gauss-Radau rule with a node at
 * `smallest` a lower one (Golub and Meurant, 2010, section 6).
 */
export async function summed(A: LinearOperator, { tolerance, ...setup }: SumSetup): Promise<BoundedSum> {
  const { watched = (sum) => sum } = setup;
  const half = async (rules: QuadratureRules, how: Certainty) => {
    const { value, interval } = await estimated(rules, { ...setup, how });
    return relativeHalf(watched(value), { lower: watched(interval.lower), upper: watched(interval.upper) });
  };
  const watch = tolerance === undefined ? undefined : { tolerance, half };
  const run = await runToEnd(quadratureSteps(A, { ...setup, watch }));
  const { status, message, matvecs } = run;
  const bad = offending(run.quadrature, setup.f);
  return {
    ...(await estimated(run, { ...setup, how: run.certainty })),
    ...(bad === undefined ? { status, message, matvecs } : outcome("indefinite", { ...beyond(bad), matvecs })),
  };
}

/** Estimate of the sum from some quadratures. */
async function estimated(
  rules: QuadratureRules,
  { f, smallest, how }: Pick<SumSetup, "f" | "smallest"> & { readonly how: Certainty },
): Promise<Omit<BoundedSum, keyof Outcome>> {
  const { exact, order, quadrature } = rules;
  const samples = quadrature.map((rule) => order * ruleSum(rule, f));
  const estimate = sampleMean(samples, { exact });
  const { value } = estimate;
  const lower = smallest === undefined || exact ? value : await lowerBound(rules, { f, smallest });
  return { ...estimate, interval: widened(interval(estimate, how), value - lower), bounds: { lower, upper: value } };
}

/** The value of a quadrature rule. */
export function ruleSum({ nodes, weights }: Omit<Quadrature, "gauss">, f: (x: number) => number): number {
  return weights.reduce((sum, weight, j) => sum + weight * f(nodes[j]), 0);
}

/** Mean over probes of the lower bounds; -Infinity where there is none. */
async function lowerBound(
  { quadrature, order }: QuadratureRules,
  { f, smallest }: { readonly f: (x: number) => number; readonly smallest: number },
): Promise<number> {
  const samples = await Promise.all(
    quadrature.map(async (rule) => {
      if (!rule.gauss) return ruleSum(rule, f);
      const radau = await gaussRadau(rule.gauss, smallest);
      return radau ? ruleSum(rule, f) - ruleSum(rule.gauss, f) + ruleSum(radau, f) : Number.NEGATIVE_INFINITY;
    }),
  );
  return order * sampleMean(samples).value;
}

/** The interval with room for a quadrature error of this size below; as it is where nothing is known about that. */
function widened(bar: Interval, below: number): Interval {
  return below > 0 && Number.isFinite(below) ? { ...bar, lower: bar.lower - below } : bar;
}

function offending(quadrature: readonly Quadrature[], f: (x: number) => number): number | undefined {
  for (const { nodes } of quadrature) {
    const at = nodes.find((node) => !Number.isFinite(f(node)));
    if (at !== undefined) return at;
  }
  return undefined;
}

function beyond(node: number) {
  return {
    happened: `f is not finite at the Ritz value ${node.toPrecision(3)}`,
    advice: "add damping, or take an operator that is positive semidefinite by construction",
  };
}

/** The estimate transformed by an increasing function, with its standard error to first order. */
export function transformed(
  { value, standardError }: Estimate,
  { g, derivative }: { readonly g: (x: number) => number; readonly derivative: (x: number) => number },
): Estimate {
  return { value: g(value), standardError: standardError === 0 ? 0 : Math.abs(derivative(value)) * standardError };
}
