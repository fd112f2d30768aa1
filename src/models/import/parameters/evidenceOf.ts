import { reachedValues } from "../analysis/reachability.ts";
import { ruleOf } from "../ops/operators.ts";
import type { ExportedNames } from "../prepared/exporterMetadata.ts";
import type { PreparedModel } from "../prepared/preparedModel.ts";
import { describe } from "../prepared/sortNodes.ts";
import { type Candidate, type Evidence, isConstant } from "./evidence.ts";
import { standardizingConstants } from "./inputScaling.ts";
import { namingEvidence } from "./otherExporters.ts";
import { plainEvidence } from "./plainEvidence.ts";
import { signatureEvidence } from "./signatureEvidence.ts";
import { torchScriptEvidence } from "./torchScript.ts";

/** The strongest evidence on each candidate: the exporter's word, how it stores weights, then role and content. */
export function evidenceOf(
  model: PreparedModel,
  {
    candidates,
    exported,
  }: {
    readonly candidates: ReadonlyMap<string, Candidate>;
    readonly exported: ExportedNames | undefined;
  },
): Map<string, Evidence> {
  const standardizing = standardizingConstants(model, candidates);
  const layers = [...candidates.values()].filter(({ usage }) => usage?.kind === "layer").map(({ name }) => name);
  const reached = reachedValues(model.nodes, layers);
  const stored = isTorchScript(model, exported)
    ? torchScriptEvidence({ model, candidates, standardizing })
    : new Map<string, Evidence>();
  const found = new Map<string, Evidence>();
  for (const candidate of candidates.values()) {
    const word =
      exported === undefined ? undefined : signatureEvidence(candidate, { exported, foldedFrom: model.foldedFrom });
    const storage = word ?? stored.get(candidate.name) ?? namingEvidence(candidate, model);
    found.set(
      candidate.name,
      storage ?? plainEvidence(candidate, { standardizing, reached, constants: model.constants }),
    );
  }
  return withoutUnsupported(model, found);
}

function isTorchScript({ producer }: PreparedModel, exported: ExportedNames | undefined): boolean {
  return exported === undefined && producer.startsWith("pytorch");
}

/** Uncertain weights that reach an operator without a derivative rule, which certain ones do not reach, are left constant. */
function withoutUnsupported(model: PreparedModel, found: ReadonlyMap<string, Evidence>): Map<string, Evidence> {
  const without = model.nodes.filter((node) => ruleOf(node) === undefined);
  const weights = [...found].filter(([, { weight }]) => weight);
  const certain = weights.filter(([, evidence]) => evidence.certain).map(([name]) => name);
  const result = new Map(found);
  if (without.length === 0) return result;
  const reached = reachedValues(model.nodes, certain);
  for (const [name] of weights.filter(([, evidence]) => !evidence.certain)) {
    const own = reachedValues(model.nodes, [name]);
    const node = without.find(({ outputs }) => outputs.some((each) => own.has(each) && !reached.has(each)));
    if (node === undefined) continue;
    result.set(name, isConstant("default", `it reaches ${describe(node)}, which has no derivative rule`, false));
  }
  return result;
}
