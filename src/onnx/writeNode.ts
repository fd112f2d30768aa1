import { toBinary } from "@bufbuild/protobuf";
import type { BinaryWriter } from "@bufbuild/protobuf/wire";
import type { AttributeValue } from "../tensors/index.ts";
import { type IntegerValue, toAttributeProto, toInt64 } from "./attributeProto.ts";
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  NodeProtoSchema,
} from "./generated/onnx_pb.ts";
import type { OnnxNode } from "./model.ts";
import { writeIntegers, writeMessage, writeText } from "./writeFields.ts";

const fields = NodeProtoSchema.field;
const attributeFields = AttributeProtoSchema.field;

/** Writes the fields of a NodeProto. Throws "argument" as `toInt64` does. */
export function writeNode(writer: BinaryWriter, node: OnnxNode): void {
  const { op, domain = "", name = "", inputs, outputs, attributes } = node;
  for (const input of inputs) writeText(writer, fields.input.number, input);
  for (const output of outputs) writeText(writer, fields.output.number, output);
  writeText(writer, fields.name.number, name);
  writeText(writer, fields.opType.number, op);
  for (const key of Object.keys(attributes)) {
    writeMessage(writer, fields.attribute.number, () => writeAttribute(writer, key, attributes[key]));
  }
  writeText(writer, fields.domain.number, domain);
}

function writeAttribute(writer: BinaryWriter, name: string, value: AttributeValue): void {
  if ("int" in value || "ints" in value) writeIntegerAttribute(writer, name, value);
  else writer.raw(toBinary(AttributeProtoSchema, toAttributeProto(name, value)));
}

function writeIntegerAttribute(writer: BinaryWriter, name: string, value: IntegerValue): void {
  const [field, type, given] =
    "int" in value
      ? ([attributeFields.i, AttributeType.INT, [value.int]] as const)
      : ([attributeFields.ints, AttributeType.INTS, value.ints] as const);
  const integers = given.map((int) => toInt64(name, int));
  writeText(writer, attributeFields.name.number, name);
  writeIntegers(writer, field.number, integers);
  writeIntegers(writer, attributeFields.type.number, [type]);
}
