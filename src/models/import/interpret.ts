import { CurvatureError } from "../../errors/index.ts";
import { constant, elementTypeOf, input, type Shape, type Value, withOperationsApart } from "../../graph/index.ts";
import type { FileNode } from "../../onnx/index.ts";
import { permute } from "../../primitives/index.ts";
import { byName, type Dtype, dtypeOf, sizeOf, type Tensor } from "../../tensors/index.ts";
import type { GraphRequest, GraphStep, ModelGraph } from "../model.ts";
import { isShapedByData } from "./analysis/nonDifferentiable.ts";
import { openControlFlow, remedy } from "./analysis/openControlFlow.ts";
import { neededNodes, reachedValues } from "./analysis/reachability.ts";
import { staticValues } from "./analysis/staticValues.ts";
import { foldControlFlow } from "./controlFlow/foldControlFlow.ts";
import { ruleOf, traitsOf } from "./ops/operators.ts";
import type { ChosenParameter } from "./parameters/chooseParameters.ts";
import type { Tie } from "./parameters/ties.ts";
import { guardGraphs } from "./prepared/guardLoops.ts";
import type { PreparedModel } from "./prepared/preparedModel.ts";
import { describe } from "./prepared/sortNodes.ts";
import { numbersOf } from "./prepared/writePrepared.ts";
import { measureShapes } from "./sizes/measureShapes.ts";
import { type WithoutActivations, withoutActivations } from "./translate/activation.ts";
import { consumersOf, interpretNode, type WalkContext } from "./translate/interpretNode.ts";
import { preciseConstants } from "./translate/preciseConstants.ts";

/** Context in which the nodes of a file are interpreted. */
export interface Interpretation {
  readonly model: PreparedModel;
  readonly parameters: readonly ChosenParameter[];
  /** Tensors that are computed from a parameter instead of being one. */
  readonly ties: readonly Tie[];
}

/**
 * The file's graph in primitives, for inputs of the requested shapes, with outputs before the final activations that are to be
 * cut. Values that depend on shapes and constants alone are folded, nodes that no parameter reaches and that have no rule are passed to ONNX Runtime.
 *
 * @throws CurvatureError "unsupported" for operators without a rule that a parameter reaches (all of them in one message),
 *   "model" for an output that is the mean of an activation to be cut, "runtime" where ONNX Runtime cannot run the file
 */
export async function interpret(what: Interpretation, request: GraphRequest): Promise<ModelGraph> {
  const { parameters, ties } = what;
  const tensors = new Set([...parameters, ...ties.map(({ copy }) => copy)].map(({ tensor }) => tensor));
  const folded = await foldControlFlow(what.model, { ...request, parameters: tensors });
  const { model, ends, means } = await withoutActivations(folded, request.outputs, request.cut ?? []);
  const nodes = neededNodes(model.nodes, ends);
  const reached = reachedValues(nodes, tensors);
  await checkOperators(model, { nodes, reached });
  const statics = staticValues(nodes, { constants: model.constants.keys(), parameters: tensors });
  checkShapes(nodes, { statics, file: model.file });
  const precise = request.precision === "float64";
  const known = await measureShapes(model, { shapes: request.shapes, statics, nodes, reached, allStatics: precise });
  checkMeans(means, { shapes: known.shapes, file: model.file });
  const inputs = modelInputs(model, request.shapes);
  const { free, values } = valuesOfParameters(what);
  for (const [name, value] of Object.entries(inputs)) values.set(name, value);
  for (const [name, tensor] of known.constants) values.set(name, constant(tensor));
  if (precise) {
    const exact = await preciseConstants(model, { nodes, statics, known });
    for (const [name, tensor] of exact) values.set(name, constant(tensor));
  }
  const limits = { memoryLimit: model.memoryLimit, numberOf: numbersOf(model) };
  const guarded = await Promise.all(nodes.map((node) => guardGraphs(node, limits)));
  const walk = () => {
    const context = { model, values: new Map(values), known, reached, consumers: consumersOf(nodes) };
    const steps = interpretNodes(guarded, statics, context);
    return { steps, outputs: namedOutputs(request.outputs, { ends, values: context.values, model }) };
  };
  const countsSizes = [...numbersFromSizes(nodes, statics)].some(
    (name) => known.constants.has(name) && isFloat(known.constants.get(name)!),
  );
  const operationsApart = () => withOperationsApart(walk).outputs;
  return { parameters: free, inputs, ...walk(), countsSizes, operationsApart };
}

/** Inputs of the graph for the parameters, and the values of their tensors and of the tensors tied to them by name. */
function valuesOfParameters({ parameters, ties }: Interpretation) {
  const values = new Map<string, Value>();
  const free = parameters.map(({ name, tensor, dims }) => {
    const value = input(name, dims);
    values.set(tensor, value);
    return value;
  });
  for (const { copy, original, transposed } of ties) {
    const value = values.get(original.tensor)!;
    values.set(copy.tensor, transposed ? permute(value, [1, 0]) : value);
  }
  return { free, values };
}

/** Static values that are computed from the sizes of values that are not. */
function numbersFromSizes(nodes: readonly FileNode[], statics: ReadonlySet<string>): ReadonlySet<string> {
  const sized = new Set<string>();
  for (const node of nodes) {
    const { inputs, outputs } = node;
    const measures = traitsOf(node).fromShape === "sizes" && !statics.has(inputs[0]);
    if (!measures && !inputs.some((name) => sized.has(name))) continue;
    for (const name of outputs) if (statics.has(name)) sized.add(name);
  }
  return sized;
}

function isFloat(tensor: Tensor): boolean {
  return elementTypeOf(dtypeOf(tensor)) === "float";
}

/** Adds the values of all nodes that are not static. Returns what they give. */
function interpretNodes(
  nodes: readonly FileNode[],
  statics: ReadonlySet<string>,
  context: WalkContext,
): readonly GraphStep[] {
  const steps: GraphStep[] = [];
  for (const node of nodes) {
    const moving = node.outputs.filter((name) => name !== "" && !statics.has(name));
    if (moving.length === 0) continue;
    interpretNode(node, context);
    for (const value of moving.map((name) => context.values.get(name))) {
      if (value?.type === "float") steps.push({ node: describe(node), value });
    }
  }
  return steps;
}

function modelInputs(model: PreparedModel, shapes: GraphRequest["shapes"]): ModelGraph["inputs"] {
  return Object.fromEntries(
    model.inputs.map(({ name, dtype }) => [name, input(name, shapes[name], elementTypeOf(dtype as Dtype))]),
  );
}

/** Operators without a rule that a parameter reaches, with their nodes. */
export function missingOperators(nodes: readonly FileNode[], reached: ReadonlySet<string>): Map<string, FileNode[]> {
  const missing = new Map<string, FileNode[]>();
  for (const node of nodes) {
    if (ruleOf(node) !== undefined || !node.outputs.some((name) => reached.has(name))) continue;
    const operator = node.domain === "" ? node.op : `${node.domain}.${node.op}`;
    missing.set(operator, [...(missing.get(operator) ?? []), node]);
  }
  return missing;
}

async function checkOperators(
  model: PreparedModel,
  { nodes, reached }: { readonly nodes: readonly FileNode[]; readonly reached: ReadonlySet<string> },
): Promise<void> {
  const { file } = model;
  const missing = missingOperators(nodes, reached);
  if (missing.size === 0) return;
  const branch = openControlFlow(model).find(
    ({ node, kind }) => kind === "branch" && missing.get(node.op)?.includes(node),
  );
  if (branch !== undefined) {
    throw new CurvatureError(
      "unsupported",
      `${file}: ${describe(branch.node)} chooses by the data which branch to compute, and parameters reach both; derivatives need one graph for all rows, so ${await remedy(model, branch)}`,
    );
  }
  const list = [...missing].map(([operator, users]) => {
    const names = users.map(({ name, outputs }) => name || outputs[0]);
    return `${operator} (${users.length}: ${names.slice(0, 3).join(", ")}${names.length > 3 ? ", ..." : ""})`;
  });
  throw new CurvatureError(
    "unsupported",
    `${file}: no derivative rule for ${list.join("; ")}, which parameters reach; choose another output, or re-export without ${missing.size === 1 ? "it" : "them"}`,
  );
}

function checkShapes(
  nodes: readonly FileNode[],
  { statics, file }: { readonly statics: ReadonlySet<string>; readonly file: string },
): void {
  const node = nodes.find((each) => isShapedByData(each, statics) && !statics.has(each.outputs[0]));
  if (node === undefined) return;
  throw new CurvatureError(
    "unsupported",
    `${file}: the shape of what ${describe(node)} gives depends on the data, but a graph has one shape; choose another output, or re-export without it`,
  );
}

/** A mean of several probabilities has no logit of its own. */
function checkMeans(
  means: WithoutActivations["means"],
  { shapes, file }: { readonly shapes: ReadonlyMap<string, Shape>; readonly file: string },
): void {
  for (const { node, output, activation } of means) {
    const count = sizeOf(shapes.get(node.inputs[0]) ?? []) / sizeOf(shapes.get(node.outputs[0]) ?? []);
    if (count === 1) continue;
    throw new CurvatureError(
      "model",
      `output "${output}" of ${file} is a mean over ${count} results of ${activation.operator}, so the loss does not find the logit that it needs; choose the output "${activation.before}", which has the logits before the mean, or feed inputs so short that there is one`,
    );
  }
}

function namedOutputs(
  names: readonly string[],
  {
    ends,
    values,
    model,
  }: {
    readonly ends: readonly string[];
    readonly values: ReadonlyMap<string, Value>;
    readonly model: PreparedModel;
  },
): { readonly [name: string]: Value } {
  const outputs = byName<Value>();
  for (const [i, name] of names.entries()) {
    const value = values.get(ends[i]);
    if (value === undefined) {
      throw new CurvatureError(
        "model",
        `${model.file}: output "${name}" does not depend on parameters or inputs; choose another output`,
      );
    }
    outputs[name] = value;
  }
  return outputs;
}
