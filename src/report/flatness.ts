import type { CurvatureReport, RelativeCurvature, RelativeDisturbance } from "../applications/report.ts";
import { caution, estimate, type Finding, finding } from "./finding.ts";
import { formatCount, formatEstimate, formatNumber, formatShare } from "./format.ts";

/**
 * Relative disturbances of all weights at which a tenth of the reference loss is added: below the first the network is called sharp, above
 * the second flat. bfloat16 rounds weights by up to 0.4 % (2^-8), 3-bit integers by some 10 %.
 */
const LIMITS = { sharp: 0.01, flat: 0.1 };

/** Factor between the predicted and the measured size beyond which the loss is not quadratic up to there. */
const QUADRATIC = 1.5;

const UNCHANGED =
  "These numbers stay the same when weights are rescaled without changing the network (a factor in one layer and its inverse in the next, a layer before a normalization). Eigenvalues, traces and learning rates do not, so compare networks by these.";

/** Verdict on sharpness from measured increases of the loss, in numbers that rescaling of weights does not change. */
export function flatness({ relative, loss }: CurvatureReport): Finding | undefined {
  if (relative === undefined || relative.disturbances.length === 0) return undefined;
  const target = relative.guessing
    ? `a tenth of the loss of guessing (${formatNumber(relative.reference / 10, 2)})`
    : `a tenth of itself (${formatNumber(relative.reference / 10, 2)})`;
  const size = relative.measuredSize;
  const details = [prediction(relative), small(relative, loss.value), directions(relative), UNCHANGED];
  if (size === undefined) {
    const most = relative.withstands ?? 0;
    const answer = `a random change of every weight by ${formatShare(most)} of itself does not raise the loss by ${target}.`;
    return most > LIMITS.flat
      ? finding("flatness", `Flat: even ${answer}`, details)
      : caution("flatness", `Not told: ${answer}`, details);
  }
  const verdict = size < LIMITS.sharp ? "Sharp" : size > LIMITS.flat ? "Flat" : "Neither sharp nor flat";
  const answer = `${verdict}: a random change of every weight by about ${formatShare(Number(size.toPrecision(2)))} of itself raises the loss by ${target}.`;
  return finding("flatness", answer, details);
}

/** How the curvature's prediction compares. */
function prediction({ raisingSize, measuredSize, noun, trace }: RelativeCurvature): string {
  const sum = `the trace of ${noun} in units of the weights (${estimate(trace)})`;
  if (raisingSize === undefined) return `Measured; ${sum} is not positive and predicts nothing.`;
  const size = formatShare(Number(raisingSize.toPrecision(2)));
  const ratio = measuredSize === undefined ? undefined : raisingSize / measuredSize;
  const quadratic = ratio !== undefined && ratio < QUADRATIC && ratio > 1 / QUADRATIC;
  const how = quadratic ? "as the curvature predicts" : "the loss is not quadratic up to there";
  return `Measured over random changes; ${sum} alone predicts ${size}: ${how}.`;
}

function small({ disturbances }: RelativeCurvature, loss: number): string | undefined {
  const found = disturbances.find(({ size }) => size === 0.01);
  return (
    found &&
    `A random change of every weight by 1 % adds ${increase(found)} to the loss of ${formatNumber(loss, 3)} (predicted ${formatEstimate(found.predicted, found.predictedError)}).`
  );
}

function directions({ directions: spread, directionsOf: noun }: RelativeCurvature): string | undefined {
  return (
    spread &&
    `In units of the weights ${noun} is spread over about ${spread.value < 100 ? formatCount(spread.value) : formatNumber(spread.value, 2)} directions.`
  );
}

function increase({ measured, standardError }: RelativeDisturbance): string {
  return formatEstimate(measured, standardError);
}
