import type { BinaryWriter } from "@bufbuild/protobuf/wire";
import { elementTypeCode } from "./elementType.ts";
import {
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from "./generated/onnx_pb.ts";
import type { ValueInfo } from "./model.ts";
import { writeIntegers, writeMessage, writeText } from "./writeFields.ts";

const fields = ValueInfoProtoSchema.field;
const tensorFields = TypeProto_TensorSchema.field;

/** Writes the fields of a ValueInfoProto. */
export function writeValueInfo(writer: BinaryWriter, { name, dtype, dims }: ValueInfo): void {
  writeText(writer, fields.name.number, name);
  if (dtype === null) return;
  writeMessage(writer, fields.type.number, () =>
    writeMessage(writer, TypeProtoSchema.field.tensorType.number, () => {
      writeIntegers(writer, tensorFields.elemType.number, [elementTypeCode(dtype)]);
      if (dims !== null) writeMessage(writer, tensorFields.shape.number, () => writeShape(writer, dims));
    }),
  );
}

function writeShape(writer: BinaryWriter, dims: readonly (number | string | null)[]): void {
  const { dimValue, dimParam } = TensorShapeProto_DimensionSchema.field;
  for (const size of dims) {
    writeMessage(writer, TensorShapeProtoSchema.field.dim.number, () => {
      if (typeof size === "string") writeText(writer, dimParam.number, size);
      else if (size !== null) writeIntegers(writer, dimValue.number, [size]);
    });
  }
}
