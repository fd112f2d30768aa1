import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type GraphProto, GraphProtoSchema } from "./generated/onnx_pb.ts";

/** Renames the values of the enclosing graph that a serialized GraphProto and its subgraphs read. */
export function renameCaptures(bytes: Uint8Array, names: ReadonlyMap<string, string>): Uint8Array {
  const graph = fromBinary(GraphProtoSchema, bytes);
  renameWithin(graph, names);
  return toBinary(GraphProtoSchema, graph);
}

/** No name is defined twice in a graph and its subgraphs, so every use of a captured name refers to the captured value. */
function renameWithin(graph: GraphProto, names: ReadonlyMap<string, string>): void {
  for (const node of graph.node) {
    node.input = node.input.map((name) => names.get(name) ?? name);
    for (const { g, graphs } of node.attribute)
      for (const inner of g === undefined ? graphs : [g]) renameWithin(inner, names);
  }
  for (const output of graph.output) output.name = names.get(output.name) ?? output.name;
}
