import { CurvatureError } from "../../../errors/index.ts";
import { sizeOf, type Tensor } from "../../../tensors/index.ts";
import { matches, type Pattern } from "../../matches.ts";
import type { EvidenceKind, Parameter } from "../../model.ts";
import { openControlFlowNotices } from "../analysis/openControlFlow.ts";
import { exportedNames, rememberedName } from "../prepared/exporterMetadata.ts";
import type { PreparedModel, StoredConstant } from "../prepared/preparedModel.ts";
import { differentiableValues } from "./candidates.ts";
import { choiceNotices, type Decided } from "./choiceNotices.ts";
import { contentOf } from "./contents.ts";
import type { Candidate, Evidence } from "./evidence.ts";
import { evidenceOf } from "./evidenceOf.ts";
import { type Usage, usagesOf } from "./usages.ts";

/** A parameter together with the name of its tensor in the file. */
export interface ChosenParameter extends Parameter {
  readonly tensor: string;
}

/** Decision about a float tensor that is left constant. */
export interface ConstantDecision {
  readonly name: string;
  readonly dims: readonly number[];
  readonly reason: string;
  /** The kind of evidence that decided; "unused" for a tensor that no derivative of the outputs depends on. */
  readonly evidence: EvidenceKind;
  /** Where false, it could be a weight: see the notices. */
  readonly certain: boolean;
}

/** Parameters of a file in its order, and what was decided about the other float tensors. */
export interface ParameterChoice {
  readonly parameters: readonly ChosenParameter[];
  readonly constants: readonly ConstantDecision[];
  /** Decisions made without evidence, in sentences. */
  readonly notices: readonly string[];
}

/** The user's own word on what is a parameter, which goes before all rules. */
export interface ParameterOverride {
  readonly include?: readonly Pattern[];
  readonly exclude?: readonly Pattern[];
}

/**
 * Decides which float tensors of a file are parameters. Every tensor from which a differentiable path leads to an output is a
 * candidate; the strongest evidence decides: the user's word, the exporter's, how the exporter stores weights, the role, the content.
 *
 * @throws CurvatureError "model" where nothing is left to differentiate, "argument" for a pattern that matches nothing
 */
export async function chooseParameters(
  model: PreparedModel,
  override: ParameterOverride = {},
): Promise<ParameterChoice> {
  const floats = floatConstants(model);
  const exported = exportedNames(model.metadata);
  const usages = usagesOf(model.nodes, floats);
  const candidates = await candidatesOf(model, floats, usages);
  const evidence = evidenceOf(model, { candidates, exported });
  const names = shownNames(model, { evidence, exported, usages });
  const shown = (name: string) => names.get(name) ?? name;
  checkPatterns([...(override.include ?? []), ...(override.exclude ?? [])], [...floats.keys(), ...names.values()]);
  const decided = orUnused(
    [...floats.values()].map((constant): Decision => {
      const word = userEvidence([constant.name, shown(constant.name)], override);
      const found = word ?? evidence.get(constant.name) ?? UNUSED;
      return { constant, shown: shown(constant.name), usage: usages.get(constant.name), evidence: found };
    }),
  );
  const weights = decided.filter((decision) => decision.evidence.weight);
  if (weights.length === 0) throw await nothingToDifferentiate(model, [...floats.keys()]);
  return {
    parameters: await Promise.all(weights.map(parameterOf)),
    constants: decided.filter((decision) => !decision.evidence.weight).map(constantOf),
    notices: choiceNotices(decided),
  };
}

/** A float tensor of the file with what was decided about it. */
interface Decision extends Decided {
  readonly constant: StoredConstant;
  readonly usage: Usage | undefined;
}

/** The decisions; where none is for a weight, with the weights of layers that no output depends on, so that the file can be read. */
function orUnused(decided: readonly Decision[]): readonly Decision[] {
  const none = decided.every(({ evidence }) => !evidence.weight);
  const layers = decided.filter(({ evidence, usage }) => evidence.kind === "unused" && usage?.kind === "layer");
  if (!none || layers.length === 0) return decided;
  return decided.map((each) =>
    layers.includes(each)
      ? { ...each, evidence: { ...UNUSED, weight: true, reason: "no output depends on it" } }
      : each,
  );
}

async function parameterOf({ constant, shown, usage, evidence }: Decision): Promise<ChosenParameter> {
  const { reason, kind, certain } = evidence;
  return {
    name: shown,
    tensor: constant.name,
    dims: constant.dims,
    role: usage?.role ?? "other",
    layer: layerOf(shown, usage),
    reason,
    evidence: kind,
    certain,
    data: await floatData(constant),
  };
}

function constantOf({ constant: { name, dims }, evidence }: Decision): ConstantDecision {
  return { name, dims, reason: evidence.reason, evidence: evidence.kind, certain: evidence.certain };
}

const UNUSED: Evidence = {
  weight: false,
  kind: "unused",
  reason: "no derivative of the outputs depends on it",
  certain: true,
};

function userEvidence(
  names: readonly string[],
  { include = [], exclude = [] }: ParameterOverride,
): Evidence | undefined {
  const named = (patterns: readonly Pattern[]) => names.some((name) => matches(name, patterns));
  if (named(exclude)) return { weight: false, kind: "user", reason: "excluded by name", certain: true };
  if (named(include)) return { weight: true, kind: "user", reason: "included by name", certain: true };
  return undefined;
}

async function candidatesOf(
  model: PreparedModel,
  floats: ReadonlyMap<string, StoredConstant>,
  usages: ReadonlyMap<string, Usage>,
): Promise<Map<string, Candidate>> {
  const values = differentiableValues(model);
  const candidates = new Map<string, Candidate>();
  for (const constant of floats.values()) {
    const { name, dims, origin } = constant;
    if (!values.has(name)) continue;
    const data = await floatData(constant);
    candidates.set(name, { name, dims, origin, data, content: contentOf({ data, dims }), usage: usages.get(name) });
  }
  return candidates;
}

function floatConstants({ constants }: PreparedModel): Map<string, StoredConstant> {
  const floats = [...constants].filter(
    ([, { dtype, dims, origin }]) =>
      (dtype === "float32" || dtype === "float64") && sizeOf(dims) > 0 && origin !== "bound",
  );
  return new Map(floats);
}

async function nothingToDifferentiate(model: PreparedModel, names: readonly string[]): Promise<CurvatureError> {
  const found = names.slice(0, 8).join(", ") || "no float tensor at all";
  const hidden = await openControlFlowNotices(model, []);
  const why =
    hidden.length > 0
      ? hidden.join(" ").replace(/\.$/, "")
      : `name tensors to be differentiated by parameters: { include }; it has ${found}`;
  return new CurvatureError("model", `${model.file}: nothing in it is taken for a parameter; ${why}`);
}

/** Names in the module of those weights whose own names the exporter lost, by the file's names; no name is used twice. */
function shownNames(
  model: PreparedModel,
  {
    evidence,
    exported,
    usages,
  }: {
    readonly evidence: ReadonlyMap<string, Evidence>;
    readonly exported: ReturnType<typeof exportedNames>;
    readonly usages: ReadonlyMap<string, Usage>;
  },
): Map<string, string> {
  const names = new Map<string, string>();
  if (exported === undefined) return names;
  const taken = new Set([
    ...model.constants.keys(),
    ...model.inputs.map(({ name }) => name),
    ...model.outputs.map(({ name }) => name),
  ]);
  for (const [name, { weight }] of evidence) {
    const usage = usages.get(name);
    if (!weight || usage === undefined || exported.parameters.has(name)) continue;
    const remembered = rememberedName(exported, { ...usage, taken });
    if (remembered === undefined) continue;
    taken.add(remembered);
    names.set(name, remembered);
  }
  return names;
}

async function floatData(constant: StoredConstant): Promise<Float32Array | Float64Array> {
  const { data }: Tensor = await constant.load();
  return data as Float32Array | Float64Array;
}

/** `encoder.0.linear` for `encoder.0.linear.weight`; the node's name for a name without parts. */
function layerOf(name: string, usage: Usage | undefined): string {
  const cut = name.lastIndexOf(".");
  if (cut > 0) return name.slice(0, cut);
  const node = usage?.node.name ?? "";
  return node.replace(/\/(MatMul|Add|Gemm|Conv|Mul)(_\d+)?$/, "") || name;
}

function checkPatterns(patterns: readonly Pattern[], names: readonly string[]): void {
  for (const pattern of patterns) {
    if (names.some((name) => matches(name, [pattern]))) continue;
    throw new CurvatureError(
      "argument",
      `no float tensor of the model matches ${String(pattern)}; it has ${names.slice(0, 8).join(", ")}${names.length > 8 ? ", ..." : ""}`,
    );
  }
}
