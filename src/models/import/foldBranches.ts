import { CurvatureError } from "../../errors/index.ts";
import { type FileGraph, type FileNode, subgraphContents } from "../../onnx/index.ts";
import { splitConstants } from "./prepare.ts";
import type { PreparedModel } from "./preparedModel.ts";
import { staticTensors } from "./probe.ts";
import { neededNodes, reachedValues } from "./reach.ts";
import { describe, sortNodes } from "./sortNodes.ts";
import { staticValues } from "./statics.ts";

interface FoldRequest {
  readonly shapes: { readonly [name: string]: readonly number[] };
  readonly outputs: readonly string[];
  /** Tensors that are parameters or computed from them. */
  readonly parameters: ReadonlySet<string>;
}

/**
 * The model with every If that a parameter reaches and whose condition depends on shapes and constants alone replaced by the
 * branch it takes, also within branches.
 *
 * @throws CurvatureError "runtime" where ONNX Runtime cannot compute the conditions, "unsupported" for names in a branch that
 *   cannot be told from others
 */
export async function foldBranches(model: PreparedModel, request: FoldRequest): Promise<PreparedModel> {
  const { outputs, parameters } = request;
  const nodes = neededNodes(model.nodes, outputs);
  if (!nodes.some(isBranch)) return model;
  const reached = reachedValues(nodes, parameters);
  const statics = staticValues(nodes, { constants: model.constants.keys(), parameters });
  const decided = nodes.filter(
    (node) => isBranch(node) && statics.has(node.inputs[0]) && node.outputs.some((name) => reached.has(name)),
  );
  if (decided.length === 0) return model;
  const names = [...new Set(decided.map(({ inputs }) => inputs[0]))];
  const conditions = await staticTensors(model, { shapes: request.shapes, names });
  const replaced = decided.reduce(
    (folded, node) => withBranch(folded, node, Number(conditions.get(node.inputs[0])!.data[0]) !== 0),
    model,
  );
  return foldBranches(replaced, request);
}

function isBranch({ op, domain }: FileNode): boolean {
  return op === "If" && domain === "";
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
  const taken = new Set([...model.constants.keys(), ...others.flatMap(({ outputs }) => outputs), ...node.outputs]);
  const branch = renamed(subgraphContents(attribute.graph), { node, taken });
  const { nodes, constants } = splitConstants(branch);
  const results = branch.outputs.map(
    ({ name }, i): FileNode => ({
      ...node,
      op: "Identity",
      name: "",
      inputs: [name],
      outputs: [node.outputs[i]],
      attributes: {},
      captures: [],
    }),
  );
  const all = new Map([...model.constants, ...constants]);
  const known = [...model.inputs.map(({ name }) => name), ...all.keys()];
  return { ...model, nodes: sortNodes([...others, ...nodes, ...results], known, model.file), constants: all };
}

/** The branch with names of its own where the model has defined the same ones already. */
function renamed(
  branch: FileGraph,
  { node, taken }: { readonly node: FileNode; readonly taken: ReadonlySet<string> },
): FileGraph {
  const defined = [...branch.initializers.map(({ name }) => name), ...branch.nodes.flatMap(({ outputs }) => outputs)];
  const clashes = new Set(defined.filter((name) => name !== "" && taken.has(name)));
  const captured = branch.nodes.flatMap(({ captures }) => captures).find((name) => clashes.has(name));
  if (captured !== undefined) {
    throw new CurvatureError(
      "unsupported",
      `${describe(node)} has a branch whose inner graphs read "${captured}", a name used twice; export the model with names of their own`,
    );
  }
  const rename = (name: string) => (clashes.has(name) ? `${node.name || node.outputs[0]}/${name}` : name);
  return {
    ...branch,
    initializers: branch.initializers.map((each) => ({ ...each, name: rename(each.name) })),
    nodes: branch.nodes.map((each) => ({
      ...each,
      inputs: each.inputs.map(rename),
      outputs: each.outputs.map(rename),
    })),
    outputs: branch.outputs.map((each) => ({ ...each, name: rename(each.name) })),
  };
}
