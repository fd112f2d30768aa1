import { traitsOf } from "../ops/operators.ts";
import type { PreparedModel } from "../prepared/preparedModel.ts";
import { describe } from "../prepared/sortNodes.ts";
import { type Candidate, type Evidence, isConstant, isWeight } from "./evidence.ts";
import { isBufferName, isParameterName, isPowerIteration, moduleOf } from "./names.ts";
import { relatedTensor } from "./relatedTensor.ts";

/** Names that the exporter gives to what its constant folding made, instead of a path in the module. */
const FOLDED = /^(onnx::\w+|\d+)$/;

/** Facts needed to apply the conventions of PyTorch's TorchScript exporter. */
export interface StoredFacts {
  readonly model: Pick<PreparedModel, "constants">;
  readonly candidates: ReadonlyMap<string, Candidate>;
  /** Constants that standardize an input. */
  readonly standardizing: ReadonlySet<string>;
}

/**
 * Storage of tensors by PyTorch's TorchScript exporter (torch.onnx.export with dynamo=False). Initializers are parameters or
 * buffers, in the order of the module's state: of each module parameters first, then buffers. Constant nodes are numbers of
 * the code. Results of constant folding have names like `onnx::MatMul_12`.
 */
export function torchScriptEvidence(facts: StoredFacts): Map<string, Evidence> {
  const found = new Map<string, Evidence>();
  const stored = [...facts.candidates.values()].some(
    ({ origin, usage }) => origin === "initializer" && usage?.kind === "layer" && usage.role === "weight",
  );
  for (const candidate of facts.candidates.values()) {
    const evidence = evidenceOf(candidate, facts, stored);
    if (evidence !== undefined) found.set(candidate.name, evidence);
  }
  return inOrderOfState(facts.model, found);
}

function evidenceOf(candidate: Candidate, facts: StoredFacts, stored: boolean): Evidence | undefined {
  const { origin, name } = candidate;
  if (origin === "initializer")
    return FOLDED.test(name) ? foldedEvidence(candidate, facts) : ownEvidence(candidate, facts);
  return stored ? isConstant("storage", "a Constant node, where this exporter keeps numbers of the code") : undefined;
}

/** A tensor under its path in the module: a parameter or a buffer. */
function ownEvidence(candidate: Candidate, { standardizing, model }: StoredFacts): Evidence {
  const { name, usage, content } = candidate;
  if (usage?.kind === "statistics") return isConstant("role", "running statistics of BatchNormalization");
  if (usage?.kind !== "layer" && content.masking) return isConstant("content", "a mask: it has numbers no weight has");
  if (isBufferName(name)) return isConstant("storage", "named as buffers are");
  if (isPowerIteration(name, model.constants)) return isConstant("storage", "a vector of spectral normalization");
  // Masks and tables of positions are called `bias` at times, but no layer has them for an operand.
  if (usage?.kind !== "layer" && content.pattern !== undefined) return isConstant("content", content.pattern);
  if (isParameterName(name)) return isWeight("storage", "an initializer named as PyTorch names parameters");
  if (content.pattern !== undefined) return isConstant("content", content.pattern);
  if (content.coarse) return isConstant("content", "round numbers alone, as a fixed filter has");
  if (content.probabilities) return isConstant("content", "shares: nonnegative numbers with sum one", false);
  if (standardizing.has(name)) return isConstant("role", "it standardizes an input");
  // Fixed filters, features and tables are common; fixed biases, scales and slopes are not.
  const isFixedAtTimes = usage?.role === "weight" || usage?.role === "table";
  if (usage?.kind === "layer" && !isFixedAtTimes) return isWeight("role", `${usage.role} of ${describe(usage.node)}`);
  return isWeight("storage", "an initializer, where this exporter keeps parameters and buffers", false);
}

/** A tensor that the exporter computed before it wrote the file. */
function foldedEvidence(candidate: Candidate, facts: StoredFacts): Evidence {
  const { usage, content } = candidate;
  if (content.masking) return isConstant("content", "a mask: it has numbers no weight has");
  if (usage?.kind === "statistics") return isConstant("role", "running statistics of BatchNormalization");
  const related = relatedTensor(candidate, facts.candidates);
  if (related !== undefined) return computed(`${related.relation}, computed before the export`, [related.name]);
  // A table of relative positions that was gathered before the export depends on differences too.
  if (content.pattern !== undefined) return isConstant("content", content.pattern, !content.byDifference);
  if (usage?.kind === "layer") return foldedOperand(candidate, facts.candidates);
  return usage?.kind === "elementwise" && candidate.data.length > 1 && !content.repeated && !content.probabilities
    ? isWeight("storage", "computed before the export, perhaps a rearranged parameter", false)
    : computed("computed before the export", []);
}

function computed(reason: string, from: readonly string[]): Evidence {
  return { ...isConstant("content", reason, false), computedFrom: from };
}

function foldedOperand(candidate: Candidate, candidates: ReadonlyMap<string, Candidate>): Evidence {
  const { usage, content } = candidate;
  const { node, role } = usage!;
  const [, weight, bias] = node.inputs;
  if (traitsOf(node).recurrent || role !== "weight") return isWeight("role", `${role} of ${node.op}`);
  const fused = node.op === "Conv" && FOLDED.test(weight) && candidates.has(bias ?? "") && FOLDED.test(bias);
  if (fused) return isWeight("role", "weight of Conv with a batch normalization folded into it");
  if (content.sparse || content.probabilities) {
    return computed("computed before the export: a masked weight, or the result of a softmax", []);
  }
  if (node.op === "MatMul")
    return isWeight("role", "weight of MatMul", moduleOfNode(node.name) !== "" || node.name === "");
  return { ...isWeight("role", `the whole weight of ${node.op}, computed before the export`, false), computedFrom: [] };
}

/** `/encoder/q` for the node `/encoder/q/MatMul`: the module that the node came from. Names before version 1.12 have none. */
function moduleOfNode(name: string): string {
  return name.startsWith("/") ? name.slice(0, name.lastIndexOf("/")) : name;
}

/**
 * Settles what is uncertain by the order of the module's state: what comes before a parameter of the same module is a
 * parameter, what comes after a buffer is a buffer.
 */
function inOrderOfState(model: StoredFacts["model"], found: ReadonlyMap<string, Evidence>): Map<string, Evidence> {
  const settled = new Map(found);
  const modules = new Map<string, string[]>();
  for (const { name, origin } of model.constants.values()) {
    if (origin !== "initializer" || FOLDED.test(name)) continue;
    modules.set(moduleOf(name), [...(modules.get(moduleOf(name)) ?? []), name]);
  }
  for (const names of modules.values()) {
    const isParameter = (name: string) => isSettled(found.get(name), true);
    const isBuffer = (name: string) => {
      const { dtype } = model.constants.get(name)!;
      return !dtype.startsWith("float") || isSettled(found.get(name), false);
    };
    const last = names.findLastIndex(isParameter);
    const first = names.findIndex(isBuffer);
    if (first >= 0 && last > first) continue;
    names.forEach((name, i) => {
      if (found.get(name)?.certain !== false) return;
      if (i < last) settled.set(name, isWeight("storage", `stored before the parameter ${names[last]} of its module`));
      else if (first >= 0 && i > first)
        settled.set(name, isConstant("storage", `stored after the buffer ${names[first]} of its module`));
    });
  }
  return settled;
}

function isSettled(evidence: Evidence | undefined, weight: boolean): boolean {
  return evidence?.certain === true && evidence.weight === weight;
}
