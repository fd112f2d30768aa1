import { type FileNode, subgraphContents } from "../../../onnx/index.ts";
import { valueNamed } from "../../../tensors/index.ts";
import type { ParameterRole } from "../../model.ts";

/** What a constant operand at each position is to an operator, where that makes it a parameter. */
const LAYER_ROLES: Readonly<Record<string, readonly (ParameterRole | undefined)[]>> = {
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

/** What a constant operand of an elementwise operator or of a Concat is. */
const ELEMENTWISE_ROLES: Readonly<Record<string, ParameterRole>> = {
  Add: "offset",
  Sub: "offset",
  Mul: "factor",
  Div: "factor",
  Concat: "token",
};

/** Operators with a linear map, to whose result a bias is added. */
const LINEAR: ReadonlySet<string> = new Set(["Conv", "ConvTranspose", "Gemm", "MatMul", "FusedMatMul"]);

/** Positions of the running mean and variance of a BatchNormalization. */
const STATISTICS: ReadonlySet<number> = new Set([3, 4]);

/** Operators that only move elements: a constant passed through them still counts as the same constant. */
const MOVES: ReadonlySet<string> = new Set([
  "Identity",
  "Transpose",
  "Reshape",
  "Unsqueeze",
  "Squeeze",
  "Flatten",
  "Expand",
  "Tile",
  "Cast",
  "Slice",
]);

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
    if (LINEAR.has(node.op) || (MOVES.has(node.op) && linear.has(node.inputs[0]))) linear.add(node.outputs[0]);
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

function usageAt(
  node: FileNode,
  position: number,
  { dims, linear }: { readonly dims: readonly number[]; readonly linear: ReadonlySet<string> },
): Usage {
  const role = valueNamed(LAYER_ROLES, node.op)?.[position];
  const table = node.op === "Gather" && dims.length < 2;
  if (role !== undefined && !table) return { role, node, kind: "layer", bias: false };
  if (node.op === "BatchNormalization" && STATISTICS.has(position))
    return { role: "other", node, kind: "statistics", bias: false };
  const joined = valueNamed(ELEMENTWISE_ROLES, node.op);
  if (joined === undefined) return { role: "other", node, kind: "other", bias: false };
  const bias = node.op === "Add" && node.inputs.some((name, i) => i !== position && linear.has(name));
  return { role: joined, node, kind: "elementwise", bias };
}
