import { CurvatureError } from "../../errors/index.ts";
import { checkArgument, checkChoice, checkCount, checkNonnegative } from "../operator/checks.ts";
import { checkOptions } from "../operator/options.ts";
import { type Certainty, certainty, checkConfidence } from "../statistics/confidence.ts";
import { sampleMean } from "../statistics/sampleMean.ts";
import type { LanczosQuadrature, Quadrature } from "./lanczosQuadrature.ts";
import { type MassEstimate, massEstimate } from "./massFromQuadrature.ts";
import { checkQuadrature } from "./spectralMeasure.ts";

/** Options of a smoothed density. */
export interface DensityOptions {
  /** Number of grid points, at least 32; 512 by default. */
  readonly points?: number | undefined;
  /**
   * Standard deviation of the Gaussian kernel in the grid's variable, by default 1 % of the range of nodes (linear) or 0.1 decades (log). No
   * narrower than the spacing of the grid, and than 1e-9 of the largest |node|, so that the kernel integrates to 1 on it.
   */
  readonly width?: number | undefined;
  /** |eigenvalue| up to which an eigenvalue counts as zero: by default 1e-8 of the largest node, 1e-5 for float32 operators. */
  readonly epsilon?: number | undefined;
  /** Probability that an interval, or the band at one point of the grid, holds the truth; 0.95 by default. */
  readonly confidence?: number | undefined;
}

/** A smoothed density on an even grid, with the standard error over probes at each point. */
export interface DensityCurve {
  /** `[points]` */
  readonly grid: Float64Array;
  /** `[points]`, per unit of the grid's variable. */
  readonly density: Float64Array;
  /** `[points]`; 0 where the quadrature is exact, Infinity where one probe leaves it unknown. */
  readonly standardErrors: Float64Array;
  /** Standard deviation of the Gaussian kernel that was used. */
  readonly width: number;
}

/** Density of eigenvalues: integrates to 1 over its grid, which ends where the kernels have died out. */
export interface LinearDensity extends DensityCurve {
  readonly scale: "linear";
  readonly epsilon: number;
  /** Fraction of eigenvalues below `-epsilon`. */
  readonly negativeMass: MassEstimate;
  /** Fraction of eigenvalues within `epsilon` of zero. */
  readonly zeroMass: number;
  /** Certainty of bands: `density` plus and minus `quantile` times `standardErrors`. */
  readonly certainty: Certainty;
}

/** Density of log10 |eigenvalue|: the integrals of both parts and `zeroMass` add up to 1. Both parts have the same grid. */
export interface LogarithmicDensity {
  readonly scale: "log";
  readonly negative: DensityCurve;
  readonly positive: DensityCurve;
  readonly epsilon: number;
  /** Fraction of eigenvalues below `-epsilon`, the integral of the negative part. */
  readonly negativeMass: MassEstimate;
  /** Fraction of eigenvalues within `epsilon` of zero. */
  readonly zeroMass: number;
  /** Certainty of bands: `density` plus and minus `quantile` times `standardErrors`. */
  readonly certainty: Certainty;
}

const NAME = "densityFromQuadrature";

/** Widths beyond the outermost node where the grid ends: the mass outside is below 1e-9. */
const MARGIN = 6;

/**
 * Smoothed density of eigenvalues from the nodes and weights of `lanczosQuadrature`, at no product: each node becomes a Gaussian of its
 * weight, averaged over probes (Lin, Saad and Yang, 2016).
 *
 * @throws CurvatureError "argument" for options it cannot take, "numeric" without a node
 */
export function densityFromQuadrature(
  run: Pick<LanczosQuadrature, "quadrature" | "dtype" | "exact">,
  options: DensityOptions & { readonly scale: "log" },
): LogarithmicDensity;
export function densityFromQuadrature(
  run: Pick<LanczosQuadrature, "quadrature" | "dtype" | "exact">,
  options?: DensityOptions & { readonly scale?: "linear" | undefined },
): LinearDensity;
export function densityFromQuadrature(
  run: Pick<LanczosQuadrature, "quadrature" | "dtype" | "exact">,
  options: DensityOptions & { readonly scale?: "linear" | "log" | undefined } = {},
): LinearDensity | LogarithmicDensity {
  checkOptions(NAME, options, "points width epsilon confidence scale");
  const { scale = "linear", points = 512, width } = options;
  checkDensityOptions(options);
  checkQuadrature(NAME, run);
  const nodes = run.quadrature.flatMap((rule) => Array.from(rule.nodes));
  if (nodes.length === 0) {
    throw new CurvatureError(
      "numeric",
      `${NAME} expects at least one node, got none: the run ended before its first step`,
    );
  }
  const largest = nodes.reduce((so, x) => Math.max(so, Math.abs(x)), 0);
  const { epsilon = largest * (run.dtype === "float32" ? 1e-5 : 1e-8) } = options;
  const { exact } = run;
  const how = certainty(options.confidence ?? 0.95, { probes: run.quadrature.length, exact });
  const masses = { epsilon, ...massesOf(run.quadrature, { epsilon, exact, how }), certainty: how };
  if (scale === "linear") {
    const layout = gridOver(nodes, { points, width: width ?? defaultWidth(nodes) });
    return { scale, ...curve(run.quadrature, { ...layout, exact }), ...masses };
  }
  const logarithms = nodes.filter((x) => Math.abs(x) > epsilon).map((x) => Math.log10(Math.abs(x)));
  const layout = gridOver(logarithms.length > 0 ? logarithms : [Math.log10(epsilon || Number.EPSILON)], {
    points,
    width: width ?? 0.1,
  });
  const part = (sign: 1 | -1) =>
    curve(
      run.quadrature.map((rule) => logarithmicPart(rule, { sign, epsilon })),
      { ...layout, exact },
    );
  return { scale, negative: part(-1), positive: part(1), ...masses };
}

function checkDensityOptions({
  scale = "linear",
  points = 512,
  width = 1,
  epsilon = 0,
  confidence = 0.95,
}: DensityOptions & { readonly scale?: string | undefined }): void {
  checkChoice(NAME, "scale", scale, ["linear", "log"]);
  checkCount(NAME, "points", points);
  checkArgument(points >= 32, `${NAME} expects points to be at least 32, got ${points}`);
  checkNonnegative(NAME, "width", width);
  checkNonnegative(NAME, "epsilon", epsilon);
  checkConfidence(NAME, confidence);
}

/** 1 % of the range; where all nodes are one, of its size. */
function defaultWidth(nodes: readonly number[]): number {
  const [low, high] = extremes(nodes);
  return 0.01 * (high - low > 1e-12 * Math.max(Math.abs(low), Math.abs(high)) ? high - low : Math.abs(high) || 1);
}

function extremes(values: readonly number[]): readonly [low: number, high: number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const x of values) {
    low = Math.min(low, x);
    high = Math.max(high, x);
  }
  return [low, high];
}

/**
 * Even grid from MARGIN widths below the lowest node to as far above the highest. Its spacing `(range + 2 MARGIN width) / (points - 1)` is
 * at most the width if and only if `width >= range / (points - 1 - 2 MARGIN)`; at that width the sum over the grid is the integral to 1e-8.
 */
function gridOver(
  values: readonly number[],
  { points, width: asked }: { points: number; width: number },
): { readonly grid: Float64Array; readonly width: number } {
  const [low, high] = extremes(values);
  const floor = Math.max(
    (high - low) / (points - 1 - 2 * MARGIN),
    1e-9 * Math.max(Math.abs(low), Math.abs(high), 1e-280),
  );
  const width = Math.max(asked, floor);
  const start = low - MARGIN * width;
  const spacing = (high - low + 2 * MARGIN * width) / (points - 1);
  return { grid: Float64Array.from({ length: points }, (_, i) => start + i * spacing), width };
}

/** Mean and standard error over probes of the sum of Gaussians. */
function curve(
  quadrature: readonly Quadrature[],
  { grid, width, exact }: { grid: Float64Array; width: number; exact: boolean },
): DensityCurve {
  const curves = quadrature.map((rule) => smoothed(rule, { grid, width }));
  const estimates = Array.from(grid, (_, i) =>
    sampleMean(
      curves.map((values) => values[i]),
      { exact },
    ),
  );
  return {
    grid,
    density: Float64Array.from(estimates, ({ value }) => value),
    standardErrors: Float64Array.from(estimates, ({ standardError }) => standardError),
    width,
  };
}

function smoothed(
  { nodes, weights }: Quadrature,
  { grid, width }: { grid: Float64Array; width: number },
): Float64Array {
  const values = new Float64Array(grid.length);
  const height = 1 / (width * Math.sqrt(2 * Math.PI));
  nodes.forEach((node, j) => {
    const factor = weights[j] * height;
    for (let i = 0; i < grid.length; i++)
      values[i] = values[i] + factor * Math.exp(-0.5 * ((grid[i] - node) / width) ** 2);
  });
  return values;
}

/** Nodes of one sign beyond epsilon, as log10 |node|, with their weights. */
function logarithmicPart(
  { nodes, weights }: Quadrature,
  { sign, epsilon }: { sign: 1 | -1; epsilon: number },
): Quadrature {
  const chosen = Array.from(nodes, (_, j) => j).filter((j) => sign * nodes[j] > epsilon);
  return {
    nodes: Float64Array.from(chosen, (j) => Math.log10(Math.abs(nodes[j]))),
    weights: Float64Array.from(chosen, (j) => weights[j]),
  };
}

function massesOf(
  quadrature: readonly Quadrature[],
  { epsilon, exact, how }: { readonly epsilon: number; readonly exact: boolean; readonly how: Certainty },
) {
  const samples = (counts: (x: number) => boolean) =>
    quadrature.map(({ nodes, weights }) => weights.reduce((sum, w, j) => (counts(nodes[j]) ? sum + w : sum), 0));
  const zero = samples((x) => Math.abs(x) <= epsilon);
  return {
    negativeMass: massEstimate(
      samples((x) => x < -epsilon),
      { how, exact },
    ),
    zeroMass: sampleMean(zero).value,
  };
}
