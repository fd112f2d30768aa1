import { type FileNode, subgraphContents } from "../../../onnx/index.ts";
import type { ParameterRole } from "../../model.ts";
import { traitsOf } from "../ops/operators.ts";

/**
 * A use of a constant: its role and where. "layer" is an operand that a layer trains, "statistics" a running mean or variance,
 * "elementwise" an operand of Add, Sub, Mul, Div or Concat.
 */
export interface Usage {
  readonly role: ParameterRole;
  readonly node: FileNode;
  readonly kind: "layer" | "statistics" | "elementwise" | "other";
  /** Whether it is added to the result of a linear map, as a bias is. */
  readonly bias: boolean;
}

const RANKS: readonly Usage["kind"][] = ["layer", "statistics", "elementwise", "other"];

/** For each constant the use that says most of it: the first of the strongest kind, in subgraphs as well. */
export function usagesOf(
  nodes: readonly FileNode[],
  constants: ReadonlyMap<string, { readonly dims: readonly number[] }>,
): Map<string, Usage> {
  const found = new Map<string, Usage>();
  const origins = new Map<string, readonly string[]>();
  for (const name of constants.keys()) origins.set(name, [name]);
  const linear = new Set<string>();
  for (const node of withSubgraphs(nodes)) {
    const moved = movedConstants(node, origins);
    if (moved.length > 0) {
      origins.set(node.outputs[0], moved);
      continue;
    }
    const traits = traitsOf(node);
    const isLinear = traits.linear ?? (traits.passes !== undefined && linear.has(node.inputs[0]));
    if (isLinear) linear.add(node.outputs[0]);
    node.inputs.forEach((input, position) => {
      for (const name of origins.get(input) ?? []) {
        const usage = usageAt(node, position, { dims: constants.get(name)!.dims, linear });
        const before = found.get(name);
        if (before === undefined || RANKS.indexOf(usage.kind) < RANKS.indexOf(before.kind)) found.set(name, usage);
      }
    });
  }
  return found;
}

/** Constants whose elements a node moves: of its first operand, or of all operands of a Concat if they are nothing else. */
function movedConstants(node: FileNode, origins: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const { passes, joins } = traitsOf(node);
  const { inputs } = node;
  if (passes !== undefined) return origins.get(inputs[0]) ?? [];
  const all = joins ? inputs.map((name) => origins.get(name) ?? []) : [];
  return all.every((each) => each.length > 0) ? [...new Set(all.flat())] : [];
}

/** Nodes with those of their subgraphs before them, which read constants of the outer graph by the same names. */
function* withSubgraphs(nodes: readonly FileNode[]): Generator<FileNode> {
  for (const node of nodes) {
    for (const value of Object.values(node.attributes)) {
      const graphs = "graph" in value ? [value.graph] : "graphs" in value ? value.graphs : [];
      for (const graph of graphs) yield* withSubgraphs(subgraphContents(graph).nodes);
    }
    yield node;
  }
}

function usageAt(
  node: FileNode,
  position: number,
  { dims, linear }: { readonly dims: readonly number[]; readonly linear: ReadonlySet<string> },
): Usage {
  const { roles = [], constantRole, adds } = traitsOf(node);
  const role = roles[position];
  if (role === "statistics") return { role: "other", node, kind: "statistics", bias: false };
  // Rows of a table are vectors: a Gather from a list of numbers reads sizes or settings.
  const isList = role === "table" && dims.length < 2;
  if (role !== undefined && !isList) return { role, node, kind: "layer", bias: false };
  if (constantRole === undefined) return { role: "other", node, kind: "other", bias: false };
  const bias = adds === true && node.inputs.some((name, i) => i !== position && linear.has(name));
  return { role: constantRole, node, kind: "elementwise", bias };
}
