import { CurvatureError } from "../../../errors/index.ts";
import { type FileGraph, type FileNode, renameCaptures } from "../../../onnx/index.ts";
import type { AttributeValue } from "../../../tensors/index.ts";
import { splitConstants } from "../prepared/prepare.ts";
import type { PreparedModel, StoredConstant } from "../prepared/preparedModel.ts";
import { sortNodes } from "../prepared/sortNodes.ts";
import { freshName } from "../prepared/valueNames.ts";

/** Options for writing a subgraph into the graph around it. */
export interface InlineOptions {
  /** Put before names that are taken. */
  readonly prefix: string;
  /** Names that are defined already; those of the subgraph are added. */
  readonly taken: Set<string>;
  /** Outer values by the names of the subgraph's inputs. */
  readonly inputs?: ReadonlyMap<string, string>;
  /** Names that the subgraph's outputs are to have; an empty one is not needed. Without it they keep their own. */
  readonly outputs?: readonly string[];
}

/** Additions of a subgraph to the graph around it. */
export interface Inlined {
  readonly nodes: readonly FileNode[];
  readonly constants: ReadonlyMap<string, StoredConstant>;
  /** Names under which the subgraph's outputs can be read. */
  readonly results: readonly string[];
}

/**
 * The nodes and constants of a subgraph for the graph around it, under names of their own where theirs are taken. Nodes that
 * read its outputs may stand before: see `inOrder`.
 *
 * @throws CurvatureError "file" for names that the subgraph defines twice
 */
export function inlineSubgraph(
  subgraph: FileGraph,
  { prefix, taken, inputs = new Map(), outputs = [] }: InlineOptions,
): Inlined {
  const { graph, rename } = renamed(subgraph, { prefix, taken, inputs });
  const { nodes, constants } = splitConstants(graph);
  const results = subgraph.outputs.map(({ name }) => rename(name));
  const named = outputs.flatMap((name, i) => (name === "" ? [] : [identityNode(results[i], name)]));
  return { nodes: [...nodes, ...named], constants, results };
}

/**
 * The model with its nodes in an order in which they can be computed.
 *
 * @throws CurvatureError "file" for cycles and names that nothing defines
 */
export function inOrder(model: PreparedModel): PreparedModel {
  const known = [...model.inputs.map(({ name }) => name), ...model.constants.keys()];
  return { ...model, nodes: sortNodes(model.nodes, known, model.file) };
}

/** A node that gives a value another name. */
export function identityNode(from: string, to: string): FileNode {
  return plainNode({ op: "Identity", inputs: [from], outputs: [to] });
}

/** A node of the standard operators without anything but these. */
export function plainNode(
  node: Pick<FileNode, "op" | "inputs" | "outputs"> & { readonly attributes?: FileNode["attributes"] },
): FileNode {
  return {
    domain: "",
    name: "",
    overload: "",
    references: {},
    metadata: {},
    captures: [],
    attributes: {},
    ...node,
  };
}

function renamed(
  graph: FileGraph,
  { prefix, taken, inputs }: Required<Pick<InlineOptions, "prefix" | "taken" | "inputs">>,
): { readonly graph: FileGraph; readonly rename: (name: string) => string } {
  const names = new Map(inputs);
  const define = (name: string) => {
    if (name === "") return;
    if (names.has(name))
      throw new CurvatureError("file", `value "${name}" of a subgraph is defined twice; export the model again`);
    names.set(name, freshName(taken.has(name) ? `${prefix}/${name}` : name, taken));
  };
  for (const { name } of graph.initializers) define(name);
  for (const name of graph.nodes.flatMap(({ outputs }) => outputs)) define(name);
  const rename = (name: string) => names.get(name) ?? name;
  return {
    rename,
    graph: {
      ...graph,
      initializers: graph.initializers.map((each) => ({ ...each, name: rename(each.name) })),
      nodes: graph.nodes.map((each) => ({
        ...each,
        inputs: each.inputs.map(rename),
        outputs: each.outputs.map(rename),
        captures: each.captures.map(rename),
        attributes: each.captures.length === 0 ? each.attributes : renamedGraphs(each.attributes, names),
      })),
    },
  };
}

function renamedGraphs(attributes: FileNode["attributes"], names: ReadonlyMap<string, string>): FileNode["attributes"] {
  const entries = Object.entries(attributes).map(([name, value]): [string, AttributeValue] => {
    if ("graph" in value) return [name, { graph: renameCaptures(value.graph, names) }];
    if ("graphs" in value) return [name, { graphs: value.graphs.map((each) => renameCaptures(each, names)) }];
    return [name, value];
  });
  return Object.fromEntries(entries);
}
