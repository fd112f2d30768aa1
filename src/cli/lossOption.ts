import { InvalidArgumentError, Option } from "commander";
import { type CrossEntropyOptions, CurvatureError, type Loss, losses } from "../index.ts";

type ClassAxis = NonNullable<CrossEntropyOptions["classAxis"]>;

/** A loss that the command line offers. */
export interface LossChoice {
  readonly make: (options: { readonly reduction: "mean" | "sum"; readonly classAxis?: ClassAxis }) => Loss;
  /** Type of the loss's targets. */
  readonly targetType: "class" | "number";
}

/** Every loss of the library, under its name and its short names. */
const LOSSES: { readonly [name: string]: LossChoice["make"] & { readonly aliases: readonly string[] } } = losses;

/** Names of losses in help and messages. */
export const lossNames = Object.keys(LOSSES);

/** `--loss NAME`. Case, hyphens and underscores are ignored; a loss may have short names, and its name in other libraries is understood. */
export function lossOption({ mandatory = true }: { readonly mandatory?: boolean } = {}): Option {
  const short = Object.values(LOSSES).flatMap(({ aliases }) => aliases.slice(0, 1));
  const need = mandatory ? "required" : "needed where model and targets leave it open";
  const names = `${lossNames.join(", ")} (or ${short.join(", ")})`;
  const option = new Option("--loss <name>", `${names}; ${need}`).argParser(lossChoice);
  return mandatory ? option.makeOptionMandatory() : option;
}

/** The loss of this name. PyTorch's and Keras's names are understood: CrossEntropyLoss, cross_entropy, MSELoss, BCEWithLogitsLoss. */
export function lossChoice(text: string): LossChoice {
  const plain = (name: string) =>
    name
      .toLowerCase()
      .replace(/[-_. ]/g, "")
      .replace(/^(torch)?nn(functional)?(?!ll)/, "")
      .replace(/loss$/, "");
  const asked = plain(text);
  const found = Object.entries(LOSSES).find(([name, { aliases }]) => [name, ...aliases].map(plain).includes(asked));
  if (found === undefined) throw new InvalidArgumentError(`Expected one of ${lossNames.join(", ")}.`);
  const [, make] = found;
  return { make, targetType: takesClasses(make({ reduction: "mean" })) ? "class" : "number" };
}

function takesClasses({ labelDims }: Loss): boolean {
  return labelDims !== undefined;
}

/** `--reduction mean|sum` */
export function reductionOption(): Option {
  return new Option("--reduction <kind>", "whether the loss is the mean or the sum over its terms")
    .choices(["mean", "sum"])
    .default("mean");
}

/** `--class-axis second|last` */
export function classAxisOption(): Option {
  return new Option(
    "--class-axis <place>",
    "axis of the classes for crossEntropy: second for [n, c, ...], last for [n, t, c]; needed where the labels fit both",
  ).choices(["second", "last"]);
}

/** `--dtype float32|float64` */
export function dtypeOption(): Option {
  return new Option("--dtype <type>", "precision of all products").choices(["float32", "float64"]).default("float32");
}

/** Creates the requested loss, which reads the named outputs of the model if there are any. */
export function withOutputs(options: {
  readonly loss: LossChoice;
  readonly reduction: "mean" | "sum";
  readonly classAxis?: ClassAxis;
  readonly output?: readonly string[];
}): Loss {
  const { reduction, classAxis } = options;
  const loss = options.loss.make({ reduction, ...(classAxis && { classAxis }) });
  if (classAxis !== undefined && !takesClasses(loss)) {
    throw new CurvatureError("argument", `--class-axis is for crossEntropy; the loss ${loss.name} has no classes`);
  }
  return options.output === undefined ? loss : { ...loss, outputNames: options.output };
}
