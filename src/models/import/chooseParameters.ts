import { CurvatureError } from "../../errors/index.ts";
import { sizeOf, type Tensor } from "../../tensors/index.ts";
import { matches, type Pattern } from "../matches.ts";
import type { Parameter } from "../model.ts";
import { exportedNames, rememberedName } from "./exporterMetadata.ts";
import { parameterUsages, type Usage } from "./parameterRoles.ts";
import type { PreparedModel, StoredConstant } from "./preparedModel.ts";
import { describe } from "./sortNodes.ts";

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
  const floats = new Map<string, StoredConstant>();
  for (const constant of model.constants.values()) {
    if ((constant.dtype === "float32" || constant.dtype === "float64") && sizeOf(constant.dims) > 0)
      floats.set(constant.name, constant);
  }
  const exported = exportedNames(model.metadata);
  const identities = await identityConstants(model, floats);
  const declared = new Set(
    [...floats.keys()].filter((name) => exported?.parameters.has(name) || matches(name, include)),
  );
  const usages = parameterUsages(model.nodes, floats, { declared, isIdentity: (name) => identities.has(name) });
  const taken = new Set(floats.keys());
  const parameters: ChosenParameter[] = [];
  const constants: ConstantDecision[] = [];
  for (const constant of floats.values()) {
    const { name, dims } = constant;
    const usage = usages.get(name);
    const decision = decide(name, { usage, exported, include, exclude });
    if (!decision.parameter) {
      constants.push({ name, dims, reason: decision.reason });
      continue;
    }
    const role = usage?.role ?? "other";
    const remembered = exported && usage && rememberedName(exported, { node: usage.node, role, taken });
    if (remembered !== undefined) taken.add(remembered);
    const shown = remembered ?? name;
    parameters.push({
      name: shown,
      tensor: name,
      dims,
      role,
      layer: layerOf(shown, usage),
      reason: decision.reason,
      data: await floatData(constant),
    });
  }
  checkPatterns([...include, ...exclude], [...floats.keys()]);
  return { parameters, constants };
}

function decide(
  name: string,
  facts: {
    readonly usage: Usage | undefined;
    readonly exported: ReturnType<typeof exportedNames>;
    readonly include: readonly Pattern[];
    readonly exclude: readonly Pattern[];
  },
): { readonly parameter: boolean; readonly reason: string } {
  const { usage, exported, include, exclude } = facts;
  if (matches(name, exclude)) return { parameter: false, reason: "excluded by name" };
  if (matches(name, include)) return { parameter: true, reason: "included by name" };
  if (exported?.parameters.has(name)) return { parameter: true, reason: "the exporter calls it a parameter" };
  if (exported?.buffers.has(name)) return { parameter: false, reason: "the exporter calls it a buffer" };
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
