import type { Estimate } from "../runs/result.ts";

/** Running sums over samples of one number: their sum, and the sum of squared deviations from their mean. */
export interface SampleSums {
  readonly sum: number;
  readonly squares: number;
}

/** Sums over no samples. */
export const noSamples: SampleSums = { sum: 0, squares: 0 };

/** Sums with one more sample beside the `count` before it, by the update of Welford (1962), which does not cancel. */
export function addSample({ sum, squares }: SampleSums, x: number, count: number): SampleSums {
  const deviation = count === 0 ? 0 : x - sum / count;
  return { sum: sum + x, squares: squares + (deviation * deviation * count) / (count + 1) };
}

/**
 * Mean of `count` samples times `weight`, with its standard error `weight s / sqrt(count)`, s^2 the unbiased sample variance. Samples drawn
 * without replacement from a `population` have the smaller error `sqrt(1 - count / population)` times that: none once all are drawn.
 */
export function meanOf(
  { sum, squares }: SampleSums,
  {
    count,
    weight = 1,
    population = Number.POSITIVE_INFINITY,
  }: { count: number; weight?: number; population?: number | undefined },
): Estimate {
  if (count === 0) return { value: Number.NaN, standardError: Number.POSITIVE_INFINITY };
  const value = sum * (weight / count);
  if (count >= population) return { value, standardError: 0 };
  if (count === 1) return { value, standardError: Number.POSITIVE_INFINITY };
  const variance = (squares / (count - 1)) * (1 - count / population);
  return { value, standardError: weight * Math.sqrt(variance / count) };
}

/** Mean of these samples; exact where they are not random. */
export function sampleMean(
  samples: readonly number[],
  { exact = false }: { readonly exact?: boolean | undefined } = {},
): Estimate {
  const sums = samples.reduce((so, x, count) => addSample(so, x, count), noSamples);
  return meanOf(sums, { count: samples.length, population: exact ? samples.length : undefined });
}
