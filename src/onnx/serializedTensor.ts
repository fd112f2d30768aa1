import { create, toBinary } from "@bufbuild/protobuf";
import type { StoredAs, Tensor } from "../tensors/index.ts";
import { elementTypeCode } from "./elementType.ts";
import { TensorProtoSchema } from "./generated/onnx_pb.ts";
import { isPacked, packed } from "./packedIntegers.ts";
import { toTensorProto } from "./tensorProto.ts";

/** A serialized TensorProto. Throws as `toTensorProto` does. */
export function serializedTensor(
  name: string,
  tensor: Tensor,
  options: { readonly storedAs?: StoredAs } = {},
): Uint8Array<ArrayBuffer> {
  return toBinary(TensorProtoSchema, toTensorProto(name, tensor, options));
}

/** Types of stored integers of quantized weights. */
export type QuantizedType = "int8" | "uint8" | "int4" | "uint4";

/** A serialized TensorProto of small integers, packed two to a byte where they have four bits. */
export function integerTensor(
  name: string,
  {
    values,
    dims,
    type,
  }: { readonly values: Int32Array; readonly dims: readonly number[]; readonly type: QuantizedType },
): Uint8Array<ArrayBuffer> {
  const proto = create(TensorProtoSchema, { name, dims: dims.map(BigInt) });
  proto.dataType = elementTypeCode(type);
  proto.rawData = isPacked(type) ? packed(values, type) : Uint8Array.from(values);
  return toBinary(TensorProtoSchema, proto);
}
