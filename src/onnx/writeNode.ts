import { toBinary } from "@bufbuild/protobuf";
import type { BinaryWriter } from "@bufbuild/protobuf/wire";
import type { AttributeValue } from "../tensors/index.ts";
import { toAttributeProto, toInt64 } from "./attributeProto.ts";
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  NodeProtoSchema,
} from "./generated/onnx_pb.ts";
import type { OnnxNode } from "./model.ts";
import { writeIntegers, writeMessage, writeText } from "./writeFields.ts";

const fields = NodeProtoSchema.field;
const attributeFields = AttributeProtoSchema.field;

/** Writes the fields of a NodeProto. Throws "argument" as `toAttributeProto` does. */
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
  if (!("int" in value || "ints" in value)) {
    writer.raw(toBinary(AttributeProtoSchema, toAttributeProto(name, value)));
    return;
  }
  const { number } = "int" in value ? attributeFields.i : attributeFields.ints;
  const given = "int" in value ? [value.int] : value.ints;
  writeText(writer, attributeFields.name.number, name);
  writeIntegers(
    writer,
    number,
    given.map((int) => toInt64(name, int)),
  );
  writeIntegers(writer, attributeFields.type.number, ["int" in value ? AttributeType.INT : AttributeType.INTS]);
}
