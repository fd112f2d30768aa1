import { CurvatureError, type Data, type FileModel, inspectModel } from "../index.ts";
import { type LossChoice, lossChoice } from "./lossOption.ts";

/** The loss of a command, and the data with its kind of targets. */
export interface ChosenLoss {
  readonly loss: LossChoice;
  readonly data: Data;
  /** The evidence for a loss that was not asked for. */
  readonly reason?: string;
  /** The output that this loss reads, where that is not the model's first. */
  readonly output?: string;
}

/** What the choice depends on. */
export interface LossRequest {
  /** The loss asked for, if there is one. */
  readonly asked: LossChoice | undefined;
  /** Whether the user named outputs. */
  readonly namesOutput: boolean;
  /** Reads the data with this kind of targets. */
  load(targetType: LossChoice["targetType"]): Promise<Data>;
}

/**
 * The loss asked for, or the one that the model's outputs and the targets leave no doubt about: a final activation decides alone; without
 * one, several numbers a row with one class index a row are logits of classes, and one number a row with targets other than 0 and 1 is a
 * regression.
 *
 * @throws CurvatureError "argument" where several losses fit, saying which
 */
export async function chosenLoss(model: FileModel, { asked, namesOutput, load }: LossRequest): Promise<ChosenLoss> {
  if (asked !== undefined) return { loss: asked, data: await load(asked.targetType) };
  const suggested = inspectModel(model).suggestedLoss;
  const { name, reason, certain } = suggested;
  if (name === "none")
    throw new CurvatureError("argument", `${model.name}: ${reason}; give the model that it was made from`);
  const loss = lossChoice(name);
  const data = await loaded({ model, reason, load, loss });
  const output = namesOutput || suggested.output === model.outputs[0]?.name ? {} : { output: suggested.output };
  if (certain) return { loss, data, reason, ...output };
  const evidence = loss.targetType === "class" ? classEvidence(data) : await numberEvidence(data);
  if (evidence.doubt !== undefined) {
    throw new CurvatureError(
      "argument",
      `expected --loss NAME, since the file leaves it open: ${reason}; ${evidence.doubt}`,
    );
  }
  return { loss, data, reason: `${withoutChoices(reason)}, and ${evidence.support}`, ...output };
}

async function loaded({
  model,
  reason,
  load,
  loss,
}: Pick<LossRequest, "load"> & {
  readonly model: FileModel;
  readonly reason: string;
  readonly loss: LossChoice;
}): Promise<Data> {
  try {
    return await load(loss.targetType);
  } catch (cause) {
    if (!(cause instanceof CurvatureError && /expected a class label|whole number/.test(cause.message))) throw cause;
    const message = `${cause.message} (without --loss, ${model.name} was taken for a classifier: ${reason})`;
    throw new CurvatureError(cause.code, message, { cause });
  }
}

interface Evidence {
  readonly support?: string;
  readonly doubt?: string;
}

function classEvidence({ targets }: Data): Evidence {
  if (targets !== undefined && !targets.dtype.startsWith("float")) return { support: "the targets are class indices" };
  return {
    doubt:
      "the targets are numbers with fractions: crossEntropy takes them as probabilities of classes, meanSquaredError as values",
  };
}

async function numberEvidence(data: Data): Promise<Evidence> {
  let [binary, counts] = [true, true];
  for await (const { targets } of data.batches()) {
    for (const value of targets?.data ?? []) {
      const number = Number(value);
      binary &&= number === 0 || number === 1;
      counts &&= Number.isInteger(number) && number >= 0;
    }
  }
  if (binary)
    return { doubt: "the targets are 0 and 1 alone: bceWithLogits takes them as classes, meanSquaredError as values" };
  if (counts)
    return { doubt: "the targets are whole numbers: poissonNll takes them as counts, meanSquaredError as values" };
  return { support: "the targets are numbers with fractions" };
}

/** The reason without its advice for other cases. */
function withoutChoices(reason: string): string {
  return reason.split("; ")[0] ?? reason;
}
