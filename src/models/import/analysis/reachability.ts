import type { FileNode } from "../../../onnx/index.ts";
import { readBy } from "../prepared/sortNodes.ts";
import { isNonDifferentiable } from "./nonDifferentiable.ts";

/** The node that computes each value, by the value's name. */
export function producersOf(nodes: readonly FileNode[]): ReadonlyMap<string, FileNode> {
  return new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
}

/** Nodes that the outputs need, in order. */
export function neededNodes(nodes: readonly FileNode[], outputs: readonly string[]): FileNode[] {
  const needed = new Set(outputs);
  const kept: FileNode[] = [];
  for (const node of [...nodes].reverse()) {
    if (!node.outputs.some((name) => needed.has(name))) continue;
    kept.push(node);
    for (const name of readBy(node)) needed.add(name);
  }
  return kept.reverse();
}

/** Names of values with a derivative in a parameter. */
export function reachedValues(nodes: readonly FileNode[], parameters: Iterable<string>): Set<string> {
  const reached = new Set(parameters);
  for (const node of nodes) {
    if (isNonDifferentiable(node) || !readBy(node).some((name) => reached.has(name))) continue;
    for (const name of node.outputs) if (name !== "") reached.add(name);
  }
  return reached;
}
