import type { Vector } from "../../tensors/index.ts";
import { checkFinite } from "../dense/matrixChecks.ts";
import { checkCount } from "../operator/checks.ts";
import { checkOptions } from "../operator/options.ts";
import { type Certainty, certainty, checkConfidence } from "../statistics/confidence.ts";
import { sampleMean } from "../statistics/sampleMean.ts";
import type { LanczosQuadrature, Quadrature } from "./lanczosQuadrature.ts";
import { checkQuadrature, type MassBelow, measureOf } from "./spectralMeasure.ts";

/** Options of a cumulative density. */
export interface CumulativeOptions {
  /** Where: ascending numbers, or how many evenly spaced ones over the range of the nodes; 128 by default. */
  readonly at?: Vector | number | undefined;
  /** Probability that the band holds the truth at a point of the grid; 0.95 by default. */
  readonly confidence?: number | undefined;
}

/** Fraction of eigenvalues at or below each point of a grid. */
export interface CumulativeDensity {
  /** `[points]` */
  readonly grid: Float64Array;
  /** `[points]`, from 0 to 1. */
  readonly cumulative: Float64Array;
  /** `[points]`, over probes. */
  readonly standardErrors: Float64Array;
  /**
   * `[points]` each: what the quadrature of these probes leaves open, whatever the number of steps (Chebyshev, Markov and Stieltjes), and
   * beyond it the quantile times the standard errors of these bounds over probes. Where the quadrature is known to be deep enough,
   * `cumulative` plus and minus the quantile times `standardError` is the narrower band.
   */
  readonly lower: Float64Array;
  readonly upper: Float64Array;
  readonly certainty: Certainty;
}

const NAME = "cumulativeDensity";

/**
 * Cumulative spectral density, the fraction of eigenvalues at or below x, from the nodes and weights of `lanczosQuadrature`, at no product.
 * Between two neighbouring nodes any measure with the moments of the Gauss rule has at least the mass below the left node and at most that
 * up to the right one (Szego, 1939, theorem 3.41.1; for eigenvalues, Chen, Trogdon and Ubaru, 2021). Of the number of eigenvalues in an
 * interval `(a, b]` the bounds are `lower(b) - upper(a)` and `upper(b) - lower(a)`, times n.
 *
 * @throws CurvatureError "argument" or "numeric" for options it cannot take, "numeric" without a node
 */
export function cumulativeDensity(
  run: Pick<LanczosQuadrature, "quadrature" | "exact">,
  options: CumulativeOptions = {},
): CumulativeDensity {
  checkOptions(NAME, options, "at confidence");
  const { at = 128, confidence = 0.95 } = options;
  checkConfidence(NAME, confidence);
  checkQuadrature(NAME, run);
  const { quadrature, exact } = run;
  const grid = gridOf(quadrature, at);
  const how = certainty(confidence, { probes: quadrature.length, exact });
  const measures = quadrature.map((rule) => measureOf(rule, { exact }));
  const reach = (standardError: number) => (standardError === 0 ? 0 : how.quantile * standardError);
  const points = Array.from(grid, (x) => {
    const masses = measures.map((measure) => measure(x));
    const mean = (bound: keyof MassBelow) =>
      sampleMean(
        Array.from(masses, (mass) => mass[bound]),
        { exact },
      );
    const [{ value, standardError }, below, above] = [mean("mass"), mean("least"), mean("most")];
    const lower = Math.max(below.value - reach(below.standardError), 0);
    return { value, standardError, lower, upper: Math.min(above.value + reach(above.standardError), 1) };
  });
  return {
    grid,
    cumulative: Float64Array.from(points, ({ value }) => value),
    standardErrors: Float64Array.from(points, ({ standardError }) => standardError),
    lower: Float64Array.from(points, ({ lower }) => lower),
    upper: Float64Array.from(points, ({ upper }) => upper),
    certainty: how,
  };
}

function gridOf(quadrature: readonly Quadrature[], at: Vector | number): Float64Array {
  if (typeof at !== "number") {
    checkFinite(`${NAME} (at)`, at);
    return Float64Array.from(at).sort();
  }
  checkCount(NAME, "at", at);
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { nodes } of quadrature) {
    low = Math.min(low, nodes[0]);
    high = Math.max(high, nodes[nodes.length - 1]);
  }
  return Float64Array.from({ length: at }, (_, i) => (at === 1 ? high : low + ((high - low) * i) / (at - 1)));
}
