import { certainty, type Interval, interval } from "../linalg/statistics/confidence.ts";

/** A relative error and its uncertainty. */
export interface RelativeError {
  /** |A - K| / |A| in Frobenius norms. */
  readonly relativeError: number;
  readonly standardError: number;
  readonly interval: Interval;
}

/** Squared norms of a random vector's product with A - K, for an approximation K, and with A. */
export interface ErrorSample {
  readonly error: number;
  readonly whole: number;
}

/**
 * The relative error in Frobenius norms from the samples of one random vector each: the root of a ratio of means R = mean(error) / mean(whole). The
 * ratio's standard error is that of the mean of `error - R whole` over mean(whole) (delta method), the root's that over 2 sqrt(R).
 */
export function relativeError(
  samples: readonly ErrorSample[],
  { confidence }: { readonly confidence: number },
): RelativeError {
  const error = samples.reduce((sum, sample) => sum + sample.error, 0);
  const whole = samples.reduce((sum, sample) => sum + sample.whole, 0);
  const how = certainty(confidence, { probes: samples.length });
  if (whole === 0 || error === 0) {
    const value = error === 0 ? 0 : Number.POSITIVE_INFINITY;
    return { relativeError: value, standardError: 0, interval: interval({ value, standardError: 0 }, how) };
  }
  const ratio = error / whole;
  const spread = samples.reduce((sum, sample) => sum + (sample.error - ratio * sample.whole) ** 2, 0);
  const ofRatio = Math.sqrt((spread * samples.length) / (samples.length - 1)) / whole;
  const around = interval({ value: ratio, standardError: ofRatio }, how);
  return {
    relativeError: Math.sqrt(ratio),
    standardError: ofRatio / (2 * Math.sqrt(ratio)),
    interval: { ...around, lower: Math.sqrt(Math.max(around.lower, 0)), upper: Math.sqrt(around.upper) },
  };
}
