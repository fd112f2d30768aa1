import { CurvatureError } from "../../errors/index.ts";
import type { FileNode } from "../../onnx/index.ts";

/**
 * Nodes in an order in which each comes after what it reads; the order of the file where that is one already.
 *
 * @throws CurvatureError "file" for a cycle, for a name that nothing defines, and for one defined twice
 */
export function sortNodes(nodes: readonly FileNode[], known: readonly string[], file: string): FileNode[] {
  const producers = new Map<string, FileNode>();
  const available = new Set(known);
  for (const node of nodes) {
    for (const name of node.outputs) {
      if (name === "") continue;
      if (producers.has(name) || available.has(name)) {
        throw new CurvatureError(
          "file",
          `${file}: value "${name}" is defined twice; the file is damaged, export it again`,
        );
      }
      producers.set(name, node);
    }
  }
  const sorted: FileNode[] = [];
  const state = new Map<FileNode, "open" | "done">();
  const visit = (root: FileNode) => {
    const stack: FileNode[] = [root];
    while (stack.length > 0) {
      const node = stack[stack.length - 1];
      if (state.get(node) === "done") {
        stack.pop();
        continue;
      }
      const pending = readBy(node)
        .filter((name) => !available.has(name))
        .map((name) => producerOf(name, node));
      const next = pending.find((producer) => state.get(producer) !== "done");
      if (next === undefined) {
        state.set(node, "done");
        sorted.push(node);
        stack.pop();
      } else if (state.get(next) === "open") {
        throw new CurvatureError(
          "file",
          `${file}: the graph has a cycle through ${describe(next)}; the file is damaged, export it again`,
        );
      } else {
        state.set(next, "open");
        stack.push(next);
      }
    }
  };
  const producerOf = (name: string, node: FileNode): FileNode => {
    const producer = producers.get(name);
    if (producer !== undefined) return producer;
    throw new CurvatureError(
      "file",
      `${file}: ${describe(node)} reads "${name}", which nothing defines; the file is damaged, export it again`,
    );
  };
  for (const node of nodes) {
    if (state.get(node) === undefined) {
      state.set(node, "open");
      visit(node);
    }
  }
  return sorted;
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
