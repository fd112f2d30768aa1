import { create } from "@bufbuild/protobuf";
import { CurvatureError } from "../errors/index.ts";
import { dtypeOf, formatDims, type StoredAs, sizeOf, type Tensor } from "../tensors/index.ts";
import { elementTypeCode } from "./elementType.ts";
import { type TensorProto, TensorProtoSchema } from "./generated/onnx_pb.ts";
import { encodeBfloat16, encodeFloat16 } from "./halfPrecision.ts";

/**
 * TensorProto of a tensor. `rawData` is a view on the tensor's array, not a copy, unless `storedAs` asks for sixteen bits
 * of a float32 tensor; strings go to `stringData` as UTF-8. Throws "argument" where the number of elements is not the
 * product of the dimensions.
 */
export function toTensorProto(
  name: string,
  tensor: Tensor,
  { storedAs }: { readonly storedAs?: StoredAs | undefined } = {},
): TensorProto {
  const { data, dims } = tensor;
  if (data.length !== sizeOf(dims)) {
    throw new CurvatureError(
      "argument",
      `Tensor "${name}" of dimensions ${formatDims(dims)} needs ${sizeOf(dims)} elements, but has ${data.length}.`,
    );
  }
  const proto = create(TensorProtoSchema, { name, dims: dims.map(BigInt) });
  proto.dataType = elementTypeCode(storedAs ?? dtypeOf(tensor));
  if (!ArrayBuffer.isView(data)) {
    proto.stringData = data.map((text) => new TextEncoder().encode(text));
    return proto;
  }
  const stored = storedAs === undefined ? data : encodeSixteenBits(name, tensor, storedAs);
  proto.rawData = new Uint8Array(stored.buffer as ArrayBuffer, stored.byteOffset, stored.byteLength);
  return proto;
}

function encodeSixteenBits(name: string, { data }: Tensor, storedAs: StoredAs): Uint16Array {
  if (data instanceof Float32Array) return storedAs === "float16" ? encodeFloat16(data) : encodeBfloat16(data);
  throw new CurvatureError(
    "argument",
    `Tensor "${name}" is to be stored as ${storedAs}, for which its data must be a Float32Array; convert it first.`,
  );
}
