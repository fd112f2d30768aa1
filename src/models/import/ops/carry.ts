import { CurvatureError } from "../../../errors/index.ts";
import { carried, elementTypeOf, integers, type NodeSpec, type Value } from "../../../graph/index.ts";
import { type FileNode, renameCaptures } from "../../../onnx/index.ts";
import { type AttributeValue, type Dtype, valueNamed } from "../../../tensors/index.ts";
import { describe } from "../prepared/sortNodes.ts";
import type { ImportedNode } from "./importedNode.ts";

/** Operator set of the graphs that carry nodes of older files. */
const OPSET = 17;

/** Operators whose axes moved from an attribute to an input, with the version in which they did. */
const AXES_AS_INPUT: Readonly<Record<string, number>> = { Squeeze: 13, Unsqueeze: 13, ReduceSum: 13 };

/** Operators whose form changed otherwise between opset 7 and 17, with the version from which on they can be carried as they are. */
const CHANGED: Readonly<Record<string, number>> = {
  Clip: 11,
  Dropout: 12,
  Pad: 11,
  Resize: 11,
  Scatter: 11,
  Slice: 10,
  Split: 13,
  Softmax: 13,
  LogSoftmax: 13,
  TopK: 10,
  Upsample: 10,
};

/** The outputs of a node that is evaluated by ONNX Runtime as it stands. */
export function carry(
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
    return carried(operands, { node: spec, output, shape, type: elementTypeOf(context.types.get(name) ?? "float32") });
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
  if (node.domain === "" && opset < (valueNamed(AXES_AS_INPUT, node.op) ?? 0) && axes !== undefined && "ints" in axes) {
    return { inputs: [...inputs, integers(axes.ints)], attributes: others };
  }
  if (node.domain === "" && opset < (valueNamed(CHANGED, node.op) ?? 0)) {
    throw new CurvatureError(
      "unsupported",
      `${describe(node)} has the form of opset ${opset}, which cannot be carried; convert the file with onnx.version_converter.convert_version to ${OPSET}`,
    );
  }
  return { inputs, attributes: node.attributes };
}
