import { type Outcome, outcome } from "../runs/result.ts";
import { type Certainty, certainty, fewProbesRemark, type Interval } from "./confidence.ts";

/** Probes before the first look: with fewer, the skewness of the samples makes intervals unreliable. */
const FIRST_CHECKPOINT = 32;

/** Probes at a look over those at the one before. */
const GROWTH = 1.5;

/**
 * Numbers of probes at which a run that has `most` of them looks whether its interval is narrow enough: 32, 48, 72, ... and the last. They
 * are fixed before the first probe, so that the number of looks by which the error probability is divided is known.
 */
export function checkpoints(most: number, first = FIRST_CHECKPOINT): readonly number[] {
  const looks: number[] = [];
  for (let probes = first; probes < most; probes = Math.ceil(probes * GROWTH)) looks.push(probes);
  return [...looks, most];
}

/** Facts that a sequential run knows before its first probe. */
export interface SequentialOptions {
  readonly confidence: number;
  /** Probes that the budget allows. */
  readonly most: number;
  /** Probes before the first look, 32 by default. */
  readonly first?: number | undefined;
}

/**
 * The rule by which a run with a tolerance ends: at a look, if half the interval is at most `tolerance` times the size of the estimate. The
 * intervals of all looks hold together with the asked confidence, so the one that ended the run does as well.
 */
export function sequentialRule({ confidence, most, first }: SequentialOptions) {
  const looks = checkpoints(most, first);
  return {
    /** Probes still to draw before the next look. */
    untilCheckpoint: (probes: number) => (looks.find((look) => look > probes) ?? most) - probes,
    isCheckpoint: (probes: number) => looks.includes(probes),
    certainty: (probes: number) => certainty(confidence, { probes, looks: looks.length }),
  };
}

/** Outcome of such a run unless it was interrupted. `half` is half the interval over the size of the estimate. */
export function sequentialOutcome({
  half,
  tolerance,
  how,
  matvecs,
  of = "the estimate",
  counted = "probes",
}: {
  readonly half: number;
  readonly tolerance: number;
  readonly how: Certainty;
  readonly matvecs: number;
  /** Quantity that half the interval is compared with. */
  readonly of?: string | undefined;
  /** Name of what was drawn. */
  readonly counted?: string | undefined;
}): Outcome {
  const drawn = `${how.probes} ${counted}${fewProbesRemark(how)}`;
  const happened = `half the interval is ${half.toPrecision(2)} of ${of} after ${drawn}, ${tolerance} asked for`;
  return outcome(half <= tolerance ? "converged" : "budget", { happened, matvecs });
}

/** The longer half of an interval over the size of the estimate in it: 0 where nothing is left to estimate. */
export function relativeHalf(value: number, { lower, upper }: Pick<Interval, "lower" | "upper">): number {
  const half = Math.max(upper - value, value - lower);
  return half === 0 ? 0 : half / Math.abs(value);
}
