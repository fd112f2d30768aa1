import { tridiagonalEigh } from "../dense/index.ts";
import { checkArgument } from "../operator/checks.ts";
import { checkScalar } from "../operator/structure.ts";
import type { GaussRule, Quadrature } from "./lanczosQuadrature.ts";

/**
 * Gauss-Radau rule with one node at `end`, a bound of the spectrum from below or above: the last diagonal entry of T grown by one row is
 * chosen such that `end` is an eigenvalue (Golub, 1973; Golub and Meurant, 2010, section 6.2). With the pivots `d_1 = alpha_1 - end`,
 * `d_i = alpha_i - end - beta_(i-1)^2 / d_(i-1)` it is `end + beta_m^2 / d_m`. undefined where a node of the Gauss rule lies beyond `end`.
 */
export async function gaussRadau(rule: GaussRule, end: number): Promise<Omit<Quadrature, "gauss"> | undefined> {
  const isRule = rule?.diagonal instanceof Float64Array && rule.subdiagonal instanceof Float64Array;
  checkArgument(isRule, `gaussRadau expects a rule of lanczosQuadrature, got ${rule === null ? "null" : typeof rule}`);
  checkScalar("gaussRadau", "end", end);
  const { diagonal, subdiagonal, share } = rule;
  const m = diagonal.length;
  const coupling = subdiagonal[m - 1];
  if (coupling === 0) return { nodes: rule.nodes, weights: rule.weights };
  let pivot = 0;
  let sign = 0;
  for (let i = 0; i < m; i++) {
    pivot = diagonal[i] - end - (i === 0 ? 0 : subdiagonal[i - 1] ** 2 / pivot);
    if (pivot === 0 || (sign !== 0 && Math.sign(pivot) !== sign)) return undefined;
    sign = Math.sign(pivot);
  }
  const grown = Float64Array.of(...diagonal, end + coupling ** 2 / pivot);
  const { values, vectors } = await tridiagonalEigh(grown, subdiagonal);
  const weights = values.map((_, j) => share * vectors.data[j * (m + 1)] ** 2);
  // The prescribed node, free of the rounding of the eigenvalues.
  const at = sign > 0 ? 0 : m;
  values[at] = end;
  return { nodes: values, weights };
}
