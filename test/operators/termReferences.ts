import { sizeOf, type Tensor } from "../../src/tensors/index.ts";

// What the matrices of section "outputs of a term" are, from textbook formulas and in loops.

/** A term at its outputs f: weight, and in the outputs the gradient and second derivative of the loss and the Fisher matrix. */
export interface Term {
  readonly weight: number;
  readonly loss: number;
  readonly gradient: readonly number[];
  readonly hessian: readonly (readonly number[])[];
  readonly fisher: readonly (readonly number[])[];
}

/** The term with these outputs; `term` counts terms of the whole data set, rows outermost. */
export type TermReference = (f: readonly number[], term: number) => Term;

const diagonal = (values: readonly number[]) => values.map((x, i) => values.map((_, j) => (i === j ? x : 0)));

function softmaxOf(f: readonly number[]): number[] {
  const powers = f.map(Math.exp);
  const total = powers.reduce((sum, x) => sum + x, 0);
  return powers.map((x) => x / total);
}

/** -sum_c a_c log p_c. */
function weightedLogs(f: readonly number[], a: readonly number[], weight: number): Term {
  const p = softmaxOf(f);
  const total = a.reduce((sum, x) => sum + x, 0);
  const fisher = p.map((x, i) => p.map((y, j) => (i === j ? x : 0) - x * y));
  return {
    weight,
    loss: -a.reduce((sum, x, c) => sum + x * Math.log(p[c]), 0),
    gradient: p.map((x, c) => total * x - a[c]),
    hessian: fisher.map((row) => row.map((x) => total * x)),
    fisher,
  };
}

/** Cross-entropy with class indices. */
export function labelTerms(
  labels: Tensor,
  {
    classWeights,
    labelSmoothing: e = 0,
    ignoreIndex = -100,
  }: {
    readonly classWeights?: readonly number[];
    readonly labelSmoothing?: number;
    readonly ignoreIndex?: number;
  } = {},
): TermReference {
  return (f, term) => {
    const label = Number(labels.data[term]);
    const ignored = label === ignoreIndex;
    const own = ignored ? 0 : (classWeights?.[label] ?? 1);
    const a = f.map((_, c) => (c === label ? 1 - e : 0) + (e / f.length) * ((classWeights?.[c] ?? 1) / (own || 1)));
    return weightedLogs(f, a, own);
  };
}

/** Cross-entropy with probabilities [terms, C]. */
export function probabilityTerms({ data }: Tensor, classWeights?: readonly number[]): TermReference {
  return (f, term) =>
    weightedLogs(
      f,
      f.map((_, c) => (classWeights?.[c] ?? 1) * Number(data[term * f.length + c])),
      1,
    );
}

/** Squared error. */
export function squaredTerms({ data }: Tensor): TermReference {
  return (f, term) => {
    const residuals = f.map((x, c) => x - Number(data[term * f.length + c]));
    return {
      weight: 1,
      loss: residuals.reduce((sum, r) => sum + r * r, 0),
      gradient: residuals.map((r) => 2 * r),
      hessian: diagonal(f.map(() => 2)),
      fisher: diagonal(f.map(() => 2)),
    };
  };
}

/** Binary cross-entropy with positive weights. */
export function coinTerms({ data }: Tensor, positive: readonly number[]): TermReference {
  return (f, term) => {
    const p = f.map((x) => 1 / (1 + Math.exp(-x)));
    const y = f.map((_, c) => Number(data[term * f.length + c]));
    return {
      weight: 1,
      loss: -p.reduce((sum, x, c) => sum + positive[c] * y[c] * Math.log(x) + (1 - y[c]) * Math.log(1 - x), 0),
      gradient: p.map((x, c) => (1 - y[c]) * x - positive[c] * y[c] * (1 - x)),
      hessian: diagonal(p.map((x, c) => (1 - y[c] + positive[c] * y[c]) * x * (1 - x))),
      fisher: diagonal(p.map((x) => x * (1 - x))),
    };
  };
}

/** Poisson negative log-likelihood. */
export function countTerms({ data }: Tensor): TermReference {
  return (f, term) => {
    const rates = f.map(Math.exp);
    const y = f.map((_, c) => Number(data[term * f.length + c]));
    return {
      weight: 1,
      loss: rates.reduce((sum, rate, c) => sum + rate - y[c] * f[c], 0),
      gradient: rates.map((rate, c) => rate - y[c]),
      hessian: diagonal(rates),
      fisher: diagonal(rates),
    };
  };
}

/** Gaussian of predicted mean and log-variance. */
export function gaussianTerms({ data }: Tensor): TermReference {
  return (f, term) => {
    const d = f.length / 2;
    const [mean, log] = [f.slice(0, d), f.slice(d)];
    const r = mean.map((m, i) => Number(data[term * d + i]) - m);
    const precision = log.map((s) => Math.exp(-s));
    const hessian = diagonal([...precision, ...r.map((x, i) => (x * x * precision[i]) / 2)]);
    r.forEach((x, i) => {
      hessian[i][d + i] = hessian[d + i][i] = x * precision[i];
    });
    return {
      weight: 1,
      loss: r.reduce((sum, x, i) => sum + (log[i] + x * x * precision[i]) / 2, 0),
      gradient: [...r.map((x, i) => -x * precision[i]), ...r.map((x, i) => (1 - x * x * precision[i]) / 2)],
      hessian,
      fisher: diagonal([...precision, ...log.map(() => 0.5)]),
    };
  };
}

/** For each term, rows outermost, the positions of its outputs in the row-major outputs of the data set. */
export function termPositions(output: readonly number[], axis: number): number[][] {
  const inner = sizeOf(output.slice(axis + 1));
  const outer = sizeOf(output.slice(0, axis));
  const size = output[axis] ?? 1;
  const terms: number[][] = [];
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < inner; i++) terms.push(Array.from({ length: size }, (_, c) => (o * size + c) * inner + i));
  return terms;
}
