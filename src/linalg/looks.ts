import { certainty } from "./confidence.ts";

/** Probes before the first look: with fewer, the skewness of the samples makes intervals unreliable. */
const FIRST_LOOK = 32;

/** Probes at a look over those at the one before. */
const GROWTH = 1.5;

/**
 * Numbers of probes at which a run that has `most` of them looks whether its interval is narrow enough: 32, 48, 72, ... and the last. They
 * are fixed before the first probe, so that the number of looks by which the error probability is divided is known.
 */
export function looksWithin(most: number): readonly number[] {
  const looks: number[] = [];
  for (let probes = FIRST_LOOK; probes < most; probes = Math.ceil(probes * GROWTH)) looks.push(probes);
  return [...looks, most];
}

/**
 * The rule by which a run with a tolerance ends: at a look, if half the interval is at most `tolerance` times the size of the estimate. The
 * intervals of all looks hold together with the asked confidence, so the one that ended the run does as well.
 */
export function sequentialRule({ confidence, most }: { readonly confidence: number; readonly most: number }) {
  const looks = looksWithin(most);
  return {
    /** Probes still to draw before the next look. */
    untilLook: (probes: number) => (looks.find((look) => look > probes) ?? most) - probes,
    isLook: (probes: number) => looks.includes(probes),
    certainty: (probes: number) => certainty(confidence, { probes, looks: looks.length }),
  };
}
