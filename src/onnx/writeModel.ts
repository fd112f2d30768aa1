import { clearField, create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { CurvatureError } from "../errors/index.ts";
import { elementTypeCode } from "./elementType.ts";
import {
  GraphProtoSchema,
  ModelProtoSchema,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "./generated/onnx_pb.ts";
import type { Initializer, ModelDescription, ValueInfo } from "./model.ts";
import { toTensorProto } from "./tensorProto.ts";
import { writeNode } from "./writeNode.ts";

/** Protobuf's limit on the bytes of a message, 2^31 - 1. */
const largestMessage = 2 ** 31 - 1;

/**
 * Bytes of a .onnx file. The data of initializers are copied once, into the result. Throws "argument" where a tensor's
 * data do not fit its dimensions, "unsupported" beyond the 2 GiB of a protobuf message.
 */
export function writeModel(description: ModelDescription): Uint8Array<ArrayBuffer> {
  const { opsets, graph, functions = [], metadata = {}, producer } = description;
  const model = create(ModelProtoSchema, {
    irVersion: BigInt(description.irVersion ?? irVersionFor(opsets[""] ?? 0)),
    producerName: producer,
    opsetImport: Object.entries(opsets).map(([domain, version]) => ({ domain, version: BigInt(version) })),
    metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
  });
  const chunks = [
    toBinary(ModelProtoSchema, model),
    ...functions.flatMap((bytes) => field(ModelProtoSchema.field.functions.number, [bytes])),
    ...field(ModelProtoSchema.field.graph.number, graphChunks(graph)),
  ];
  return join(chunks);
}

/** First IR version whose release had this version of ai.onnx (from 10 on, which reads all that came before). */
function irVersionFor(opset: number): number {
  if (opset <= 22) return 10;
  if (opset === 23) return 11;
  return opset === 24 ? 12 : 13;
}

function graphChunks({ name, nodes, inputs, outputs, initializers }: ModelDescription["graph"]): Uint8Array[] {
  const { node, initializer } = GraphProtoSchema.field;
  const writer = new BinaryWriter();
  for (const each of nodes) {
    writer.tag(node.number, WireType.LengthDelimited).fork();
    writeNode(writer, each);
    writer.join();
  }
  const rest = create(GraphProtoSchema, {
    name,
    input: inputs.map(toValueInfoProto),
    output: outputs.map(toValueInfoProto),
  });
  return [
    writer.finish(),
    toBinary(GraphProtoSchema, rest),
    ...initializers.flatMap((each) => field(initializer.number, tensorChunks(each))),
  ];
}

/** A serialized TensorProto in pieces, its data being a view on the tensor's array: protobuf fields may come in any order. */
function tensorChunks({ name, tensor, storedAs }: Initializer): Uint8Array[] {
  const proto = toTensorProto(name, tensor, { storedAs });
  const { rawData } = proto;
  if (proto.stringData.length > 0) return [toBinary(TensorProtoSchema, proto)];
  clearField(proto, TensorProtoSchema.field.rawData);
  return [toBinary(TensorProtoSchema, proto), ...field(TensorProtoSchema.field.rawData.number, [rawData])];
}

/** A field of length-delimited content: its tag and length, then the content. */
function field(number: number, content: readonly Uint8Array[]): Uint8Array[] {
  const length = totalLength(content);
  return [new BinaryWriter().tag(number, WireType.LengthDelimited).uint32(length).finish(), ...content];
}

function totalLength(chunks: readonly Uint8Array[]): number {
  const length = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  if (length <= largestMessage) return length;
  throw new CurvatureError(
    "unsupported",
    `A .onnx file holds at most 2 GiB, but this model has ${(length / 2 ** 30).toFixed(2)} GiB; write fewer initializers.`,
  );
}

function join(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(totalLength(chunks));
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return bytes;
}

function toValueInfoProto({ name, dtype, dims }: ValueInfo): ValueInfoProto {
  if (dtype === null) return create(ValueInfoProtoSchema, { name });
  const dim = dims?.map((size) => ({ value: dimensionOf(size) }));
  const shape = dim === undefined ? {} : { shape: { dim } };
  const value = { elemType: elementTypeCode(dtype), ...shape };
  return create(ValueInfoProtoSchema, { name, type: { value: { case: "tensorType", value } } });
}

function dimensionOf(size: number | string | null) {
  if (size === null) return { case: undefined };
  if (typeof size === "string") return { case: "dimParam" as const, value: size };
  return { case: "dimValue" as const, value: BigInt(size) };
}
