import { type Outcome, outcome } from "../runs/result.ts";
import type { RitzPairs, Which } from "./ritzPairs.ts";

// A Krylov sequence from one vector sees one copy of each eigenvalue. Whether copies are missing is found out by a second sequence, from a random
// vector orthogonal to the k converged pairs, which sees the matrix on their complement: none is missing when the extreme eigenvalue there lies
// beyond the k-th value. That takes a Ritz pair of the complement whose residual is small against its distance d from the k-th value. Let the
// complement hold an eigenvector u with an eigenvalue at least as extreme as the k-th value. The Ritz vector is p(A) times the random vector, and p
// grows beyond its outermost zero, which lies within the eigenvalues that have been found: the share of u in the Ritz vector is then at least that
// of the eigenvector v to which it seems to converge, times |u' r| / |v' r| for the random vector r. A share s of u alone makes a residual of s d.
// A residual below SURE d therefore means |u' r| < SURE |v' r|, which for normal numbers has a probability of (2 / pi) SURE.

/** Residual of the outermost Ritz pair of the complement over its distance from the k-th value: copies are missed once in 1,600 random vectors. */
export const SURE = 1e-3;

/**
 * Whether the complement of the locked pairs holds no eigenvalue that belongs among the k foremost. `target` is the bound on residuals of
 * converged pairs: what lies within it of the k-th value is equal to it.
 */
export function excludesCopies(
  pairs: Pick<RitzPairs, "values" | "residualNorms" | "locked">,
  { k, which, target }: { k: number; which: Which; target: number },
): boolean {
  const { values, residualNorms, locked } = pairs;
  if (!locked.slice(0, k).every(Boolean)) return false;
  const open = Array.from(values, (_, i) => i).filter((i) => !locked[i]);
  if (open.length === 0) return false;
  const top = open.reduce((best, i) => (values[i]! > values[best]! ? i : best));
  const bottom = open.reduce((best, i) => (values[i]! < values[best]! ? i : best));
  const chosen = Array.from(values.subarray(0, k)).sort((a, b) => b - a);
  const isOutside = (i: number, distance: number) =>
    distance >= -target && residualNorms[i]! <= Math.max(target, SURE * distance);
  if (which === "magnitude") {
    const least = Math.min(...chosen.map(Math.abs));
    return isOutside(top, least - values[top]!) && isOutside(bottom, least + values[bottom]!);
  }
  const upper = which === "largest" ? k : which === "both" ? Math.ceil(k / 2) : 0;
  const above = upper === 0 || isOutside(top, chosen[upper - 1]! - values[top]!);
  const below = upper === k || isOutside(bottom, values[bottom]! - chosen[upper]!);
  return above && below;
}

/** Outcome of a run whose pairs have all converged: "converged" only with every copy, unless copies were not asked for. */
export function convergedOutcome(
  happened: string,
  facts: { readonly matvecs: number; readonly complete: boolean; readonly copies: boolean; readonly of: string },
): Outcome {
  const { matvecs, complete, copies, of } = facts;
  if (complete) return outcome("converged", { happened: `${happened} and no copy is missing`, matvecs });
  if (!copies)
    return outcome("converged", {
      happened: `${happened}; further copies of repeated ${of} were not looked for`,
      matvecs,
    });
  return outcome("budget", {
    happened: `${happened}, but the search for further copies of repeated ${of} has not come to its end`,
    matvecs,
    advice: "raise matvecs or basisSize, or pass copies: false where copies do not matter",
  });
}
