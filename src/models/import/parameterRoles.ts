import { type FileNode, subgraphContents } from "../../onnx/index.ts";
import { valueNamed } from "../../tensors/index.ts";
import type { ParameterRole } from "../model.ts";

/** What a constant operand at each position is to an operator, where it is a parameter whenever it is constant. */
const ROLES: Readonly<Record<string, readonly (ParameterRole | undefined)[]>> = {
  Conv: [undefined, "weight", "bias"],
  ConvTranspose: [undefined, "weight", "bias"],
  Gemm: ["weight", "weight", "bias"],
  MatMul: ["weight", "weight"],
  LSTM: [undefined, "weight", "weight", "bias", undefined, undefined, undefined, "weight"],
  GRU: [undefined, "weight", "weight", "bias"],
  RNN: [undefined, "weight", "weight", "bias"],
  BatchNormalization: [undefined, "scale", "bias"],
  LayerNormalization: [undefined, "scale", "bias"],
  InstanceNormalization: [undefined, "scale", "bias"],
  GroupNormalization: [undefined, "scale", "bias"],
  RMSNormalization: [undefined, "scale"],
  SimplifiedLayerNormalization: [undefined, "scale"],
  Gather: ["table"],
  PRelu: [undefined, "slope"],
  BiasGelu: [undefined, "bias"],
  FastGelu: [undefined, "bias"],
  FusedMatMul: ["weight", "weight"],
  FusedGemm: ["weight", "weight", "bias"],
  FusedConv: [undefined, "weight", "bias"],
  SkipLayerNormalization: [undefined, undefined, "scale", "bias", "bias"],
  SkipSimplifiedLayerNormalization: [undefined, undefined, "scale", "bias"],
  EmbedLayerNormalization: [undefined, undefined, "table", "table", "table", "scale", "bias"],
  MultiHeadAttention: [undefined, undefined, undefined, "bias"],
};

/** What a constant operand with several elements is, where it meets a value that another parameter reaches. */
const JOINED_ROLES: Readonly<Record<string, ParameterRole>> = {
  Add: "offset",
  Sub: "offset",
  Mul: "factor",
  Concat: "token",
};

/** Operators that only move elements: what comes out of a constant is still that constant to what uses it (as out of a Concat). */
const MOVES: ReadonlySet<string> = new Set([
  "Identity",
  "Transpose",
  "Reshape",
  "Unsqueeze",
  "Squeeze",
  "Flatten",
  "Expand",
  "Cast",
  "Slice",
]);

/** How a constant is used: the role that makes it a parameter, and where. */
export interface Usage {
  readonly role: ParameterRole;
  readonly node: FileNode;
}

/**
 * Constants that are parameters by the way they are used, with the first such use. `candidates` are float constants,
 * `isIdentity` says that a constant is all ones or all zeros (what exporters write for a normalization without parameters).
 */
export function parameterUsages(
  nodes: readonly FileNode[],
  candidates: ReadonlyMap<string, { readonly dims: readonly number[] }>,
  { declared, isIdentity }: { readonly declared: ReadonlySet<string>; readonly isIdentity: (name: string) => boolean },
): Map<string, Usage> {
  const found = new Map<string, Usage>();
  const origins = new Map<string, readonly string[]>();
  for (const name of candidates.keys()) origins.set(name, [name]);
  const reached = new Set<string>(declared);
  for (const node of withSubgraphs(nodes)) {
    const moved = movedConstants(node, origins);
    if (moved.length > 0) {
      origins.set(node.outputs[0], moved);
      if (node.inputs.some((name) => reached.has(name))) reached.add(node.outputs[0]);
      continue;
    }
    node.inputs.forEach((input, position) => {
      for (const name of origins.get(input) ?? []) {
        const role = roleOf(node, position, { name, reached, candidates, isIdentity });
        if (role === undefined) continue;
        if (!found.has(name)) found.set(name, { role, node });
        reached.add(input);
        reached.add(name);
      }
    });
    if ([...node.inputs, ...node.captures].some((name) => reached.has(name))) {
      for (const name of node.outputs) if (name !== "") reached.add(name);
    }
  }
  return found;
}

/** Constants whose elements a node moves: of its first operand, or of all operands of a Concat if they are nothing else. */
function movedConstants(
  { op, domain, inputs }: FileNode,
  origins: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  if (domain !== "") return [];
  if (MOVES.has(op)) return origins.get(inputs[0]) ?? [];
  const all = op === "Concat" ? inputs.map((name) => origins.get(name) ?? []) : [];
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

function roleOf(
  node: FileNode,
  position: number,
  facts: {
    readonly name: string;
    readonly reached: ReadonlySet<string>;
    readonly candidates: ReadonlyMap<string, { readonly dims: readonly number[] }>;
    readonly isIdentity: (name: string) => boolean;
  },
): ParameterRole | undefined {
  const { name, reached, candidates, isIdentity } = facts;
  const role = valueNamed(ROLES, node.op)?.[position];
  const { dims } = candidates.get(name)!;
  if (role !== undefined) {
    if (node.op === "Gather" && dims.length < 2) return undefined;
    if (node.op === "InstanceNormalization" && isIdentity(name)) return undefined;
    return role;
  }
  const several = dims.some((dim) => dim > 1);
  const joined = valueNamed(JOINED_ROLES, node.op);
  const meets = node.inputs.some((other, i) => i !== position && reached.has(other));
  return joined !== undefined && several && meets ? joined : undefined;
}
