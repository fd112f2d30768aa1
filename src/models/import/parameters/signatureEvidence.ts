import { traitsOf } from "../ops/operators.ts";
import { type ExportedNames, operationOf, parametersOfCall } from "../prepared/exporterMetadata.ts";
import { type Candidate, type Evidence, isConstant, isWeight } from "./evidence.ts";

/** Operations of PyTorch that move elements, by the stem of the name that they give their result. */
const MOVES: ReadonlySet<string> = new Set(
  `embedding view reshape permute transpose t mT T numpy_T squeeze unsqueeze expand flatten unflatten slice select index index_select gather
   narrow split chunk unbind getitem cat concat concatenate stack clone contiguous detach alias lift_fresh_copy to _to_copy
   _unsafe_view unsafe_split flip roll tile repeat movedim swapaxes diagonal copy type_as as_strided pad constant_pad_nd
   scalar_tensor_default`
    .split(/\s+/)
    .filter((name) => name !== ""),
);

/** Operations whose second operand is a list of positions, which buffers may hold. */
const INDEXED: ReadonlySet<string> = new Set(["embedding", "index", "index_select", "gather"]);

/** Operations of PyTorch that are a layer with a weight. */
const LAYERS = /^aten\.(linear|conv\w*|_?convolution|addmm)$/;

/** Evidence from PyTorch's exporter torch.export: its graph signature and its notes on folded constants. */
export function signatureEvidence(
  candidate: Candidate,
  {
    exported,
    foldedFrom,
  }: {
    readonly exported: ExportedNames;
    readonly foldedFrom: ReadonlyMap<string, readonly string[]>;
  },
): Evidence | undefined {
  const { name } = candidate;
  if (exported.parameters.has(name)) return isWeight("exporter", "the exporter calls it a parameter");
  if (exported.buffers.has(name)) return isConstant("exporter", "the exporter calls it a buffer");
  if (exported.constants.has(name)) return isConstant("exporter", "the exporter calls it a constant of the code");
  const fused = name.endsWith("_bias") && exported.parameters.has(name.slice(0, -"_bias".length));
  if (fused) return isWeight("exporter", "the bias that the exporter made of a batch normalization");
  const origins = foldedFrom.get(name);
  if (origins !== undefined) return foldedEvidence(candidate, origins, exported);
  if (foldedFrom.size > 0) return isConstant("exporter", "the exporter names no parameter that it is made of");
  return callEvidence(candidate, exported);
}

function foldedEvidence(candidate: Candidate, origins: readonly string[], exported: ExportedNames): Evidence {
  const parents = origins.filter((name) => exported.parameters.has(name));
  if (parents.length === 0) return isConstant("exporter", "the exporter computed it from no parameter");
  const buffers = origins.filter((name) => exported.buffers.has(name) || exported.constants.has(name));
  const steps = [candidate.name, ...origins.filter((name) => !parents.includes(name) && !buffers.includes(name))];
  const stems = steps.map(stemOf).filter((stem) => stem !== "val");
  const indexed = stems.some((stem) => INDEXED.has(stem));
  if (stems.every((stem) => MOVES.has(stem)) && (buffers.length === 0 || indexed)) {
    return isWeight("exporter", `a rearranged copy of ${parents.join(", ")}, by the exporter's note`);
  }
  return computedEvidence(candidate, parents, buffers);
}

/** `mul` for `mul_10`. */
function stemOf(name: string): string {
  return name.replace(/_\d+$/, "");
}

/**
 * A tensor that the exporter computed from parameters: the weight of a layer stands for them; anything else is a constant, as is
 * what buffers went into, since a masked weight has entries that the module does not train.
 */
function computedEvidence(
  { usage, content }: Candidate,
  parents: readonly string[],
  buffers: readonly string[],
): Evidence {
  const made = `computed by the exporter from ${[...parents, ...buffers].join(", ")}`;
  const layer = usage?.kind === "layer" && usage.role === "weight" && LAYERS.test(operationOf(usage.node) ?? "");
  const whole = buffers.length === 0 && !content.sparse && !content.probabilities;
  if (layer && whole) {
    const reason = `the whole weight of a layer, ${made}`;
    return { ...isWeight("exporter", reason, false), computedFrom: parents };
  }
  return { ...isConstant("exporter", made, false), computedFrom: parents };
}

/** Where the exporter notes no folding: by the parameters that the call of its node names. */
function callEvidence(candidate: Candidate, exported: ExportedNames): Evidence | undefined {
  const { usage, content, name } = candidate;
  if (usage === undefined || content.written)
    return isConstant("exporter", "the exporter does not call it a parameter");
  const parents = parametersOfCall(exported, usage.node);
  if (parents === undefined) return undefined;
  const stem = stemOf(name);
  if (stem === "val") {
    const absent = traitsOf(usage.node).requiresAffine && (content.repeated || content.written);
    return parents.length > 0 && !absent && (usage.kind === "layer" || !content.repeated)
      ? isWeight("exporter", `${usage.role} of a call on ${parents.join(", ")}`)
      : isConstant("exporter", "no parameter of the call that it is an operand of");
  }
  if (MOVES.has(stem)) return content.repeated ? isConstant("content", "one repeated number", false) : undefined;
  return computedEvidence(candidate, ["parameters of the module"], []);
}
