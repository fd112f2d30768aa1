import { CurvatureError } from "../../errors/index.ts";
import { sizeOf, type Tensor } from "../../tensors/index.ts";
import { matches, type Pattern } from "../matches.ts";
import type { Parameter } from "../model.ts";
import { exportedNames, rememberedName } from "./exporterMetadata.ts";
import { parameterUsages, type Usage } from "./parameterRoles.ts";
import type { PreparedModel, StoredConstant } from "./preparedModel.ts";
import { describe } from "./sortNodes.ts";
import { undecidedNotices } from "./undecided.ts";

/** A parameter together with the name of its tensor in the file. */
export interface ChosenParameter extends Parameter {
  readonly tensor: string;
}

/** What was decided about a float constant that is no parameter. */
export interface ConstantDecision {
  readonly name: string;
  readonly dims: readonly number[];
  readonly reason: string;
}

/** Parameters of a file in its order, and what was decided about the other float tensors. */
export interface ParameterChoice {
  readonly parameters: readonly ChosenParameter[];
  readonly constants: readonly ConstantDecision[];
}

/** The user's own word on what is a parameter, which goes before all rules. */
export interface ParameterOverride {
  readonly include?: readonly Pattern[];
  readonly exclude?: readonly Pattern[];
}

/** Roles of constants that only meet a parameter in an Add or Mul. */
const JOINED: ReadonlySet<string> = new Set(["offset", "factor"]);

/** Magnitude from which on a number that is added or multiplied is there to mask. */
const MASKING = 1e4;

/**
 * Decides which float tensors of a file are parameters: by the user's word, else the exporter's where it left one, else by
 * the role they have.
 *
 * @throws CurvatureError "model" where nothing is left to differentiate, "argument" for a pattern that matches nothing
 */
export async function chooseParameters(
  model: PreparedModel,
  { include = [], exclude = [] }: ParameterOverride = {},
): Promise<ParameterChoice> {
  const floats = floatConstants(model);
  const exported = exportedNames(model.metadata);
  const identities = await identityConstants(model, floats);
  const declared = new Set(
    [...floats.keys()].filter((name) => exported?.parameters.has(name) || matches(name, include)),
  );
  const usages = parameterUsages(model.nodes, floats, { declared, isIdentity: (name) => identities.has(name) });
  const names = shownNames(model, { floats, exported, usages });
  const parameters: ChosenParameter[] = [];
  const constants: ConstantDecision[] = [];
  for (const constant of floats.values()) {
    const { name, dims } = constant;
    const usage = usages.get(name);
    const shown = names.get(name) ?? name;
    const data = await floatData(constant);
    const { parameter, reason } = decide([name, shown], { usage, exported, include, exclude, data });
    if (!parameter) constants.push({ name, dims, reason });
    else {
      const role = usage?.role ?? "other";
      parameters.push({ name: shown, tensor: name, dims, role, layer: layerOf(shown, usage), reason, data });
    }
  }
  checkPatterns([...include, ...exclude], [...floats.keys(), ...names.values()]);
  if (parameters.length === 0) throw await nothingToDifferentiate(model, [...floats.keys()]);
  return { parameters, constants };
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
  const hidden = await undecidedNotices(model, []);
  const why =
    hidden.length > 0
      ? hidden.join(" ").replace(/\.$/, "")
      : `name tensors to be differentiated by parameters: { include }; it has ${found}`;
  return new CurvatureError("model", `${model.file}: nothing in it is taken for a parameter; ${why}`);
}

/** Names in the module of those tensors whose own names the exporter lost, by the file's names; no name is used twice. */
function shownNames(
  model: PreparedModel,
  {
    floats,
    exported,
    usages,
  }: {
    readonly floats: ReadonlyMap<string, StoredConstant>;
    readonly exported: ReturnType<typeof exportedNames>;
    readonly usages: ReadonlyMap<string, Usage>;
  },
): Map<string, string> {
  const names = new Map<string, string>();
  if (exported === undefined) return names;
  const taken = new Set([
    ...floats.keys(),
    ...model.inputs.map(({ name }) => name),
    ...model.outputs.map(({ name }) => name),
  ]);
  for (const name of floats.keys()) {
    const usage = usages.get(name);
    if (usage === undefined || exported.parameters.has(name) || exported.buffers.has(name)) continue;
    const remembered = rememberedName(exported, { ...usage, taken });
    if (remembered === undefined) continue;
    taken.add(remembered);
    names.set(name, remembered);
  }
  return names;
}

function decide(
  [name, shown]: readonly [name: string, shown: string],
  facts: {
    readonly usage: Usage | undefined;
    readonly exported: ReturnType<typeof exportedNames>;
    readonly include: readonly Pattern[];
    readonly exclude: readonly Pattern[];
    readonly data: Float32Array | Float64Array;
  },
): { readonly parameter: boolean; readonly reason: string } {
  const { usage, exported, include, exclude, data } = facts;
  const named = (patterns: readonly Pattern[]) => matches(name, patterns) || matches(shown, patterns);
  if (named(exclude)) return { parameter: false, reason: "excluded by name" };
  if (named(include)) return { parameter: true, reason: "included by name" };
  if (exported?.parameters.has(name)) return { parameter: true, reason: "the exporter calls it a parameter" };
  if (exported?.buffers.has(name)) return { parameter: false, reason: "the exporter calls it a buffer" };
  if (usage !== undefined && JOINED.has(usage.role) && data.some((x) => !(Math.abs(x) < MASKING))) {
    return { parameter: false, reason: "a mask: it has numbers no weight has" };
  }
  if (usage !== undefined) return { parameter: true, reason: `${usage.role} of ${describe(usage.node)}` };
  return { parameter: false, reason: "not used as a weight" };
}

/** Constants that are all ones or all zeros: only small ones that an InstanceNormalization uses are looked at. */
async function identityConstants(
  model: PreparedModel,
  floats: ReadonlyMap<string, StoredConstant>,
): Promise<Set<string>> {
  const found = new Set<string>();
  for (const { op, inputs } of model.nodes) {
    if (op !== "InstanceNormalization") continue;
    for (const [position, value] of [
      [1, 1],
      [2, 0],
    ] as const) {
      const constant = floats.get(inputs[position]);
      if (constant !== undefined && ((await constant.load()).data as Float32Array).every((x) => x === value))
        found.add(constant.name);
    }
  }
  return found;
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
  return node === "" ? name : node.replace(/\/(MatMul|Add|Gemm|Conv|Mul)(_\d+)?$/, "");
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
