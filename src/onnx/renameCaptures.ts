import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type GraphProto, GraphProtoSchema } from "./generated/onnx_pb.ts";

/** A serialized GraphProto that reads values of the enclosing graph under other names, also in graphs within it. */
export function renameCaptures(bytes: Uint8Array, names: ReadonlyMap<string, string>): Uint8Array {
  const graph = fromBinary(GraphProtoSchema, bytes);
  renameWithin(graph, names);
  return toBinary(GraphProtoSchema, graph);
}

/** No name is defined twice in a graph and its subgraphs, so whatever has a captured name is captured. */
function renameWithin(graph: GraphProto, names: ReadonlyMap<string, string>): void {
  for (const node of graph.node) {
    node.input = node.input.map((name) => names.get(name) ?? name);
    for (const { g, graphs } of node.attribute)
      for (const inner of g === undefined ? graphs : [g]) renameWithin(inner, names);
  }
  for (const output of graph.output) output.name = names.get(output.name) ?? output.name;
}
