import { CurvatureError } from "../../errors/index.ts";
import { type RunOptions, studentQuantile } from "../../linalg/index.ts";
import { checkArgument, checkCount, checkSeed } from "../../linalg/operator/checks.ts";
import { checkOptions } from "../../linalg/operator/options.ts";
import { scaled } from "../../linalg/vectors/vector.ts";
import { type Risk, rowLosses } from "../../operators/index.ts";
import { stream } from "../../random/index.ts";
import type { Vector } from "../../tensors/index.ts";
import { chosenRows, collectedRows } from "../chosenRows.ts";
import { rankCorrelation } from "../rankCorrelation.ts";
import { checkIndices } from "./checkIndices.ts";
import { signalOf } from "./inverseOptions.ts";
import { checkRows, queryRisk } from "./queryRisk.ts";
import { newton, type Retraining } from "./retraining.ts";

/** Options of `linearDatamodelingScore`. */
export interface DatamodelingOptions extends RunOptions {
  /** Scores of each query, [queries][rows], as `influence` gives them. */
  readonly scores: readonly ArrayLike<number>[];
  /** Number of random subsets, each one training run; 50 by default. Not used with `subsets`. */
  readonly count?: number;
  /** Rows of a subset over all rows; 0.5 by default. */
  readonly share?: number;
  /** Seed of the subsets; required unless they are given. */
  readonly seed?: number;
  /** The subsets themselves, rows by index. */
  readonly subsets?: readonly (readonly number[])[];
  /** Values of the queries after training on each of `subsets`, from an earlier result: nothing is trained. */
  readonly outcomes?: readonly ArrayLike<number>[];
  /** Strength of the penalty; default 0. */
  readonly weightDecay?: number | Vector;
  /** How to train on a subset; default `newtonCg` from the weights of the risk. */
  readonly retrain?: Retraining;
  /** Level of the interval; 0.95 by default. */
  readonly confidence?: number;
}

/** How well scores predict retraining on subsets. */
export interface DatamodelingScore {
  /** Spearman's correlation over the subsets of predicted and measured values, for each query; undefined where a query's values do not vary. */
  readonly scores: readonly (number | undefined)[];
  /** Mean over the queries. */
  readonly mean: number;
  /** Interval of the mean over the draw of subsets, by the jackknife on the scale of Fisher's z. */
  readonly interval: { readonly low: number; readonly high: number; readonly confidence: number };
  readonly subsets: readonly (readonly number[])[];
  /** Values of the queries after training on each subset, [subsets][queries]. */
  readonly outcomes: readonly Float64Array[];
  /** Largest norm of a gradient at the end of a training run; absent where nothing was trained. */
  readonly gradientNorm?: number;
}

const NAME = "linearDatamodelingScore";

/**
 * Linear datamodeling score (Park et al., 2023, equation 5): Spearman's rank correlation over random subsets of the training rows between `-1/N sum of the scores of the
 * subset's rows`, what the scores predict for a query up to a constant, and the query's value after training on the subset alone, as the mean over its own rows. 1 for scores
 * that order all subsets rightly, 0 for scores without information.
 *
 * Costs one training run a subset.
 *
 * @throws CurvatureError "argument" or "shape" for scores, subsets or options it cannot take
 */
export async function linearDatamodelingScore(
  risk: Risk,
  queries: Risk,
  options: DatamodelingOptions,
): Promise<DatamodelingScore> {
  const { scores, confidence = 0.95 } = options;
  const subsets = checkedSubsets(risk, queries, options);
  const { outcomes, gradientNorm } =
    options.outcomes === undefined
      ? await retrained(risk, { queries, subsets, options })
      : { outcomes: options.outcomes.map((row) => Float64Array.from(row)), gradientNorm: undefined };
  const predicted = subsets.map((subset) =>
    scores.map((own) => -subset.reduce((sum, row) => sum + own[row]!, 0) / risk.rows),
  );
  const correlations = scoresOf(predicted, outcomes);
  return {
    scores: correlations,
    mean: meanOf(correlations),
    interval: interval(predicted, outcomes, confidence),
    subsets,
    outcomes,
    ...(gradientNorm !== undefined && { gradientNorm }),
  };
}

/** The subsets, given or drawn, of a checked request. */
function checkedSubsets(risk: Risk, queries: Risk, options: DatamodelingOptions): readonly (readonly number[])[] {
  checkRows(NAME, risk);
  checkOptions(
    NAME,
    options,
    "scores count share seed subsets outcomes weightDecay retrain confidence signal onProgress",
  );
  const { scores, confidence = 0.95 } = options;
  checkArgument(
    confidence > 0 && confidence < 1,
    `${NAME} expects confidence between 0 and 1, got ${String(confidence)}`,
  );
  if (scores.length !== queries.rows || scores.some(({ length }) => length !== risk.rows)) {
    throw new CurvatureError(
      "shape",
      `${NAME} expects scores of ${queries.rows} queries with ${risk.rows} rows each, got ${scores.length} with ${scores[0]?.length}`,
    );
  }
  const subsets = options.subsets ?? randomSubsets(risk.rows, options);
  for (const subset of subsets) checkIndices(NAME, subset, risk.rows);
  checkArgument(subsets.length >= 5, `${NAME} expects at least 5 subsets, got ${subsets.length}`);
  if (options.outcomes === undefined || options.outcomes.length === options.subsets?.length) return subsets;
  throw new CurvatureError(
    "shape",
    `${NAME} expects outcomes of each of the subsets they were measured on, got ${options.outcomes.length} for ${options.subsets?.length ?? 0} subsets`,
  );
}

function randomSubsets(
  rows: number,
  { count = 50, share = 0.5, seed }: DatamodelingOptions,
): readonly (readonly number[])[] {
  checkCount(NAME, "count", count);
  checkArgument(share > 0 && share < 1, `${NAME} expects share between 0 and 1, got ${String(share)}`);
  checkSeed(NAME, seed);
  const size = Math.max(1, Math.round(share * rows));
  return Array.from({ length: count }, (_, index) => {
    const random = stream(seed!, "subset", index);
    const order = Array.from({ length: rows }, (_, row) => row);
    for (let i = 0; i < size; i++) {
      const j = i + random.integer(rows - i);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return order.slice(0, size).sort((a, b) => a - b);
  });
}

async function retrained(
  risk: Risk,
  {
    queries,
    subsets,
    options,
  }: {
    readonly queries: Risk;
    readonly subsets: readonly (readonly number[])[];
    readonly options: DatamodelingOptions;
  },
): Promise<{ readonly outcomes: readonly Float64Array[]; readonly gradientNorm: number }> {
  const { weightDecay = 0, retrain = newton } = options;
  const all = await collectedRows(risk.data);
  const measured = queryRisk(NAME, risk, queries);
  const outcomes: Float64Array[] = [];
  let worst = 0;
  try {
    for (const [index, chosen] of subsets.entries()) {
      const own = await risk.on(chosenRows(all, { chosen, data: risk.data, what: `subset ${index}` }));
      const { theta, gradientNorm } = await retrain(own, { weightDecay, ...signalOf(options) });
      worst = Math.max(worst, gradientNorm);
      const moved = measured.risk.at(theta);
      outcomes.push(Float64Array.from(scaled(measured.factor, await rowLosses(moved))));
      await moved.dispose();
      await own.dispose();
      options.onProgress?.({ stage: NAME, done: index + 1, total: subsets.length });
    }
  } finally {
    await measured.dispose();
  }
  return { outcomes, gradientNorm: worst };
}

type Table = readonly ArrayLike<number>[];

/** The correlation over the subsets of each query's predictions and outcomes, [subsets][queries] both. */
function scoresOf(predicted: Table, outcomes: Table): readonly (number | undefined)[] {
  const at = (table: Table, query: number) => table.map((row) => row[query]!);
  return Array.from({ length: predicted[0]!.length }, (_, query) =>
    rankCorrelation(at(predicted, query), at(outcomes, query)),
  );
}

function meanOf(scores: readonly (number | undefined)[]): number {
  const known = scores.filter((score) => score !== undefined);
  return known.length === 0 ? Number.NaN : known.reduce((sum, score) => sum + score, 0) / known.length;
}

/**
 * Jackknife over the subsets, which all queries share: without each subset once, the mean's `z = artanh(mean)` has the standard error `sqrt((M - 1) / M sum (z_i -
 * mean z)^2)`; the interval is that of Student's t with M - 1 degrees of freedom, taken back by tanh.
 */
function interval(predicted: Table, outcomes: Table, confidence: number): DatamodelingScore["interval"] {
  const count = predicted.length;
  const z = (mean: number) => Math.atanh(Math.max(-1 + 1e-12, Math.min(1 - 1e-12, mean)));
  const left = Array.from({ length: count }, (_, out) => {
    const others = (table: Table) => table.filter((_, index) => index !== out);
    return z(meanOf(scoresOf(others(predicted), others(outcomes))));
  });
  const middle = left.reduce((sum, value) => sum + value, 0) / count;
  const squares = left.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  const reach = studentQuantile((1 + confidence) / 2, count - 1) * Math.sqrt(((count - 1) / count) * squares);
  const center = z(meanOf(scoresOf(predicted, outcomes)));
  return { low: Math.tanh(center - reach), high: Math.tanh(center + reach), confidence };
}
