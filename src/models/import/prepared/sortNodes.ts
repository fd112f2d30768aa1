import { CurvatureError } from "../../../errors/index.ts";
import type { FileNode } from "../../../onnx/index.ts";

/**
 * Nodes in an order in which each comes after what it reads; the order of the file where that is one already.
 *
 * @throws CurvatureError "file" for a cycle, for a name that nothing defines, and for one defined twice
 */
export function sortNodes(nodes: readonly FileNode[], known: readonly string[], file: string): FileNode[] {
  const available = new Set(known);
  const producers = producersOf(nodes, available, file);
  const producerOf = (name: string, node: FileNode): FileNode => {
    const producer = producers.get(name);
    if (producer !== undefined) return producer;
    throw damaged(file, `${describe(node)} reads "${name}", which nothing defines`);
  };
  const sorted: FileNode[] = [];
  const state = new Map<FileNode, "open" | "done">();
  // An explicit stack, since networks are deeper than JavaScript's.
  const stack: FileNode[] = [...nodes].reverse();
  while (stack.length > 0) {
    const node = stack[stack.length - 1];
    if (state.get(node) === "done") {
      stack.pop();
      continue;
    }
    state.set(node, "open");
    const pending = readBy(node).filter((name) => !available.has(name));
    const next = pending.map((name) => producerOf(name, node)).find((producer) => state.get(producer) !== "done");
    if (next === undefined) {
      state.set(node, "done");
      sorted.push(node);
      stack.pop();
    } else if (state.get(next) === "open") {
      throw damaged(file, `the graph has a cycle through ${describe(next)}`);
    } else {
      stack.push(next);
    }
  }
  return sorted;
}

/** Nodes by the values they define. */
function producersOf(
  nodes: readonly FileNode[],
  available: ReadonlySet<string>,
  file: string,
): ReadonlyMap<string, FileNode> {
  const producers = new Map<string, FileNode>();
  for (const node of nodes) {
    for (const name of node.outputs) {
      if (name === "") continue;
      if (producers.has(name) || available.has(name)) throw damaged(file, `value "${name}" is defined twice`);
      producers.set(name, node);
    }
  }
  return producers;
}

function damaged(file: string, what: string): CurvatureError {
  return new CurvatureError("file", `${file}: ${what}; the file is damaged, export it again`);
}

/** Names of values that a node reads, those its subgraphs use included. */
export function readBy(node: FileNode): string[] {
  return [...node.inputs.filter((name) => name !== ""), ...node.captures];
}

/** An operator with its node's name, for messages. */
export function describe({ op, domain, name }: Pick<FileNode, "op" | "domain" | "name">): string {
  const operator = domain === "" ? op : `${domain}.${op}`;
  return name === "" ? operator : `${operator} "${name}"`;
}
