import type { FileGraph, FileNode } from "../../../onnx/index.ts";
import type { ParameterRole } from "../../model.ts";

/** Notes of PyTorch's exporter on the tensors it exported: by argument name, the name in the module and its kind. */
export interface ExportedNames {
  readonly parameters: ReadonlySet<string>;
  readonly buffers: ReadonlySet<string>;
  /** Tensors that the module's code makes. */
  readonly constants: ReadonlySet<string>;
  /** Name in the module by argument name (`p_fc1_weight`). */
  readonly byArgument: ReadonlyMap<string, string>;
}

const SIGNATURE = "pkg.torch.export.ExportedProgram.graph_signature";
const FX_NODE = "pkg.torch.onnx.fx_node";
const FOLDED_FROM = "pkg.onnxscript.optimizer.folded_from";

/** Reads the graph signature that torch.onnx.export(dynamo=True) leaves in the metadata; undefined if there is none. */
export function exportedNames(metadata: Readonly<Record<string, string>>): ExportedNames | undefined {
  const signature = metadata[SIGNATURE];
  if (signature === undefined) return undefined;
  const parameters = new Set<string>();
  const buffers = new Set<string>();
  const constants = new Set<string>();
  const byKind: Readonly<Record<string, Set<string>>> = {
    PARAMETER: parameters,
    BUFFER: buffers,
    CONSTANT_TENSOR: constants,
  };
  const byArgument = new Map<string, string>();
  const entries = signature.matchAll(/^(\w+): (PARAMETER|BUFFER|CONSTANT_TENSOR) target='([^']*)'/gm);
  for (const [, argument, kind, target] of entries) {
    byKind[kind].add(target);
    byArgument.set(argument, target);
  }
  return { parameters, buffers, constants, byArgument };
}

/**
 * For constants that the exporter's constant folding made, the constants that went into them, as its note on the value says.
 * Names of values that the graph computes are left out: of these only the shape went in.
 */
export function foldedFrom({
  valueMetadata,
  nodes,
}: Pick<FileGraph, "valueMetadata" | "nodes">): ReadonlyMap<string, readonly string[]> {
  const computed = new Set(nodes.flatMap(({ outputs }) => outputs));
  const found = new Map<string, readonly string[]>();
  for (const [name, metadata] of valueMetadata) {
    const list = metadata[FOLDED_FROM];
    if (list === undefined) continue;
    const names = [...list.matchAll(/'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"/g)].map(
      ([, single, double]) => single ?? double,
    );
    found.set(
      name,
      names.filter((each) => !computed.has(each)),
    );
  }
  return found;
}

/** Parameters of the module that the call names, from which a node came; undefined where the node has no such note. */
export function parametersOfCall(names: ExportedNames, node: FileNode): readonly string[] | undefined {
  const call = node.metadata[FX_NODE];
  if (call === undefined) return undefined;
  const targets = [...call.matchAll(/%(\w+)/g)].map(([, argument]) => names.byArgument.get(argument));
  return targets.filter((target) => target !== undefined && names.parameters.has(target)) as string[];
}

/** The operation of PyTorch that a node came from, as `aten.linear`. */
export function operationOf(node: FileNode): string | undefined {
  return /target=torch\.ops\.(\w+\.\w+)/.exec(node.metadata[FX_NODE] ?? "")?.[1];
}

/** Endings of the module's own names that fit a role. */
const ENDINGS: Readonly<Partial<Record<ParameterRole, RegExp>>> = {
  weight: /weight(_\w+)?$/,
  scale: /weight$/,
  factor: /weight$/,
  table: /weight$/,
  slope: /weight$/,
  bias: /bias(_\w+)?$/,
  offset: /bias$/,
};

/**
 * The name in the module of a weight whose own name the exporter lost, from the call that its node came from. Undefined where
 * that leaves a choice: several parameters of the call would fit.
 */
export function rememberedName(
  names: ExportedNames,
  { node, role, taken }: { readonly node: FileNode; readonly role: ParameterRole; readonly taken: ReadonlySet<string> },
): string | undefined {
  const call = node.metadata[FX_NODE];
  const ending = ENDINGS[role];
  if (call === undefined || ending === undefined) return undefined;
  const targets = new Set<string>();
  for (const [, argument] of call.matchAll(/%(p_\w+)/g)) {
    const target = names.byArgument.get(argument);
    if (target !== undefined && ending.test(target) && !taken.has(target)) targets.add(target);
  }
  return targets.size === 1 ? [...targets][0] : undefined;
}
