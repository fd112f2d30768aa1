import type { FileNode } from "../../onnx/index.ts";
import type { ParameterRole } from "../model.ts";

/** What PyTorch's exporter says of the tensors it exported: by argument name, the name in the module and its kind. */
export interface ExportedNames {
  readonly parameters: ReadonlySet<string>;
  readonly buffers: ReadonlySet<string>;
  /** Name in the module by argument name (`p_fc1_weight`). */
  readonly byArgument: ReadonlyMap<string, string>;
}

const SIGNATURE = "pkg.torch.export.ExportedProgram.graph_signature";
const FX_NODE = "pkg.torch.onnx.fx_node";

/** Reads the graph signature that torch.onnx.export(dynamo=True) leaves in the metadata; undefined if there is none. */
export function exportedNames(metadata: Readonly<Record<string, string>>): ExportedNames | undefined {
  const signature = metadata[SIGNATURE];
  if (signature === undefined) return undefined;
  const parameters = new Set<string>();
  const buffers = new Set<string>();
  const byArgument = new Map<string, string>();
  for (const [, argument, kind, target] of signature.matchAll(/^(\w+): (PARAMETER|BUFFER) target='([^']*)'/gm)) {
    (kind === "PARAMETER" ? parameters : buffers).add(target);
    byArgument.set(argument, target);
  }
  return { parameters, buffers, byArgument };
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
