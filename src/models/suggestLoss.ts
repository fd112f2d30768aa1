import type { ModelOutput } from "./model.ts";

/** The loss that fits a model's outputs. */
export interface SuggestedLoss {
  /** "none" for a model that computes derivatives already. */
  readonly name: "crossEntropy" | "bceWithLogits" | "meanSquaredError" | "none";
  /** The output that the loss reads. */
  readonly output: string;
  /** The evidence, as a sentence without its full stop. */
  readonly reason: string;
  /** True if the file leaves no doubt; otherwise targets have to decide. */
  readonly certain: boolean;
}

/** An output with its dimensions, rows first. */
export type SizedOutput = ModelOutput & { readonly dims: readonly (number | string | null)[] | null };

/** Products of an exported derivative. */
const DERIVATIVES: readonly string[] = ["gradient", "hvp", "ggnvp", "jvp", "vjp"];

/**
 * The loss that fits the first output of floats. A final activation decides it; without one, the sizes of the output leave several, and the
 * one named first is the most common.
 */
export function suggestLoss(
  outputs: readonly SizedOutput[],
  {
    integers,
    metadata,
  }: {
    /** Names of outputs of integers or text: predicted labels, of which no loss is taken. */
    readonly integers: ReadonlySet<string>;
    readonly metadata: Readonly<Record<string, string>>;
  },
): SuggestedLoss {
  const found = outputs.find(({ name }) => !integers.has(name)) ?? outputs[0];
  const output = found.name;
  const { product } = metadata;
  if (product !== undefined && DERIVATIVES.includes(product) && "parameters" in metadata) {
    const reason = `the file is an exported derivative (${product}), so its outputs are not predictions`;
    return { name: "none", output, certain: true, reason };
  }
  const { activation } = found;
  if (activation === "Softmax" || activation === "LogSoftmax") {
    const reason = `output "${output}" ends in ${activation}, so it stands for probabilities of classes`;
    return { name: "crossEntropy", output, certain: true, reason };
  }
  if (activation === "Sigmoid") {
    const reason = `output "${output}" ends in Sigmoid, so each element is a probability of its own`;
    return { name: "bceWithLogits", output, certain: true, reason };
  }
  return { output, certain: false, ...bySize(found) };
}

function bySize({ name, dims }: SizedOutput): Pick<SuggestedLoss, "name" | "reason"> {
  const [, ...row] = dims ?? [];
  const last = row.at(-1);
  if (row.length === 3 && typeof row[0] === "number" && row[0] > 1) {
    const reason = `output "${name}" has ${row[0]} numbers at each pixel without an activation, as logits of ${row[0]} classes a pixel have; for values a pixel choose meanSquaredError`;
    return { name: "crossEntropy", reason };
  }
  if (row.length === 3) {
    return {
      name: "meanSquaredError",
      reason: `output "${name}" has one number a pixel, as in regression; for two classes a pixel choose bceWithLogits`,
    };
  }
  if (last === 2) {
    const reason = `output "${name}" has two numbers ${row.length > 1 ? "a token" : "a row"} without an activation, as logits of two classes have; for two values choose meanSquaredError, for a mean and a log variance gaussianNll`;
    return { name: "crossEntropy", reason };
  }
  if (typeof last === "number" && last > 1) {
    const reason = `output "${name}" has ${last} numbers ${row.length > 1 ? "a token" : "a row"} without an activation, as logits of ${last} classes have; for regression choose meanSquaredError`;
    return { name: "crossEntropy", reason };
  }
  const size = last === 1 || row.length === 0 ? "one number a row" : "numbers of a size that the file leaves open";
  const other = "for two classes choose bceWithLogits, for counts poissonNll";
  return { name: "meanSquaredError", reason: `output "${name}" has ${size}, as in regression; ${other}` };
}
