import { stream } from "../../random/index.ts";

/** One term: its outputs f* [C], their variances [C] and, where a link needs it, their covariance [C, C], row-major. */
export interface TermDistribution {
  readonly f: Float64Array;
  readonly variance: Float64Array;
  readonly covariance?: Float64Array | undefined;
}

/** exp(f_c) / sum_k exp(f_k). */
export function softmax(f: ArrayLike<number>): Float64Array {
  let largest = Number.NEGATIVE_INFINITY;
  for (let c = 0; c < f.length; c++) largest = Math.max(largest, f[c]);
  const p = Float64Array.from({ length: f.length }, (_, c) => Math.exp(f[c] - largest));
  const sum = p.reduce((a, b) => a + b, 0);
  return p.map((x) => x / sum);
}

/** 1 / (1 + exp(-x)). */
export function sigmoid(x: number): number {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
}

/** f_c / sqrt(1 + pi / 8 Sigma_cc) (MacKay, 1992; Spiegelhalter and Lauritzen, 1990), of which softmax or sigmoid is the predictive. */
export function probitScaled({ f, variance }: TermDistribution): Float64Array {
  return f.map((x, c) => x / Math.sqrt(1 + (Math.PI / 8) * variance[c]));
}

/**
 * Laplace bridge (Hobbhahn, Kristiadi and Hennig, 2022): the mean of the Dirichlet distribution that the Gaussian of the logits, projected to sum zero, is the
 * Laplace approximation of in the softmax basis. With r = Sigma 1 and s = 1' Sigma 1: m = f - r (1'f) / s, V = Sigma - r r' / s,
 *
 *     alpha_c = (1 - 2 / C + e^m_c / C^2 sum_k e^-m_k) / V_cc,   p = alpha / sum alpha.
 *
 * With `normalized`, m and V are first divided by sqrt(t) and t, t = mean(V_cc) / sqrt(C / 2). The products e^m_c e^-m_k are taken as e^(m_c - m_k), relative to
 * the largest of the row where they overflow, so that no size of logits does.
 */
export function laplaceBridge(
  { f, covariance }: TermDistribution,
  { normalized = false }: { readonly normalized?: boolean } = {},
): Float64Array {
  const C = f.length;
  const r = new Float64Array(C);
  for (let a = 0; a < C; a++) for (let b = 0; b < C; b++) r[a] += covariance![a * C + b];
  const s = r.reduce((sum, x) => sum + x, 0);
  const total = f.reduce((sum, x) => sum + x, 0);
  let m = f.map((x, c) => x - (r[c] * total) / s);
  let V = r.map((x, c) => covariance![c * C + c] - (x * x) / s);
  if (normalized) {
    const t = V.reduce((sum, x) => sum + x, 0) / C / Math.sqrt(C / 2);
    m = m.map((x) => x / Math.sqrt(t));
    V = V.map((x) => x / t);
  }
  // log alpha_c, so that sums of exponentials of large differences stay finite.
  const least = m.reduce((a, b) => Math.min(a, b));
  const inverse = m.reduce((sum, x) => sum + Math.exp(least - x), 0);
  const logs = m.map((x, c) => {
    const large = x - least + Math.log(inverse) - 2 * Math.log(C);
    const rest = 1 - 2 / C;
    return (large > 700 ? large : Math.log(rest + Math.exp(large))) - Math.log(V[c]);
  });
  return softmax(logs);
}

/** Predictive probabilities as a mean over samples, and the standard error of each. */
export interface SampledProbabilities {
  readonly mean: Float64Array;
  readonly standardErrors: Float64Array;
}

/** The mean of `link` over samples of `N(f, Sigma)`, or of `N(f, diag(Sigma))` without a covariance; term t draws from a stream of its own. */
export function monteCarlo(
  { f, variance, covariance }: TermDistribution,
  {
    link,
    samples,
    seed,
    term,
  }: {
    readonly link: (f: Float64Array) => Float64Array;
    readonly samples: number;
    readonly seed: number;
    readonly term: number;
  },
): SampledProbabilities {
  const C = f.length;
  const root = covariance === undefined ? undefined : semidefiniteRoot(covariance, C);
  const random = stream(seed, "predictive", term);
  const [sum, squares] = [new Float64Array(C), new Float64Array(C)];
  const [e, drawn] = [new Float64Array(C), new Float64Array(C)];
  for (let k = 0; k < samples; k++) {
    for (let c = 0; c < C; c++) e[c] = random.normal();
    for (let a = 0; a < C; a++) {
      drawn[a] = f[a];
      if (root === undefined) drawn[a] += Math.sqrt(Math.max(variance[a], 0)) * e[a];
      else for (let b = 0; b <= a; b++) drawn[a] += root[a * C + b] * e[b];
    }
    const p = link(drawn);
    for (let c = 0; c < C; c++) {
      sum[c] += p[c];
      squares[c] += p[c] * p[c];
    }
  }
  return sampledProbabilities({ sum, squares, samples });
}

/** Means and their standard errors from sums and sums of squares. */
export function sampledProbabilities({
  sum,
  squares,
  samples,
}: {
  readonly sum: Float64Array;
  readonly squares: Float64Array;
  readonly samples: number;
}): SampledProbabilities {
  const mean = sum.map((x) => x / samples);
  const standardErrors = squares.map((x, c) =>
    samples < 2 ? Number.POSITIVE_INFINITY : Math.sqrt(Math.max((x / samples - mean[c] ** 2) / (samples - 1), 0)),
  );
  return { mean, standardErrors };
}

/** Lower triangular L with L L' = S for a positive semidefinite S [n, n]; columns without a positive pivot are zero. */
export function semidefiniteRoot(S: Float64Array, n: number): Float64Array {
  const L = new Float64Array(n * n);
  let largest = 0;
  for (let i = 0; i < n; i++) largest = Math.max(largest, S[i * n + i]);
  for (let j = 0; j < n; j++) {
    let pivot = S[j * n + j];
    for (let k = 0; k < j; k++) pivot -= L[j * n + k] ** 2;
    if (!(pivot > 1e-14 * largest)) continue;
    const root = Math.sqrt(pivot);
    L[j * n + j] = root;
    for (let i = j + 1; i < n; i++) {
      let value = S[i * n + j];
      for (let k = 0; k < j; k++) value -= L[i * n + k] * L[j * n + k];
      L[i * n + j] = value / root;
    }
  }
  return L;
}
