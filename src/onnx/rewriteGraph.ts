import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { GraphProtoSchema, ModelProtoSchema } from "./generated/onnx_pb.ts";
import type { Initializer, OnnxNode } from "./model.ts";
import { type FileGraph, subgraphContents } from "./modelContents.ts";
import { writeModel } from "./writeModel.ts";

/** What a graph is to have instead of its own. */
export interface GraphChange {
  readonly nodes: readonly OnnxNode[];
  /** Constants beyond those that it has. */
  readonly initializers: readonly Initializer[];
  /** The name of its first output; its own where absent. */
  readonly firstOutput?: string;
}

/**
 * A serialized GraphProto, as attributes of control flow hold it, with other nodes and more constants; what else it has (types, documentation,
 * constants) stays as it was. Throws as `subgraphContents` does.
 */
export async function rewriteGraph(
  bytes: Uint8Array,
  change: (graph: FileGraph) => Promise<GraphChange>,
): Promise<Uint8Array> {
  const { nodes, initializers, firstOutput } = await change(subgraphContents(bytes));
  const written = fromBinary(
    ModelProtoSchema,
    writeModel({
      producer: "",
      opsets: {},
      graph: { name: "", nodes, inputs: [], outputs: [], initializers },
    }),
  ).graph;
  const graph = fromBinary(GraphProtoSchema, bytes);
  graph.node = written?.node ?? [];
  graph.initializer.push(...(written?.initializer ?? []));
  if (firstOutput !== undefined && graph.output.length > 0) graph.output[0].name = firstOutput;
  return toBinary(GraphProtoSchema, graph);
}
