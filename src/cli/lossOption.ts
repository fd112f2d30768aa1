import { InvalidArgumentError, Option } from "commander";
import {
  bceWithLogits,
  type CrossEntropyOptions,
  CurvatureError,
  crossEntropy,
  gaussianNll,
  type Loss,
  meanSquaredError,
  poissonNll,
} from "../index.ts";

type ClassAxis = NonNullable<CrossEntropyOptions["classAxis"]>;

/** A loss that the command line offers. */
export interface LossChoice {
  readonly make: (options: { readonly reduction: "mean" | "sum"; readonly classAxis?: ClassAxis }) => Loss;
  /** Type of the loss's targets. */
  readonly targetType: "class" | "number";
}

const LOSSES: { readonly [name: string]: LossChoice & { readonly aliases: readonly string[] } } = {
  crossEntropy: { make: crossEntropy, targetType: "class", aliases: ["ce"] },
  meanSquaredError: { make: meanSquaredError, targetType: "number", aliases: ["mse"] },
  bceWithLogits: { make: bceWithLogits, targetType: "number", aliases: ["bce", "binaryCrossEntropy"] },
  poissonNll: { make: poissonNll, targetType: "number", aliases: ["poisson"] },
  gaussianNll: { make: gaussianNll, targetType: "number", aliases: ["gaussian"] },
};

/** Names of losses in help and messages. */
export const lossNames = Object.keys(LOSSES);

/** `--loss NAME`. Case, hyphens and underscores are ignored; ce, mse, bce, poisson and gaussian are aliases. */
export function lossOption(): Option {
  return new Option("--loss <name>", `loss: ${lossNames.join(", ")} (or ce, mse, bce, poisson, gaussian)`)
    .argParser(lossChoice)
    .makeOptionMandatory();
}

/** The loss of this name. */
export function lossChoice(text: string): LossChoice {
  const plain = (name: string) => name.toLowerCase().replace(/[-_ ]/g, "");
  const asked = plain(text);
  const found = Object.entries(LOSSES).find(([name, { aliases }]) => [name, ...aliases].map(plain).includes(asked));
  if (found === undefined) throw new InvalidArgumentError(`Expected one of ${lossNames.join(", ")}.`);
  return found[1];
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
  if (classAxis !== undefined && loss.name !== "crossEntropy") {
    throw new CurvatureError("argument", `--class-axis is for crossEntropy; the loss ${loss.name} has no classes`);
  }
  return options.output === undefined ? loss : { ...loss, outputNames: options.output };
}
