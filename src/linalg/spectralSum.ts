import { type Certainty, certainty, checkConfidence, fewProbesRemark, type Interval, interval } from "./confidence.ts";
import { drive } from "./drive.ts";
import { gaussRadau } from "./gaussRadau.ts";
import {
  type LanczosQuadrature,
  type LanczosQuadratureOptions,
  type Quadrature,
  quadratureSteps,
} from "./lanczosQuadrature.ts";
import type { LinearOperator } from "./operator.ts";
import { type Estimate, type Outcome, outcome } from "./result.ts";
import { sampleMean } from "./sampleMean.ts";

/** Options of what is a sum over eigenvalues. */
export interface SpectralSumOptions extends LanczosQuadratureOptions {
  /** Probability that an interval holds the truth; 0.95 by default. */
  readonly confidence?: number;
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
   * What the quadrature of these probes leaves open: the mean of `v' f(A) v` over them lies between, whatever the number of steps. The
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
  const { bounds: _, ...result } = await summed(A, { ...options, name: "spectralSum", f });
  return result;
}

/**
 * The sum behind every function of this kind. `smallest` is a lower bound on the eigenvalues from which even derivatives of f are negative
 * and odd ones positive, as they are of a logarithm: then the Gauss rule is an upper bound and the Gauss-Radau rule with a node at
 * `smallest` a lower one (Golub and Meurant, 2010, section 6).
 */
export async function summed(
  A: LinearOperator,
  options: SpectralSumOptions & {
    readonly name: string;
    readonly f: (x: number) => number;
    readonly smallest?: number;
  },
): Promise<BoundedSum> {
  const { name, f, smallest, confidence = 0.95 } = options;
  checkConfidence(name, confidence);
  const run = await drive(quadratureSteps(A, options));
  const { exact, order, quadrature, matvecs } = run;
  const samples = quadrature.map((rule) => order * ruleSum(rule, f));
  const estimate = sampleMean(samples, { exact });
  const how = certainty(confidence, { probes: quadrature.length, exact });
  const bad = offending(quadrature, f);
  const lower = smallest === undefined || exact ? estimate.value : await lowerBound(run, { f, smallest });
  const { value, standardError } = estimate;
  return {
    value,
    standardError,
    interval: widened(interval(estimate, how), value - lower),
    bounds: { lower, upper: value },
    ...(bad === undefined ? said(run, { how }) : outcome("indefinite", { ...beyond(bad), matvecs })),
  };
}

/** The value of a quadrature rule. */
export function ruleSum({ nodes, weights }: Omit<Quadrature, "gauss">, f: (x: number) => number): number {
  return weights.reduce((sum, weight, j) => sum + weight * f(nodes[j]!), 0);
}

/** Mean over probes of the lower bounds; -Infinity where there is none. */
async function lowerBound(
  { quadrature, order }: LanczosQuadrature,
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

function said(run: LanczosQuadrature, { how }: { readonly how: Certainty }): Outcome {
  const { status, message, matvecs } = run;
  return { status, message: message + (run.status === "converged" ? fewProbesRemark(how) : ""), matvecs };
}

/** The estimate transformed by an increasing function, with its standard error to first order. */
export function transformed(
  { value, standardError }: Estimate,
  { g, derivative }: { readonly g: (x: number) => number; readonly derivative: (x: number) => number },
): Estimate {
  return { value: g(value), standardError: standardError === 0 ? 0 : Math.abs(derivative(value)) * standardError };
}
