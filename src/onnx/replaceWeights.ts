import { fromBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  type GraphProto,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProtoSchema,
  ValueInfoProtoSchema,
} from "./generated/onnx_pb.ts";
import type { OnnxNode } from "./model.ts";
import { fieldsOf, joined } from "./visitTensors.ts";
import { writeNode } from "./writeNode.ts";

/** Tensors and nodes that compute a weight of the main graph. */
export interface WeightReplacement {
  /** Serialized TensorProto messages. */
  readonly initializers: readonly Uint8Array[];
  /** Nodes, of which the last gives the value of the weight's name. */
  readonly nodes: readonly OnnxNode[];
}

/** First version of the format in which initializers need not be inputs. */
const FREE_INITIALIZERS = 4;

/**
 * The bytes of a model file (ModelProto) with initializers and Constant nodes of the main graph computed by other nodes, which come first in the
 * graph, by the name of the value. Inputs of these names go: before version 4 of the format each initializer was one; the version becomes 4
 * where it was lower. All other bytes are those of the file, in their order.
 *
 * @param replacements by name of the initializer, or of the Constant node's result
 */
export function replaceWeights(
  model: Uint8Array,
  replacements: ReadonlyMap<string, WeightReplacement>,
): Uint8Array<ArrayBuffer> {
  const { graph, irVersion } = ModelProtoSchema.field;
  const pieces = fieldsOf(model).map(({ number, start, from, end }) => {
    if (number === graph.number) return message(number, [replacedGraph(model.subarray(from, end), replacements)]);
    if (number === irVersion.number) return atLeast(model.subarray(start, end), { number, from: from - start });
    return model.subarray(start, end);
  });
  return whole(pieces);
}

/** Names of all values of a file's main graph and its subgraphs. */
export function valueNames(model: Uint8Array): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (graph: GraphProto | undefined) => {
    if (graph === undefined) return;
    for (const { name } of [...graph.input, ...graph.output, ...graph.initializer]) names.add(name);
    for (const node of graph.node) {
      for (const name of [...node.input, ...node.output]) names.add(name);
      for (const { g, graphs } of node.attribute) for (const each of [g, ...graphs]) visit(each);
    }
  };
  visit(fromBinary(ModelProtoSchema, model).graph);
  return names;
}

function atLeast(field: Uint8Array, { number, from }: { readonly number: number; readonly from: number }): Uint8Array {
  // A version below 4 is one byte.
  const isOld = field.length === from + 1 && field[from] < FREE_INITIALIZERS;
  return isOld ? new BinaryWriter().tag(number, WireType.Varint).uint32(FREE_INITIALIZERS).finish() : field;
}

function replacedGraph(bytes: Uint8Array, replacements: ReadonlyMap<string, WeightReplacement>): Uint8Array {
  const { node, initializer, input } = GraphProtoSchema.field;
  const added = [...replacements.values()]
    .flatMap(({ nodes }) => nodes)
    .map((each) => message(node.number, [nodeBytes(each)]));
  const fields = fieldsOf(bytes);
  const first = fields.find(({ number }) => number === node.number);
  const pieces = fields.flatMap((field): Uint8Array[] => {
    const { number, start, from, end } = field;
    const part = bytes.subarray(from, end);
    const own = bytes.subarray(start, end);
    if (number === node.number) {
      const kept = isReplacedConstant(part, replacements) ? [] : [own];
      return field === first ? [...added, ...kept] : kept;
    }
    if (number === initializer.number)
      return replacements.has(nameOf(part, TensorProtoSchema.field.name.number)) ? [] : [own];
    if (number === input.number)
      return replacements.has(nameOf(part, ValueInfoProtoSchema.field.name.number)) ? [] : [own];
    return [own];
  });
  const tensors = [...replacements.values()].flatMap(({ initializers }) => initializers);
  return whole([...pieces, ...tensors.map((tensor) => message(initializer.number, [tensor]))]);
}

function isReplacedConstant(bytes: Uint8Array, replacements: ReadonlyMap<string, WeightReplacement>): boolean {
  const { opType, output } = NodeProtoSchema.field;
  return nameOf(bytes, opType.number) === "Constant" && replacements.has(nameOf(bytes, output.number));
}

function nameOf(bytes: Uint8Array, number: number): string {
  const field = fieldsOf(bytes).find((each) => each.number === number);
  return field === undefined ? "" : new TextDecoder().decode(bytes.subarray(field.from, field.end));
}

function nodeBytes(node: OnnxNode): Uint8Array {
  const writer = new BinaryWriter();
  writeNode(writer, node);
  return writer.finish();
}

function message(number: number, contents: readonly Uint8Array[]): Uint8Array {
  const length = contents.reduce((sum, each) => sum + each.length, 0);
  return whole([new BinaryWriter().tag(number, WireType.LengthDelimited).uint32(length).finish(), ...contents]);
}

function whole(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return joined(pieces) as Uint8Array<ArrayBuffer>;
}
