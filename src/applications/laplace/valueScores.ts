import type { Labels } from "./labelLosses.ts";
import { normalHalfWidth } from "./normalHalfWidth.ts";
import type { PredictedValues } from "./predictedValues.ts";

/** How often labels lie in intervals of a level. */
export interface IntervalCoverage {
  readonly level: number;
  /** Share of labels within. */
  readonly coverage: number;
  /** Standard error of that share. */
  readonly standardError: number;
  /** Mean width of the intervals. */
  readonly width: number;
}

/** Scores of predicted numbers. */
export interface ValueScores {
  readonly rootMeanSquaredError: number;
  /** Of the intervals mean +- quantile times the standard deviation of a label: exact for Gaussian labels and outputs, by moments for others. */
  readonly intervals: readonly IntervalCoverage[];
}

/** Scores of predictive distributions of numbers, or of the network's own with `point`. */
export function valueScores(
  values: PredictedValues,
  { y, weights }: Labels,
  { levels, point }: { readonly levels: readonly number[]; readonly point: boolean },
): ValueScores {
  const { size } = values;
  const mean = point ? values.pointMean : values.mean;
  const variance = point ? values.pointVariance : values.variance;
  const halves = levels.map(normalHalfWidth);
  const [inside, widths] = [levels.map(() => 0), levels.map(() => 0)];
  let [squares, total, count] = [0, 0, 0];
  for (let k = 0; k < mean.length; k++) {
    const w = weights === undefined ? 1 : Number(weights[Math.floor(k / size)]);
    if (w === 0) continue;
    const error = Number(y.data[k]) - mean[k];
    const deviation = Math.sqrt(variance[k]);
    halves.forEach((half, i) => {
      if (Math.abs(error) <= half * deviation) inside[i] += w;
      widths[i] += w * 2 * half * deviation;
    });
    squares += w * error * error;
    total += w;
    count++;
  }
  return {
    rootMeanSquaredError: Math.sqrt(squares / total),
    intervals: levels.map((level, i) => {
      const coverage = inside[i] / total;
      const standardError = Math.sqrt((coverage * (1 - coverage)) / count);
      return { level, coverage, standardError, width: widths[i] / total };
    }),
  };
}
