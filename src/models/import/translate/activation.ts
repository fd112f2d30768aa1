import { type FileNode, subgraphContents } from "../../../onnx/index.ts";
import type { ModelOutput } from "../../model.ts";
import { isRearranged } from "../analysis/passedValues.ts";
import { producersOf } from "../analysis/reachability.ts";
import { traitsOf } from "../ops/operators.ts";
import type { PreparedModel } from "../prepared/preparedModel.ts";
import { freshName, takenNames } from "../prepared/valueNames.ts";
import { writtenActivation } from "./writtenActivation.ts";

/** The activation that ends an output, and the value before it. */
export interface FinalActivation {
  readonly operator: NonNullable<ModelOutput["activation"]>;
  readonly before: string;
  /** Present where several nodes compute the activation together. */
  readonly written?: true;
  /** Nodes between the activation and the output, in order: pass-through nodes, means, and branches of either kind. */
  readonly path: readonly FileNode[];
}

/**
 * The final Softmax, LogSoftmax or Sigmoid of an output, if that is how it is computed, by one node or written out. A mean may follow, which passes on
 * where it is one of a single number, as of a recurrent network's output at one step.
 */
export async function finalActivation(
  model: Pick<PreparedModel, "nodes" | "constants">,
  output: string,
): Promise<FinalActivation | undefined> {
  const { node, path } = trace(model.nodes, output);
  if (node === undefined) return undefined;
  const { activation } = traitsOf(node);
  if (activation !== undefined) {
    const { axis } = node.attributes;
    // Over rows, it is not one of classes.
    if (axis !== undefined && "int" in axis && axis.int === 0) return undefined;
    return { operator: activation.name, before: node.inputs[0], path };
  }
  const written = await writtenActivation(model, node);
  return written && { ...written, path, written: true };
}

/** From a value back to the node whose numbers it has: undefined where that is none of these nodes. */
function trace(
  nodes: readonly FileNode[],
  from: string,
): { readonly node: FileNode | undefined; readonly name: string; readonly path: readonly FileNode[] } {
  const producers = producersOf(nodes);
  const path: FileNode[] = [];
  let name = from;
  for (let node = producers.get(name); node !== undefined; node = producers.get(name)) {
    const source = sourceOf(node, name);
    // A damaged branch may go round in circles.
    if (source === undefined || path.length > nodes.length) return { node, name, path: path.reverse() };
    path.push(node);
    name = source;
  }
  return { node: undefined, name, path: path.reverse() };
}

/** The value whose numbers a node passes on, whichever branch it takes. */
function sourceOf(node: FileNode, output: string): string | undefined {
  const { averages, controlFlow } = traitsOf(node);
  if (isRearranged(node) || averages) return node.inputs[0];
  if (controlFlow?.kind !== "branch") return undefined;
  const sources = Object.values(node.attributes).map((attribute) => {
    if (!("graph" in attribute)) return undefined;
    const branch = subgraphContents(attribute.graph);
    const { node: inner, name } = trace(branch.nodes, branch.outputs[node.outputs.indexOf(output)]?.name ?? "");
    return inner === undefined ? name : undefined;
  });
  return sources.every((source) => source !== undefined && source === sources[0]) ? sources[0] : undefined;
}

/** A model whose outputs end before their activations. */
export interface WithoutActivations {
  readonly model: PreparedModel;
  /** Names of the values that stand for the outputs. */
  readonly ends: readonly string[];
  /** Means that stand for what they are taken of, if that is a single number. */
  readonly means: readonly { readonly node: FileNode; readonly output: string; readonly activation: FinalActivation }[];
}

/** The model whose outputs are those before their final activations, of the kinds `cut`, moved as the activations' results are. */
export async function withoutActivations(
  model: PreparedModel,
  outputs: readonly string[],
  cut: readonly string[],
): Promise<WithoutActivations> {
  const taken = takenNames(model);
  const nodes = [...model.nodes];
  const means: WithoutActivations["means"][number][] = [];
  const activations = await Promise.all(outputs.map((output) => finalActivation(model, output)));
  const ends = outputs.map((output, i) => {
    const activation = activations[i];
    if (activation === undefined || !cut.includes(activation.operator)) return output;
    if (activation.path.some((node) => traitsOf(node).controlFlow !== undefined)) return output;
    return activation.path
      .filter((node) => traitsOf(node).passes !== "unchanged")
      .reduce((value, node) => {
        const moved = freshName(`${node.outputs[0]} before ${activation.operator}`, taken);
        const copy = { ...node, inputs: [value, ...node.inputs.slice(1)], outputs: [moved] };
        nodes.push(copy);
        if (traitsOf(node).averages) means.push({ node: copy, output, activation });
        return moved;
      }, activation.before);
  });
  return { model: nodes.length === model.nodes.length ? model : { ...model, nodes }, ends, means };
}
