import { traitsOf } from "../ops/operators.ts";
import { describe } from "../prepared/sortNodes.ts";
import { type Candidate, type Evidence, isConstant, isWeight } from "./evidence.ts";
import { isBufferName, isParameterName, isPowerIteration } from "./names.ts";
import type { Usage } from "./usages.ts";

/** Names that Keras and others give weights, after PyTorch's own. */
const WEIGHT_NAME = /(^|[./_])(weights?|bias(es)?|kernel|gamma|beta|embeddings?)(:0)?$/i;

/** Fewest numbers of a structured matrix that no small weight resembles by chance. */
const FIXED_MAP = 16;

/** Facts about the graph that the decision by role and numbers needs. */
export interface Surroundings {
  /** Constants that standardize an input. */
  readonly standardizing: ReadonlySet<string>;
  /** Values that the weights of layers reach. */
  readonly reached: ReadonlySet<string>;
  /** All constants of the file. */
  readonly constants: ReadonlyMap<string, { readonly dims: readonly number[] }>;
}

/**
 * Evidence from the role and the numbers of a tensor, where the exporter gives none. The rule for the rest: initializers of
 * several numbers are weights; single numbers, and Constant nodes that no layer uses, are constants.
 */
export function plainEvidence(candidate: Candidate, surroundings: Surroundings): Evidence {
  const { name, dims, usage, content, data } = candidate;
  if (usage?.kind === "statistics") return isConstant("role", "running statistics of BatchNormalization");
  if (usage?.kind !== "layer" && content.masking) return isConstant("content", "a mask: it has numbers no weight has");
  if (isBufferName(name)) return isConstant("storage", "named as buffers are");
  if (isPowerIteration(name, surroundings.constants))
    return isConstant("storage", "a vector of spectral normalization");
  if (usage?.kind === "layer") return layerEvidence(candidate);
  if (content.pattern !== undefined) return isConstant("content", content.pattern, !content.byDifference);
  if (surroundings.standardizing.has(name)) return isConstant("role", "it standardizes an input", false);
  if (usage !== undefined && ((usage.bias && dims.length > 0) || WEIGHT_NAME.test(name)))
    return isWeight("role", `${usage.role} of ${describe(usage.node)}`);
  return data.length === 1 ? ruleForNumber(candidate) : ruleForTensor(candidate, surroundings.reached);
}

function layerEvidence(candidate: Candidate): Evidence {
  const { dims, data, content, usage } = candidate;
  const { node, role } = usage!;
  const plain = content.repeated || content.written;
  if (traitsOf(node).requiresAffine && plain)
    return isConstant("content", "one repeated number, in place of an absent scale or shift");
  if (dims.length === 0) return ruleForNumber(candidate);
  if (content.pattern !== undefined && role === "weight" && data.length >= FIXED_MAP)
    return isConstant("content", `${content.pattern}, as a fixed linear map has`, false);
  return isWeight("role", `${role} of ${describe(node)}`, !isDoubtful(candidate));
}

/** Whether the operand of a layer looks like something fixed: a masked weight, shares, a filter, the scale and shift of no scale. */
function isDoubtful({ name, data, content, usage }: Candidate): boolean {
  if (isParameterName(name) || WEIGHT_NAME.test(name)) return false;
  const { node, role } = usage!;
  const absent = traitsOf(node).normalizes && content.repeated && data[0] === (role === "scale" ? 1 : 0);
  const fixed = content.sparse || content.probabilities || (content.coarse && data.length >= FIXED_MAP);
  return absent === true || (role === "weight" && data.length >= FIXED_MAP && fixed);
}

function ruleForNumber({ usage, content }: Candidate): Evidence {
  return isConstant("content", `a single number: ${useOf(usage)}`, content.written);
}

function ruleForTensor({ origin, usage, content }: Candidate, reached: ReadonlySet<string>): Evidence {
  const use = useOf(usage);
  if (origin === "Constant node" && content.repeated) return isConstant("content", `one repeated number: ${use}`);
  if (usage?.kind === "elementwise") {
    const met = usage.node.inputs.some((name) => reached.has(name));
    return isWeight("role", use, met && origin !== "Constant node" && !content.probabilities);
  }
  return origin === "Constant node"
    ? isConstant("default", `a Constant node: ${use}`, false)
    : isWeight("default", `an initializer of several numbers: ${use}`, false);
}

function useOf(usage: Usage | undefined): string {
  return usage === undefined ? "without a use of its own" : `${usage.role} of ${describe(usage.node)}`;
}
