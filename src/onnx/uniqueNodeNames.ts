import type { OnnxNode } from "./model.ts";

/**
 * Renames nodes so that no two names are equal, which engines require. The first node with a name keeps it; later ones get an unused number
 * appended. Nodes without a name stay unnamed. Time is linear in the number of nodes.
 */
export function withUniqueNames(nodes: readonly OnnxNode[]): readonly OnnxNode[] {
  const given = nodes.flatMap(({ name = "" }) => (name === "" ? [] : [name]));
  const taken = new Set(given);
  if (taken.size === given.length) return nodes;
  const used = new Set<string>();
  const counts = new Map<string, number>();
  return nodes.map((node) => {
    const { name = "" } = node;
    if (name === "") return node;
    if (!used.has(name)) {
      used.add(name);
      return node;
    }
    let count = counts.get(name) ?? 2;
    while (taken.has(numbered(name, count))) count++;
    counts.set(name, count + 1);
    const unique = numbered(name, count);
    taken.add(unique);
    return { ...node, name: unique };
  });
}

/** The new name of a later node with the same name. */
function numbered(name: string, count: number): string {
  return `${name} (${count})`;
}
