import { toBinary } from "@bufbuild/protobuf";
import { type BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { AttributeValue } from "../tensors/index.ts";
import { toAttributeProto, toInt64 } from "./attributeProto.ts";
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  NodeProtoSchema,
} from "./generated/onnx_pb.ts";
import type { OnnxNode } from "./model.ts";

const fields = NodeProtoSchema.field;
const attributeFields = AttributeProtoSchema.field;

/**
 * Writes the fields of a NodeProto, the bytes that `toBinary` gives but without a message in between: graphs of derivatives have
 * thousands of nodes, and are written once by a process that has just started. Throws "argument" as `toAttributeProto` does.
 */
export function writeNode(writer: BinaryWriter, node: OnnxNode): void {
  const { op, domain = "", name = "", inputs, outputs, attributes } = node;
  for (const input of inputs) writeText(writer, fields.input.number, input);
  for (const output of outputs) writeText(writer, fields.output.number, output);
  writeText(writer, fields.name.number, name);
  writeText(writer, fields.opType.number, op);
  for (const [key, value] of Object.entries(attributes)) {
    writer.tag(fields.attribute.number, WireType.LengthDelimited).fork();
    writeAttribute(writer, key, value);
    writer.join();
  }
  writeText(writer, fields.domain.number, domain);
}

function writeAttribute(writer: BinaryWriter, name: string, value: AttributeValue): void {
  const { i, ints } = attributeFields;
  if ("int" in value) writeIntegers(writer, { name, number: i.number, values: [value.int], type: AttributeType.INT });
  else if ("ints" in value)
    writeIntegers(writer, { name, number: ints.number, values: value.ints, type: AttributeType.INTS });
  else writer.raw(toBinary(AttributeProtoSchema, toAttributeProto(name, value)));
}

interface Integers {
  readonly name: string;
  /** Of the field that they stand in. */
  readonly number: number;
  readonly values: readonly number[];
  readonly type: AttributeType;
}

function writeIntegers(writer: BinaryWriter, { name, number, values, type }: Integers): void {
  writeText(writer, attributeFields.name.number, name);
  for (const value of values) writer.tag(number, WireType.Varint).int64(toInt64(name, value));
  writer.tag(attributeFields.type.number, WireType.Varint).int32(type);
}

function writeText(writer: BinaryWriter, number: number, text: string): void {
  writer.tag(number, WireType.LengthDelimited).string(text);
}
