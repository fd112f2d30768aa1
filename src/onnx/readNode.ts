import type { AttributeValue } from "../tensors/index.ts";
import { fromAttributeProto } from "./attributeProto.ts";
import type { GraphProto, NodeProto, StringStringEntryProto } from "./generated/onnx_pb.ts";
import type { OnnxNode } from "./model.ts";

/** One node of a file. */
export interface FileNode extends Required<OnnxNode> {
  /** Distinguishes local functions of the same name and domain. */
  readonly overload: string;
  /** The exporter's metadata on the node. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Values of the enclosing graphs that the node's subgraphs use. They act as further inputs of the node. */
  readonly captures: readonly string[];
  /**
   * Inside a local function: attributes that take the value of an attribute of the function, by their own names, with the name of the
   * function's attribute.
   */
  readonly references: Readonly<Record<string, string>>;
}

/** Node of a NodeProto in plain values. Throws "file" for a damaged tensor among its attributes. */
export function readNode(proto: NodeProto): FileNode {
  const attributes: [string, AttributeValue][] = [];
  const references: [string, string][] = [];
  for (const attribute of proto.attribute) {
    if (attribute.refAttrName) references.push([attribute.name, attribute.refAttrName]);
    else attributes.push([attribute.name, fromAttributeProto(attribute)]);
  }
  return {
    op: proto.opType,
    domain: plainDomain(proto.domain),
    name: proto.name,
    overload: proto.overload,
    inputs: proto.input,
    outputs: proto.output,
    attributes: Object.fromEntries(attributes),
    references: Object.fromEntries(references),
    metadata: readMetadata(proto.metadataProps),
    captures: [...new Set(subgraphsOf(proto).flatMap(capturesOf))],
  };
}

/** The domain, with "" for ai.onnx. */
export function plainDomain(domain: string): string {
  return domain === "ai.onnx" ? "" : domain;
}

/** Metadata entries as a record. */
export function readMetadata(entries: readonly StringStringEntryProto[]): Readonly<Record<string, string>> {
  return Object.fromEntries(entries.map(({ key, value }) => [key, value]));
}

function subgraphsOf({ attribute }: NodeProto): readonly GraphProto[] {
  return attribute.flatMap(({ g, graphs }) => (g === undefined ? graphs : [g, ...graphs]));
}

/** Values that a subgraph uses and does not define. No name is defined twice in a graph and its subgraphs, so the order does not matter. */
function capturesOf(graph: GraphProto): readonly string[] {
  const defined = new Set([
    ...graph.input.map(({ name }) => name),
    ...graph.initializer.map(({ name }) => name),
    ...graph.sparseInitializer.map(({ values }) => values?.name ?? ""),
    ...graph.node.flatMap(({ output }) => output),
  ]);
  const used = [
    ...graph.node.flatMap((node) => [...node.input, ...subgraphsOf(node).flatMap(capturesOf)]),
    ...graph.output.map(({ name }) => name),
  ];
  return used.filter((name) => name !== "" && !defined.has(name));
}
