import { CurvatureError } from "../errors/index.ts";
import type { RunOptions } from "../linalg/index.ts";
import type { Risk } from "../operators/index.ts";
import type { DataSummary } from "./report.ts";
import { scaledInputs } from "./scaledInputs.ts";

/** What is known of a risk before its curvature. */
export interface DataEvidence {
  readonly summary: DataSummary;
  readonly loss: number;
  /** Share of terms whose largest output is the label; undefined if targets are not classes. */
  readonly accuracy: number | undefined;
}

/** Standard errors by which an accuracy must exceed that of guessing. */
const STANDARD_ERRORS = 3;

/** Sizes of inputs that a first layer of usual weights expects. Outside, other scales are tried. */
const USUAL_SIZES = { smallest: 0.1, largest: 1.5 };

/** Largest value from which whole numbers are taken for pixels that may have to be scaled. */
const LEAST_PIXEL = 8;

/** The loss at another scale counts as evidence if it is at most this share of the loss. */
const CLEAR_SHARE = 0.75;

/**
 * Signs that data are not those of the training, as sentences with their evidence: an accuracy that is not better than guessing, a loss
 * above that of a constant prediction, and inputs of an unusual size, at which the loss is clearly lower after a division (by their largest
 * size, or by 255 for whole numbers up to 255) or that are whole numbers as pixels are. Costs at most two further evaluations of the loss, on the data with divided inputs.
 *
 * @throws CurvatureError "aborted" when the signal stops it
 */
export async function dataWarnings(
  risk: Risk,
  { summary, loss, accuracy, signal }: DataEvidence & RunOptions,
): Promise<readonly string[]> {
  const run = signal ? { signal } : {};
  const scale = await scaleWarning(risk, { summary, loss, run });
  return [
    scale,
    namesWarning(summary),
    accuracyWarning(summary, accuracy),
    guessingWarning(risk, summary, loss),
  ].filter((warning) => warning !== undefined);
}

function namesWarning({ targets }: DataSummary): string | undefined {
  if (targets?.kind !== "classes" || targets.names === undefined) return undefined;
  const { names, counts } = targets;
  if (names.length === counts.length) return undefined;
  return `the labels have ${names.length} names, which were numbered in their order, but the model tells ${counts.length} classes: give the names of all in the order of its outputs (--classes)`;
}

function accuracyWarning({ targets }: DataSummary, accuracy: number | undefined): string | undefined {
  if (accuracy === undefined || targets?.kind !== "classes") return undefined;
  const terms = targets.counts.reduce((sum, count) => sum + count, 0);
  const chance = 1 / targets.counts.length;
  const error = Math.sqrt((chance * (1 - chance)) / terms);
  if (accuracy > chance + STANDARD_ERRORS * error) return undefined;
  const relation = accuracy < chance - STANDARD_ERRORS * error ? "worse than" : "not better than";
  return `the accuracy is ${percent(accuracy)}, ${relation} guessing (${percent(chance)}): is the column of labels the right one (--label), and do the classes have the model's order?`;
}

/** Compares the loss with that of the best constant prediction on the same targets: class frequencies, or the mean. */
function guessingWarning({ lossFunction }: Risk, { targets }: DataSummary, loss: number): string | undefined {
  if (lossFunction.reduction !== "mean" || targets === undefined) return undefined;
  const guessing = guessingLoss(lossFunction.name, targets);
  if (guessing === undefined || !(loss > guessing)) return undefined;
  const prediction = targets.kind === "classes" ? "the class frequencies" : "the mean of the targets";
  return `the loss is ${short(loss)}, above the ${short(guessing)} of predicting ${prediction} for every row: are data, scaling and loss those of the training?`;
}

/** Loss per term of the best prediction that ignores the inputs; undefined where it is not known for the loss. */
export function guessingLoss(name: string, targets: NonNullable<DataSummary["targets"]>): number | undefined {
  if (targets.kind === "values") return name === "meanSquaredError" ? targets.variance : undefined;
  if (name !== "crossEntropy") return undefined;
  const terms = targets.counts.reduce((sum, count) => sum + count, 0);
  return targets.counts.reduce(
    (sum, count) => (count === 0 ? sum : sum - (count / terms) * Math.log(count / terms)),
    0,
  );
}

async function scaleWarning(
  risk: Risk,
  { summary, loss, run }: { readonly summary: DataSummary; readonly loss: number; readonly run: RunOptions },
): Promise<string | undefined> {
  const [input, ...others] = summary.inputs;
  const expected = risk.model.inputs.find(({ name }) => name === input?.name)?.dtype;
  if (input === undefined || others.length > 0 || !expected?.startsWith("float")) return undefined;
  const size = Math.max(Math.abs(input.minimum), Math.abs(input.maximum));
  if (size === 0 || (size >= USUAL_SIZES.smallest && size <= USUAL_SIZES.largest)) return undefined;
  const isCount = input.whole && input.minimum >= 0;
  let best: { readonly divisor: number; readonly loss: number } | undefined;
  for (const divisor of isCount && size > 16 && size < 255 ? [size, 255] : [size]) {
    const found = await lossAt(risk, divisor, run);
    if (found !== undefined && found < (best?.loss ?? Number.POSITIVE_INFINITY)) best = { divisor, loss: found };
  }
  if (best === undefined) return undefined;
  const range = `inputs range from ${short(input.minimum)} to ${short(input.maximum)}`;
  const divided = `when they are divided by ${short(best.divisor)}`;
  if (best.loss < CLEAR_SHARE * loss) {
    return `${range}, and the loss falls from ${short(loss)} to ${short(best.loss)} ${divided}: was the model trained on other units (--scale)?`;
  }
  if (!isCount || size < LEAST_PIXEL) return undefined;
  return `${range} in whole numbers, as pixels that are not scaled, where a first layer usually takes about 1; the loss is ${short(loss)}, and ${short(best.loss)} ${divided}: was the model trained on these units (--scale)?`;
}

/** Loss with divided inputs; undefined where the model has none there. */
async function lossAt(risk: Risk, divisor: number, run: RunOptions): Promise<number | undefined> {
  try {
    const scaled = await risk.on(scaledInputs(risk.data, divisor));
    try {
      return await scaled.loss(run);
    } finally {
      await scaled.dispose();
    }
  } catch (error) {
    if (error instanceof CurvatureError && error.code === "numeric") return undefined;
    throw error;
  }
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(2))} %`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}
