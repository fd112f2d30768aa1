import { CurvatureError } from "../../../errors/index.ts";
import { type FileNode, subgraphContents } from "../../../onnx/index.ts";
import type { Tensor } from "../../../tensors/index.ts";
import { innerTensors } from "../analysis/openControlFlow.ts";
import { neededNodes, reachedValues } from "../analysis/reachability.ts";
import { staticValues } from "../analysis/staticValues.ts";
import { traitsOf } from "../ops/operators.ts";
import type { PreparedModel } from "../prepared/preparedModel.ts";
import { describe } from "../prepared/sortNodes.ts";
import { takenNames } from "../prepared/valueNames.ts";
import { staticTensors, valueShapes } from "../sizes/measureShapes.ts";
import { inlineSubgraph, inOrder } from "./inlineSubgraph.ts";
import { unrollLoop, unrollScan } from "./unroll.ts";

type Shapes = { readonly [name: string]: readonly number[] };

interface FoldRequest {
  readonly shapes: Shapes;
  readonly outputs: readonly string[];
  /** Tensors that are parameters or computed from them. */
  readonly parameters: ReadonlySet<string>;
}

/**
 * The model with every If that a parameter reaches and whose condition depends on shapes and constants alone replaced by the
 * branch it takes, and every Loop and Scan of a known count by its rounds, also within one another.
 *
 * @throws CurvatureError "runtime" where ONNX Runtime cannot compute conditions or counts, "unsupported" for loops too long to
 *   be written out
 */
export async function foldControlFlow(model: PreparedModel, request: FoldRequest): Promise<PreparedModel> {
  const { outputs, parameters, shapes } = request;
  const nodes = neededNodes(model.nodes, outputs);
  if (!nodes.some(isControlFlow)) return model;
  const reached = reachedValues(nodes, parameters);
  const statics = staticValues(nodes, { constants: model.constants.keys(), parameters });
  const decided = nodes.find((node) => isDecided(node, statics) && node.outputs.some((name) => reached.has(name)));
  if (decided === undefined) return model;
  return foldControlFlow(await written(model, { node: decided, shapes, parameters }), request);
}

/**
 * The model with every If decided that constants decide, or shapes where the file or the user has fixed those of all inputs, and
 * every Loop and Scan with weights in its body written out of which the same is true: what can be done before a batch is seen,
 * so that the weights within are found.
 *
 * Loops whose length depends on the data, or is too large, stay.
 *
 * @throws CurvatureError "runtime" where ONNX Runtime cannot compute conditions or counts
 */
export async function foldFixedGraphs(
  model: PreparedModel,
  left: ReadonlySet<FileNode> = new Set(),
): Promise<PreparedModel> {
  if (!model.nodes.some(isControlFlow)) return model;
  const shapes = fixedShapes(model);
  const parameters = new Set<string>();
  const constants = model.constants.keys();
  const known = staticValues(model.nodes, { constants, parameters, shapes: shapes !== undefined });
  const hides = (node: FileNode) => {
    const { kind, decidedBy } = traitsOf(node).controlFlow!;
    return kind === "branch" || ((decidedBy !== "sizes" || shapes !== undefined) && innerTensors(node) > 0);
  };
  const node = model.nodes.find((each) => isDecided(each, known) && !left.has(each) && hides(each));
  if (node === undefined) return model;
  const folded = await written(model, { node, shapes: shapes ?? {}, parameters }).catch((error: unknown) => {
    if (node.op !== "If" && error instanceof CurvatureError && error.code === "unsupported") return undefined;
    throw error;
  });
  return folded === undefined ? foldFixedGraphs(model, new Set([...left, node])) : foldFixedGraphs(folded, left);
}

/** Shapes of all inputs, where none has an open size. */
function fixedShapes({ inputs }: PreparedModel): Shapes | undefined {
  const isFixed = inputs.every(({ dims }) => dims?.every((dim) => typeof dim === "number") === true);
  return isFixed ? Object.fromEntries(inputs.map(({ name, dims }) => [name, dims as number[]])) : undefined;
}

function isControlFlow(node: FileNode): boolean {
  return traitsOf(node).controlFlow !== undefined;
}

/** Whether a node is one of control flow whose condition or count is known once shapes are; the count of a Scan is a size. */
export function isDecided(node: FileNode, statics: ReadonlySet<string>): boolean {
  const { controlFlow } = traitsOf(node);
  if (controlFlow === undefined) return false;
  const { decidedBy } = controlFlow;
  return decidedBy === "sizes" || node.inputs.slice(0, decidedBy).every((name) => name === "" || statics.has(name));
}

interface Decided {
  readonly node: FileNode;
  readonly shapes: Shapes;
  readonly parameters: ReadonlySet<string>;
}

async function written(model: PreparedModel, { node, shapes, parameters }: Decided): Promise<PreparedModel> {
  if (node.op === "If") {
    const [name] = node.inputs;
    const condition = (await staticTensors(model, { shapes, names: [name] })).get(name)!;
    return withBranch(model, node, Number(condition.data[0]) !== 0);
  }
  if (node.op === "Scan") {
    const dims = await valueShapes(model, { shapes, names: node.inputs.filter((name) => name !== "") });
    return unrollScan(model, node, dims);
  }
  return unrollLoop(model, node, {
    valueOf: async (within, name): Promise<Tensor | undefined> => {
      const statics = staticValues(within.nodes, { constants: within.constants.keys(), parameters });
      return statics.has(name) ? (await staticTensors(within, { shapes, names: [name] })).get(name) : undefined;
    },
  });
}

/** The model with the nodes of one branch in place of an If. */
function withBranch(model: PreparedModel, node: FileNode, condition: boolean): PreparedModel {
  const attribute = node.attributes[condition ? "then_branch" : "else_branch"];
  if (attribute === undefined || !("graph" in attribute)) {
    throw new CurvatureError(
      "file",
      `${model.file}: ${describe(node)} lacks a branch; the file is damaged, export it again`,
    );
  }
  const others = model.nodes.filter((other) => other !== node);
  const { nodes, constants } = inlineSubgraph(subgraphContents(attribute.graph), {
    prefix: node.name || node.outputs[0],
    taken: takenNames(model),
    outputs: node.outputs,
  });
  return inOrder({ ...model, nodes: [...others, ...nodes], constants: new Map([...model.constants, ...constants]) });
}
