import { CurvatureError } from "../../errors/index.ts";
import { checkNonnegative } from "../operator/checks.ts";
import { checkOptions } from "../operator/options.ts";
import type { Estimate } from "../runs/result.ts";
import { type Certainty, certainty, checkConfidence, type Interval, interval } from "../statistics/confidence.ts";
import { sampleMean } from "../statistics/sampleMean.ts";
import type { LanczosQuadrature } from "./lanczosQuadrature.ts";
import { checkQuadrature, measureOf } from "./spectralMeasure.ts";

/** Part of the spectrum. */
export interface SpectrumPart {
  /** Eigenvalues up to and including this one do not count; -Infinity by default. */
  readonly from?: number | undefined;
  /** Eigenvalues above this one do not count; 0 by default, so that without options the part is all that is not positive. */
  readonly to?: number | undefined;
  /**
   * Standard deviation of a Gaussian by which each eigenvalue is spread, 0 by default. With the width of a density this is the integral of
   * that density from `from` to `to`. Without one an end should lie in a gap of the spectrum: next to an end inside a continuum the
   * quadrature shows no more than `bounds`.
   */
  readonly width?: number | undefined;
}

/** Fraction of eigenvalues, an estimate with its interval. */
export interface MassEstimate extends Estimate {
  /** Holds the fraction with the asked confidence, apart from the error of the quadrature; within 0 and 1. */
  readonly interval: Interval;
}

/** Fraction of eigenvalues in a part of the spectrum. */
export interface PartMass extends MassEstimate {
  /**
   * Bounds on the quadrature error: the mean of the probes' measures of the part lies between, whatever the number of steps
   * (Chebyshev, Markov and Stieltjes). Where nothing is left of the nodes next to an end the quadrature error is far smaller than that.
   */
  readonly bounds: { readonly lower: number; readonly upper: number };
}

const NAME = "massFromQuadrature";

/**
 * Fraction of eigenvalues in `(from, to]`, the mass that the spectral density has there, from the nodes and weights of `lanczosQuadrature`, at
 * no product. The standard error is over probes.
 *
 * @throws CurvatureError "argument" for options it cannot take, "numeric" without a node
 */
export function massFromQuadrature(
  run: Pick<LanczosQuadrature, "quadrature" | "exact">,
  options: SpectrumPart & { readonly confidence?: number | undefined } = {},
): PartMass {
  checkOptions(NAME, options, "from to width confidence");
  const { confidence = 0.95, ...part } = options;
  checkConfidence(NAME, confidence);
  checkPart(NAME, part);
  checkQuadrature(NAME, run);
  return partMass(run, { ...part, how: certainty(confidence, { probes: run.quadrature.length, exact: run.exact }) });
}

/** Refuses ends and widths that make no part of the real line. */
export function checkPart(name: string, part: SpectrumPart): void {
  checkNonnegative(name, "width", part.width ?? 0);
  const [low, high] = endsOf(part);
  if (low < high) return;
  throw new CurvatureError("argument", `${name} expects from to be below to, got ${low} and ${high}; swap them`);
}

function endsOf({ from = Number.NEGATIVE_INFINITY, to = 0 }: SpectrumPart): readonly [number, number] {
  return [from, to];
}

/** The fraction with an interval of this certainty. */
export function partMass(
  { quadrature, exact }: Pick<LanczosQuadrature, "quadrature" | "exact">,
  { how, ...part }: SpectrumPart & { readonly how: Certainty },
): PartMass {
  const { width = 0 } = part;
  const [from, to] = endsOf(part);
  const masses = quadrature.map((rule) => {
    const below = measureOf(rule, { exact, width });
    const [low, high] = [below(from), below(to)];
    const least = Math.max(high.least - low.most, 0);
    return { mass: high.mass - low.mass, least, most: high.most - low.least };
  });
  const mean = (bound: "least" | "most") => masses.reduce((sum, each) => sum + each[bound], 0) / masses.length;
  const samples = masses.map(({ mass }) => mass);
  const bounds = masses.length === 0 ? { lower: 0, upper: 1 } : { lower: mean("least"), upper: mean("most") };
  return { ...massEstimate(samples, { how, exact }), bounds };
}

/** Mean of the fractions that single probes see. */
export function massEstimate(
  samples: readonly number[],
  { how, exact }: { readonly how: Certainty; readonly exact: boolean },
): MassEstimate {
  const estimate = sampleMean(samples, { exact });
  const { lower, upper, ...certain } = interval(estimate, how);
  return { ...estimate, interval: { lower: Math.max(lower, 0), upper: Math.min(upper, 1), ...certain } };
}
