import { checkObject } from "../errors/index.ts";
import type { FileNode } from "../onnx/index.ts";
import { isNonDifferentiable } from "./import/analysis/nonDifferentiable.ts";
import { neededNodes, reachedValues } from "./import/analysis/reachability.ts";
import { staticValues } from "./import/analysis/staticValues.ts";
import { isDecided } from "./import/controlFlow/foldControlFlow.ts";
import { ruleOf } from "./import/ops/operators.ts";
import type { ConstantDecision } from "./import/parameters/chooseParameters.ts";
import { type FileModel, type LoadOptions, loadModel } from "./loadModel.ts";
import type { EvidenceKind, ModelInput, ModelOutput, ParameterRole } from "./model.ts";
import { type SuggestedLoss, suggestLoss } from "./suggestLoss.ts";

/**
 * Support for the nodes of an operator: "supported" have a derivative rule, "opaque" ones need none and are evaluated as
 * they stand for each batch, "folded" ones depend on shapes and constants alone (or are control flow that does), "missing" ones would need a rule.
 */
export type OperatorSupport = "supported" | "opaque" | "folded" | "missing";

/** The nodes of one operator in a model. */
export interface OperatorInspection {
  /** With its domain, if that is not the standard one. */
  readonly operator: string;
  readonly count: number;
  /** Nodes with a derivative in a parameter. */
  readonly reached: number;
  /** Numbers of nodes by what becomes of them. */
  readonly support: Readonly<Record<OperatorSupport, number>>;
  /** Names of the nodes that lack a rule (of their first outputs, where they have no name). */
  readonly missing: readonly string[];
}

/** Contents of a model file, and the decisions made in reading it; plain data. */
export interface ModelInspection {
  readonly file: string;
  readonly producer: string;
  readonly opset: number;
  readonly inputs: readonly ModelInput[];
  /** `activation` is what would be cut off to get logits. */
  readonly outputs: readonly (ModelOutput & { readonly dims: readonly (number | string | null)[] | null })[];
  readonly parameters: readonly {
    readonly name: string;
    readonly dims: readonly number[];
    readonly role: ParameterRole;
    readonly layer: string;
    readonly reason: string;
    readonly evidence?: EvidenceKind;
    /** Where false, it could be a constant. */
    readonly certain?: boolean;
  }[];
  /** Float tensors that are left constant. */
  readonly constants: readonly ConstantDecision[];
  readonly operators: readonly OperatorInspection[];
  readonly notices: readonly string[];
  /** Rows that the model insists on computing at once. */
  readonly fixedRows?: number;
  /** The loss that fits the outputs, by the evidence of the file alone. */
  readonly suggestedLoss: SuggestedLoss;
}

/**
 * Contents of a model without running it: inputs, outputs, parameters, what becomes of each operator, and which loss fits. Takes a model that
 * was read, or a path, URL or bytes, which it reads first.
 *
 * @throws CurvatureError "argument" for anything else, or as `loadModel`
 */
export function inspectModel(model: FileModel): ModelInspection;
export function inspectModel(source: string | URL | Uint8Array, options?: LoadOptions): Promise<ModelInspection>;
export function inspectModel(
  model: FileModel | string | URL | Uint8Array,
  options: LoadOptions = {},
): ModelInspection | Promise<ModelInspection> {
  if (typeof model === "string" || model instanceof URL || model instanceof Uint8Array) {
    return loadModel(model, options).then(inspection);
  }
  checkObject(model, "inspectModel expects a model read by loadModel, or the path of its file", [
    "parameters",
    "prepared",
  ]);
  return inspection(model);
}

function inspection(model: FileModel): ModelInspection {
  const { name, producer, opset, inputs, constants, notices, fixedRows, prepared } = model;
  const outputs = model.outputs.map((output) => ({
    ...output,
    dims: prepared.outputs.find((info) => info.name === output.name)?.dims ?? null,
  }));
  return {
    file: name,
    producer,
    opset,
    inputs,
    outputs,
    parameters: model.parameters.map(({ data: _, name: parameter, dims, role, layer, reason, evidence, certain }) => ({
      name: parameter,
      dims,
      role,
      layer,
      reason,
      ...(evidence && { evidence }),
      ...(certain !== undefined && { certain }),
    })),
    constants,
    operators: inspectOperators(model),
    notices,
    ...(fixedRows === undefined ? {} : { fixedRows }),
    suggestedLoss: suggestLoss(outputs, { integers: integerOutputs(model), metadata: model.prepared.metadata }),
  };
}

function inspectOperators({ prepared, tensors }: FileModel): OperatorInspection[] {
  const nodes = neededNodes(
    prepared.nodes,
    prepared.outputs.map(({ name }) => name),
  );
  const parameters = new Set(tensors);
  const reached = reachedValues(nodes, parameters);
  const statics = staticValues(nodes, { constants: prepared.constants.keys(), parameters });
  const isReached = (node: FileNode) => node.outputs.some((name) => reached.has(name));
  const supportOf = (node: FileNode): OperatorSupport => {
    if (isDecided(node, statics) || node.outputs.every((name) => name === "" || statics.has(name))) return "folded";
    if (isReached(node)) return ruleOf(node) === undefined ? "missing" : "supported";
    return ruleOf(node) === undefined || isNonDifferentiable(node) ? "opaque" : "supported";
  };
  const groups = new Map<string, FileNode[]>();
  for (const node of nodes) {
    const operator = node.domain === "" ? node.op : `${node.domain}.${node.op}`;
    groups.set(operator, [...(groups.get(operator) ?? []), node]);
  }
  return [...groups].map(([operator, members]): OperatorInspection => {
    const support = { supported: 0, opaque: 0, folded: 0, missing: 0 };
    for (const node of members) support[supportOf(node)]++;
    const missing = members.filter((node) => supportOf(node) === "missing");
    return {
      operator,
      count: members.length,
      reached: members.filter(isReached).length,
      support,
      missing: missing.map((node) => node.name || node.outputs[0]),
    };
  });
}

/** Names of outputs that hold integers or text: labels, which no loss is taken of. */
function integerOutputs({ prepared }: FileModel): ReadonlySet<string> {
  return new Set(
    prepared.outputs.filter(({ dtype }) => dtype !== null && !dtype.startsWith("float")).map(({ name }) => name),
  );
}
