import { CurvatureError } from "../../../errors/index.ts";
import { elementTypeOf, integers, type NodeSpec, opaque, type Value } from "../../../graph/index.ts";
import { type FileNode, renameCaptures } from "../../../onnx/index.ts";
import type { AttributeValue, Dtype } from "../../../tensors/index.ts";
import type { ImportedNode } from "../ops/importedNode.ts";
import { traitsOf } from "../ops/operators.ts";
import { describe } from "../prepared/sortNodes.ts";

/** Operator set of the graphs that carry nodes of older files. */
const OPSET = 17;

/** The outputs of a node that is evaluated by ONNX Runtime as it stands. */
export function passThrough(
  node: FileNode,
  context: ImportedNode & { readonly values: ReadonlyMap<string, Value>; readonly types: ReadonlyMap<string, Dtype> },
): (Value | undefined)[] {
  const { inputs, attributes } = inputForm(node, context);
  // Names of their own: those of the file may be inputs of the graph that is compiled, in another precision.
  const captures = new Map(node.captures.map((name) => [name, `captured ${name}`]));
  const captured = node.captures.map((name) => context.values.get(name)!);
  const spec: NodeSpec = {
    op: node.op,
    domain: node.domain,
    opset: node.domain === "" ? Math.max(context.opset, OPSET) : context.opset,
    name: node.name,
    attributes: captures.size === 0 ? attributes : withCaptures(attributes, captures),
    outputs: node.outputs.length,
    absent: inputs.flatMap((value, position) => (value === undefined ? [position] : [])),
    captures: [...captures.values()],
  };
  const operands = [...inputs.filter((value) => value !== undefined), ...captured];
  return node.outputs.map((name, output) => {
    const shape = context.outputShapes[output];
    if (shape === undefined) return undefined;
    return opaque(operands, { node: spec, output, shape, type: elementTypeOf(context.types.get(name) ?? "float32") });
  });
}

/** The attributes with subgraphs that read captured values by other names. */
function withCaptures(
  attributes: Readonly<Record<string, AttributeValue>>,
  names: ReadonlyMap<string, string>,
): Readonly<Record<string, AttributeValue>> {
  const entries = Object.entries(attributes).map(([name, value]): [string, AttributeValue] => {
    if ("graph" in value) return [name, { graph: renameCaptures(value.graph, names) }];
    if ("graphs" in value) return [name, { graphs: value.graphs.map((graph) => renameCaptures(graph, names)) }];
    return [name, value];
  });
  return Object.fromEntries(entries);
}

/** Operands and attributes as operator set 17 has them. */
function inputForm(
  node: FileNode,
  { inputs, opset }: ImportedNode,
): { readonly inputs: readonly (Value | undefined)[]; readonly attributes: Readonly<Record<string, AttributeValue>> } {
  const { axes, ...others } = node.attributes;
  const { axesOperandSince = 0, formSince = 0 } = node.domain === "" ? traitsOf(node) : {};
  if (opset < axesOperandSince && axes !== undefined && "ints" in axes) {
    return { inputs: [...inputs, integers(axes.ints)], attributes: others };
  }
  if (opset < formSince) {
    throw new CurvatureError(
      "unsupported",
      `${describe(node)} has the form of opset ${opset}, which ONNX Runtime does not take beside newer ones; convert the file with onnx.version_converter.convert_version to ${OPSET}`,
    );
  }
  return { inputs, attributes: node.attributes };
}
