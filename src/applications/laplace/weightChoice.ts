import { CurvatureError } from "../../errors/index.ts";
import { matches, type Pattern } from "../../models/index.ts";
import { empiricalRisk, type Risk } from "../../operators/index.ts";
import { stream } from "../../random/index.ts";
import { diagonal } from "../../structured/index.ts";
import { lastLayer } from "../../structured/lastLayer.ts";
import type { Vector } from "../../tensors/index.ts";

/** Weights that a posterior is about; the others keep their values. */
export type WeightChoice =
  | "all"
  /** The weight and bias of the layer that gives the outputs. */
  | "lastLayer"
  | Subnetwork
  /** Tensors by name or pattern. */
  | Pattern
  | readonly Pattern[];

/** Single weights. */
export type Subnetwork =
  /** Those of largest magnitude; those of largest variance in the posterior of the diagonal (Daxberger et al., 2021); or random ones. */
  | { readonly largest: "magnitude" | "variance"; readonly count: number }
  | { readonly random: number; readonly seed: number }
  /** Indices into flat vectors of the risk. */
  | { readonly indices: ArrayLike<number> };

/** The objective as a function of the chosen weights. */
export interface ChosenWeights {
  /** A risk whose parameters are the tensors of the chosen weights. */
  readonly risk: Risk;
  /** Whether that risk was made here, and is to be disposed of here. */
  readonly owned: boolean;
  /** Of a subnetwork: the indices of its weights into flat vectors of this risk, ascending. */
  readonly indices: Int32Array | undefined;
  /** What was chosen, in words. */
  readonly description: string;
}

/**
 * The weights that a choice means.
 *
 * @param request `variance` gives the variance of all weights in a diagonal posterior, for a subnetwork by variance
 * @throws CurvatureError "argument" for names without a tensor, indices out of range, or counts that are not
 */
export async function chosenWeights(
  name: string,
  risk: Risk,
  { weights, priorPrecision }: { readonly weights: WeightChoice; readonly priorPrecision: number },
): Promise<ChosenWeights> {
  if (weights === "all") return { risk, owned: false, indices: undefined, description: `all ${risk.size} weights` };
  if (weights === "lastLayer") {
    const names = await lastLayer(risk);
    return restrictedTo(risk, names, `the last layer, ${names.join(" and ")}`);
  }
  if (isSubnetwork(weights)) {
    const { indices, description } = await subnetwork(name, risk, { choice: weights, priorPrecision });
    return { risk, owned: false, indices, description };
  }
  const patterns: readonly Pattern[] = Array.isArray(weights) ? weights : [weights as Pattern];
  const all = risk.parameters.map((parameter) => parameter.name);
  const unmatched = patterns.find((pattern) => !all.some((each) => matches(each, [pattern])));
  if (unmatched !== undefined || patterns.length === 0) {
    throw new CurvatureError(
      "argument",
      `${name} finds no weights that match ${String(unmatched ?? "an empty list")}; there are ${all.slice(0, 10).join(", ")}; or take "all" or "lastLayer"`,
    );
  }
  const names = all.filter((each) => matches(each, patterns));
  return restrictedTo(risk, names, names.length > 5 ? `${names.length} tensors` : names.join(", "));
}

function isSubnetwork(weights: WeightChoice): weights is Subnetwork {
  return typeof weights === "object" && !Array.isArray(weights) && !(weights instanceof RegExp);
}

/** The objective on the same rows as a function of some tensors alone: the others are constants at the values of the risk. */
async function restrictedTo(risk: Risk, names: readonly string[], description: string): Promise<ChosenWeights> {
  if (names.length === risk.parameters.length) return { risk, owned: false, indices: undefined, description };
  const { model, lossFunction: loss, data, dtype, outputs, settings, coupledRows } = risk;
  const weights = risk.split(risk.theta());
  const parameters = model.parameters.map((parameter) => {
    const found = weights[parameter.name];
    return found === undefined ? parameter : { ...parameter, data: found.data as Vector };
  });
  const restricted = await empiricalRisk({
    model: { ...model, parameters },
    loss: outputs.length > 1 ? { ...loss, outputNames: outputs } : loss,
    data,
    dtype,
    // Escaped, so that a star in a name stands for itself.
    parameters: names.map((each) => new RegExp(`^${each.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`)),
    ...(outputs.length === 1 && { output: outputs[0] }),
    cache: settings.cache,
    ...(typeof settings.threads === "number" && { threads: settings.threads }),
    coupledRows,
    // Checked when the given risk was made.
    assumeLogits: true,
    shard: risk.shard,
  });
  return { risk: restricted, owned: true, indices: undefined, description };
}

async function subnetwork(
  name: string,
  risk: Risk,
  { choice, priorPrecision }: { readonly choice: Subnetwork; readonly priorPrecision: number },
): Promise<{ readonly indices: Int32Array; readonly description: string }> {
  if ("indices" in choice) {
    const indices = Int32Array.from(choice.indices).sort();
    checkIndices(name, indices, risk.size);
    return { indices, description: `${indices.length} weights by index` };
  }
  if ("random" in choice) {
    checkSize(name, choice.random, risk.size);
    return { indices: drawn(choice, risk.size), description: `${choice.random} random weights, seed ${choice.seed}` };
  }
  const { largest, count } = choice;
  checkSize(name, count, risk.size);
  if (largest !== "magnitude" && largest !== "variance") {
    throw new CurvatureError(
      "argument",
      `${name} expects a subnetwork of largest "magnitude" or "variance", got ${JSON.stringify(largest)}`,
    );
  }
  const scores = largest === "magnitude" ? risk.theta().map(Math.abs) : await variances(risk, priorPrecision);
  const order = Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a] || a - b);
  const indices = Int32Array.from(order.slice(0, count)).sort();
  return { indices, description: `${count} weights of largest ${largest}` };
}

/** Variances up to a factor: 1 / (h_i + delta) falls with the curvature h_i, whatever the factors of the likelihood. */
async function variances(risk: Risk, priorPrecision: number): Promise<Vector> {
  const of = risk.lossFunction.convex ? "ggn" : { type: 2 as const };
  const K = await diagonal(risk, { of });
  try {
    return (await K.diagonal()).map((h) => 1 / (h / risk.scale + priorPrecision));
  } finally {
    await K.dispose();
  }
}

function drawn({ random: count, seed }: { readonly random: number; readonly seed: number }, size: number): Int32Array {
  const source = stream(seed, "subnetwork");
  const all = Int32Array.from({ length: size }, (_, i) => i);
  for (let i = 0; i < count; i++) {
    const j = i + source.integer(size - i);
    [all[i], all[j]] = [all[j], all[i]];
  }
  return all.slice(0, count).sort();
}

function checkSize(name: string, count: unknown, size: number): void {
  if (Number.isInteger(count) && (count as number) > 0 && (count as number) <= size) return;
  throw new CurvatureError("argument", `${name} expects a subnetwork of 1 to ${size} weights, got ${String(count)}`);
}

function checkIndices(name: string, indices: Int32Array, size: number): void {
  const isValid = indices.every((index, i) => index >= 0 && index < size && (i === 0 || index !== indices[i - 1]));
  if (indices.length > 0 && isValid) return;
  throw new CurvatureError(
    "argument",
    `${name} expects indices of a subnetwork to be different integers from 0 to ${size - 1}`,
  );
}
