import { memoized } from "../../concurrency/index.ts";
import { tridiagonalEigh } from "../../linalg/dense/index.ts";
import type { Tensor, TensorData } from "../../tensors/index.ts";
import { logGamma } from "./fitSummary.ts";
import type { LaplacePosterior } from "./laplacePosterior.ts";
import type { TermPrediction } from "./predictions.ts";

/** Targets of terms as the loss reads them, and their weights. */
export interface Labels {
  readonly y: Tensor;
  readonly weights: TensorData | undefined;
}

/** Sum over terms of weight times negative log-likelihood, its square for the standard error of the mean, and the weights. */
export interface LabelLosses {
  readonly sum: number;
  readonly squares: number;
  readonly weight: number;
}

/**
 * Negative log-likelihood of labels under the predictive distribution of each term: of class probabilities; of N(f*, Sigma_cc + sigma^2) for each output; and for Poisson and
 * heteroscedastic Gaussian labels the mixture over the Gaussian outputs, by Gauss-Hermite quadrature in one dimension.
 *
 * @param options `point` takes the network's own distribution in place of the predictive one
 */
export async function labelLosses(
  posterior: LaplacePosterior,
  predicted: TermPrediction,
  { y, weights }: Labels,
  { point = false }: { readonly point?: boolean } = {},
): Promise<LabelLosses> {
  const rule = await hermite();
  const C = posterior.risk.layout.outputs;
  const terms = predicted.f.length / C;
  let [sum, squares, weight] = [0, 0, 0];
  for (let t = 0; t < terms; t++) {
    const w = weights === undefined ? 1 : Number(weights[t]);
    if (w === 0) continue;
    const loss = termLoss(posterior, predicted, { t, C, y, rule, point });
    sum += w * loss;
    squares += w * loss * loss;
    weight += w;
  }
  return { sum, squares, weight };
}

/** Nodes and weights for the mean over a standard normal variable. */
interface Rule {
  readonly nodes: Float64Array;
  readonly weights: Float64Array;
}

/** The Gauss-Hermite rule of 32 nodes, from the recurrence of Hermite polynomials (Golub and Welsch, 1969). */
const hermite = memoized(async (): Promise<Rule> => {
  const n = 32;
  const subdiagonal = Float64Array.from({ length: n - 1 }, (_, k) => Math.sqrt(k + 1));
  const { values, vectors } = await tridiagonalEigh(new Float64Array(n), subdiagonal);
  return { nodes: values, weights: values.map((_, k) => vectors.data[k * n] ** 2) };
});

interface TermRequest {
  readonly t: number;
  readonly C: number;
  readonly y: Tensor;
  readonly rule: Rule;
  readonly point: boolean;
}

function termLoss(posterior: LaplacePosterior, predicted: TermPrediction, request: TermRequest): number {
  const { family } = posterior.likelihood;
  if (family === "categorical") return classLoss(predicted, request);
  if (family === "bernoulli") return coinLoss(predicted, request);
  if (family === "gaussian") return gaussianLoss(posterior, predicted, request);
  return family === "poisson" ? poissonLoss(predicted, request) : heteroscedasticLoss(predicted, request);
}

/** Probabilities that rounding made 0 count as the smallest number, so that one term cannot make a mean infinite by rounding alone. */
const LEAST = Number.MIN_VALUE;

function probabilitiesOf(predicted: TermPrediction, point: boolean): Float64Array {
  return (point ? predicted.pointProbabilities : predicted.probabilities)!;
}

/** Whether targets are one label a term, and not a probability for each class. */
export function areLabels({ data }: Tensor, terms: number): boolean {
  return data.length === terms;
}

function classLoss(predicted: TermPrediction, { t, C, y, point }: TermRequest): number {
  const p = probabilitiesOf(predicted, point);
  const at = (c: number) => -Math.log(Math.max(p[t * C + c], LEAST));
  if (areLabels(y, p.length / C)) return at(Number(y.data[t]));
  let sum = 0;
  for (let c = 0; c < C; c++) {
    const q = Number(y.data[t * C + c]);
    if (q > 0) sum += q * at(c);
  }
  return sum;
}

function coinLoss(predicted: TermPrediction, { t, C, y, point }: TermRequest): number {
  const p = probabilitiesOf(predicted, point);
  let sum = 0;
  for (let c = t * C; c < (t + 1) * C; c++) {
    const target = Number(y.data[c]);
    if (target > 0) sum -= target * Math.log(Math.max(p[c], LEAST));
    if (target < 1) sum -= (1 - target) * Math.log(Math.max(1 - p[c], LEAST));
  }
  return sum;
}

function normalLoss(y: number, mean: number, variance: number): number {
  return (Math.log(2 * Math.PI * variance) + (y - mean) ** 2 / variance) / 2;
}

function gaussianLoss(
  { likelihood: { sigmaNoise } }: LaplacePosterior,
  { f, variance }: TermPrediction,
  { t, C, y, point }: TermRequest,
): number {
  let sum = 0;
  for (let c = t * C; c < (t + 1) * C; c++) {
    sum += normalLoss(Number(y.data[c]), f[c], (point ? 0 : variance[c]) + sigmaNoise ** 2);
  }
  return sum;
}

/** -log of the mean of exp(-loss) over the nodes. */
function mixtureLoss(loss: (x: number) => number, { nodes, weights }: Rule): number {
  const losses = nodes.map(loss);
  const least = losses.reduce((a, b) => Math.min(a, b));
  return least - Math.log(losses.reduce((sum, x, k) => sum + weights[k] * Math.exp(least - x), 0));
}

function poissonLoss({ f, variance }: TermPrediction, { t, C, y, rule, point }: TermRequest): number {
  let sum = 0;
  for (let c = t * C; c < (t + 1) * C; c++) {
    const count = Number(y.data[c]);
    const deviation = point ? 0 : Math.sqrt(Math.max(variance[c], 0));
    const at = (x: number) => {
      const log = f[c] + deviation * x;
      return Math.exp(log) - count * log + logGamma(count + 1);
    };
    sum += point ? at(0) : mixtureLoss(at, rule);
  }
  return sum;
}

/** Given the log-variance s, the mean is Gaussian: what is left is a mean over s. */
function heteroscedasticLoss(
  { f, variance, covariance }: TermPrediction,
  { t, C, y, rule, point }: TermRequest,
): number {
  const d = C / 2;
  let sum = 0;
  for (let i = 0; i < d; i++) {
    const [m, s] = [t * C + i, t * C + d + i];
    const target = Number(y.data[t * d + i]);
    if (point) {
      sum += normalLoss(target, f[m], Math.exp(f[s]));
      continue;
    }
    const between = covariance![t * C * C + i * C + d + i];
    const slope = variance[s] > 0 ? between / variance[s] : 0;
    const left = Math.max(variance[m] - slope * between, 0);
    const deviation = Math.sqrt(Math.max(variance[s], 0));
    const at = (x: number) => normalLoss(target, f[m] + slope * deviation * x, left + Math.exp(f[s] + deviation * x));
    sum += mixtureLoss(at, rule);
  }
  return sum;
}
