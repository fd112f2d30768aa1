import { CurvatureError } from "../../errors/index.ts";
import { checkArgument } from "../operator/checks.ts";
import type { Quadrature } from "./lanczosQuadrature.ts";

/** Refuses anything but a run of `lanczosQuadrature` with at least one rule. */
export function checkQuadrature(name: string, run: { readonly quadrature: readonly unknown[] }): void {
  const got = run === null ? "null" : typeof run;
  checkArgument(Array.isArray(run?.quadrature), `${name} expects what lanczosQuadrature gives, got ${got}`);
  if (run.quadrature.length > 0) return;
  const message = `${name} expects at least one quadrature rule, got none: the run ended before its first step`;
  throw new CurvatureError("numeric", message);
}

/** Mass of a spectral measure at or below a point. */
export interface MassBelow {
  /** As the quadrature rule has it. */
  readonly mass: number;
  /** The least and the most that measures with the moments of the rule have there. */
  readonly least: number;
  readonly most: number;
}

/**
 * Mass at or below x of one probe's measure, smoothed by a Gaussian of standard deviation `width` (0 for none):
 * `F(x) = sum_j w_j Phi((x - x_j) / width)`. Between two neighbouring nodes any measure with the moments of the Gauss rule has at least the
 * mass below the left node and at most that up to the right one (Szego, 1939, theorem 3.41.1): each node's mass is at least where its right,
 * and at most where its left neighbour is. A smoothed F is an average of sharp ones, so the same holds for it.
 */
export function measureOf(
  { nodes, weights, gauss }: Quadrature,
  { exact, width = 0 }: { readonly exact: boolean; readonly width?: number | undefined },
): (x: number) => MassBelow {
  const mass = cumulated(nodes, weights, width);
  const rule = exact ? undefined : (gauss ?? { nodes, weights, subdiagonal: Float64Array.of(1) });
  const surely = (x: number): MassBelow => {
    const known = mass(x);
    return { mass: known, least: known, most: known };
  };
  if (!rule || rule.subdiagonal[rule.subdiagonal.length - 1] === 0) return surely;
  const ruled = cumulated(rule.nodes, rule.weights, width);
  const late = cumulated(Float64Array.of(...rule.nodes.subarray(1), Number.POSITIVE_INFINITY), rule.weights, width);
  const early = cumulated(Float64Array.of(Number.NEGATIVE_INFINITY, ...rule.nodes), rule.weights, width);
  return (x) => {
    if (!Number.isFinite(x)) return surely(x);
    const [whole, estimated] = [mass(x), ruled(x)];
    return { mass: whole, least: whole - estimated + late(x), most: whole - estimated + early(x) };
  };
}

/** Sum of the weights of nodes at or below x, each smoothed. */
function cumulated(nodes: Float64Array, weights: Float64Array, width: number): (x: number) => number {
  const share = width === 0 ? (t: number) => (t >= 0 ? 1 : 0) : (t: number) => normalDistribution(t / width);
  return (x) => weights.reduce((sum, weight, j) => sum + weight * share(x - nodes[j]), 0);
}

/**
 * Distribution function Phi of the standard normal distribution, by `Phi(x) = 1/2 + phi(x) (x + x^3 / 3 + x^5 / (3 5) + ...)` (Marsaglia,
 * 2004), whose terms all have one sign. To 1e-15 absolutely.
 */
export function normalDistribution(x: number): number {
  if (Math.abs(x) > 9) return x > 0 ? 1 : 0;
  let [sum, term] = [x, x];
  for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(sum); k += 2) {
    term *= (x * x) / k;
    sum += term;
  }
  return 0.5 + (sum * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI);
}
