import { toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { CurvatureError } from "../errors/index.ts";
import { dtypeOf } from "../tensors/index.ts";
import { elementTypeCode } from "./elementType.ts";
import {
  GraphProtoSchema,
  ModelProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  TensorProtoSchema,
} from "./generated/onnx_pb.ts";
import type { Initializer, ModelDescription } from "./model.ts";
import { toRawData, toTensorProto } from "./tensorProto.ts";
import { withUniqueNames } from "./uniqueNodeNames.ts";
import { writeIntegers, writeMessage, writeText } from "./writeFields.ts";
import { writeNode } from "./writeNode.ts";
import { writeValueInfo } from "./writeValueInfo.ts";

/** Protobuf's limit on the bytes of a message, 2^31 - 1. */
const largestMessage = 2 ** 31 - 1;

/**
 * Bytes of a .onnx file. Nodes with duplicate names are renamed (see `withUniqueNames`). The data of initializers are copied once, into the
 * result. Throws "argument" if a tensor's data do not fit its dimensions, "unsupported" beyond the 2 GiB of a protobuf message.
 */
export function writeModel(description: ModelDescription): Uint8Array<ArrayBuffer> {
  const { opsets, graph, functions = [], metadata = {}, producer } = description;
  const fields = ModelProtoSchema.field;
  const writer = new BinaryWriter();
  writeIntegers(writer, fields.irVersion.number, [description.irVersion ?? irVersionFor(opsets[""] ?? 0)]);
  writeText(writer, fields.producerName.number, producer);
  for (const [domain, version] of Object.entries(opsets)) {
    writeMessage(writer, fields.opsetImport.number, () => {
      writeText(writer, OperatorSetIdProtoSchema.field.domain.number, domain);
      writeIntegers(writer, OperatorSetIdProtoSchema.field.version.number, [version]);
    });
  }
  for (const [key, value] of Object.entries(metadata)) {
    writeMessage(writer, fields.metadataProps.number, () => {
      writeText(writer, StringStringEntryProtoSchema.field.key.number, key);
      writeText(writer, StringStringEntryProtoSchema.field.value.number, value);
    });
  }
  const chunks = [
    writer.finish(),
    ...functions.flatMap((bytes) => field(fields.functions.number, [bytes])),
    ...field(fields.graph.number, graphChunks(graph)),
  ];
  return join(chunks);
}

/** First IR version whose release had this version of ai.onnx, at least 10, which is compatible with all earlier opsets. */
function irVersionFor(opset: number): number {
  if (opset <= 22) return 10;
  if (opset === 23) return 11;
  return opset === 24 ? 12 : 13;
}

function graphChunks({ name, nodes, inputs, outputs, initializers }: ModelDescription["graph"]): Uint8Array[] {
  const fields = GraphProtoSchema.field;
  const writer = new BinaryWriter();
  for (const node of withUniqueNames(nodes)) writeMessage(writer, fields.node.number, () => writeNode(writer, node));
  writeText(writer, fields.name.number, name);
  for (const info of inputs) writeMessage(writer, fields.input.number, () => writeValueInfo(writer, info));
  for (const info of outputs) writeMessage(writer, fields.output.number, () => writeValueInfo(writer, info));
  return [writer.finish(), ...initializers.flatMap((each) => field(fields.initializer.number, tensorChunks(each)))];
}

/** A serialized TensorProto in pieces, so that its data are a view of the tensor's array. Protobuf fields may come in any order. */
function tensorChunks({ name, tensor, storedAs }: Initializer): Uint8Array[] {
  const fields = TensorProtoSchema.field;
  const rawData = toRawData(name, tensor, { storedAs });
  if (rawData === undefined) return [toBinary(TensorProtoSchema, toTensorProto(name, tensor))];
  const writer = new BinaryWriter();
  writeIntegers(writer, fields.dims.number, tensor.dims);
  writeIntegers(writer, fields.dataType.number, [elementTypeCode(storedAs ?? dtypeOf(tensor))]);
  writeText(writer, fields.name.number, name);
  return [writer.finish(), ...field(fields.rawData.number, [rawData])];
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
