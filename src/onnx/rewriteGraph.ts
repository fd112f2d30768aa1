import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { GraphProtoSchema, ModelProtoSchema } from "./generated/onnx_pb.ts";
import type { Initializer, OnnxNode } from "./model.ts";
import { type FileGraph, subgraphContents } from "./modelContents.ts";
import { writeModel } from "./writeModel.ts";

/** The replaced parts of a graph. */
export interface GraphChange {
  readonly nodes: readonly OnnxNode[];
  /** Constants to add. */
  readonly initializers: readonly Initializer[];
  /** The new name of its first output; default: the old name. */
  readonly firstOutput?: string;
}

/**
 * Replaces the nodes of a serialized GraphProto (the attribute of a control-flow operator) and adds constants. Its types, documentation and
 * own constants are kept. Throws as `subgraphContents` does.
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
