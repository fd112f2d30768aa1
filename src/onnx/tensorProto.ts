import { create, isFieldSet } from "@bufbuild/protobuf";
import { CurvatureError } from "../errors/index.ts";
import {
  arrayTypes,
  type Dtype,
  dtypeOf,
  formatDims,
  MOST_AXES,
  type StoredAs,
  sizeOf,
  type Tensor,
  type TensorData,
} from "../tensors/index.ts";
import { type ElementType, elementTypeCode, elementTypeOf, type NarrowType } from "./elementType.ts";
import { type TensorProto, TensorProtoSchema } from "./generated/onnx_pb.ts";
import { decodeBfloat16, decodeFloat16, encodeBfloat16, encodeFloat16 } from "./halfPrecision.ts";
import { isPacked, type PackedType, packedByteLength, packedIntegers, unpacked } from "./packedIntegers.ts";

/**
 * A tensor from a file: float16 and bfloat16 are decoded exactly to float32, and `storedAs` records the original type. Integers of less
 * than eight bits are widened to eight.
 */
export interface StoredTensor {
  readonly tensor: Tensor;
  readonly storedAs?: StoredAs;
}

/** Name, type and dimensions of a TensorProto. */
export interface TensorHeader {
  readonly name: string;
  readonly dtype: ElementType;
  readonly dims: readonly number[];
}

type FixedSizeType = Exclude<ElementType, NarrowType | "string">;

/** Array class for the elements of each type in a file, little-endian. */
const arrays = { ...arrayTypes, bfloat16: Uint16Array } as const satisfies Record<FixedSizeType, unknown>;

/**
 * TensorProto of a tensor. `rawData` is a view of the tensor's array, not a copy, unless `storedAs` requests sixteen bits for a float32
 * tensor. Strings are stored in `stringData` as UTF-8. Throws "argument" if the number of elements is not the product of the dimensions.
 */
export function toTensorProto(
  name: string,
  tensor: Tensor,
  { storedAs }: { readonly storedAs?: StoredAs | undefined } = {},
): TensorProto {
  const rawData = toRawData(name, tensor, { storedAs });
  const proto = create(TensorProtoSchema, { name, dims: tensor.dims.map(BigInt) });
  proto.dataType = elementTypeCode(storedAs ?? dtypeOf(tensor));
  if (rawData !== undefined) proto.rawData = rawData;
  else proto.stringData = (tensor.data as readonly string[]).map((text) => new TextEncoder().encode(text));
  return proto;
}

/**
 * The elements of a tensor as `rawData`: a view of its array, not a copy, unless `storedAs` requests sixteen bits; undefined for strings.
 * Throws "argument" as `toTensorProto` does.
 */
export function toRawData(
  name: string,
  tensor: Tensor,
  { storedAs }: { readonly storedAs?: StoredAs | undefined } = {},
): Uint8Array<ArrayBuffer> | undefined {
  const { data, dims } = tensor;
  if (data.length !== sizeOf(dims)) {
    throw new CurvatureError(
      "argument",
      `Tensor "${name}" of dimensions ${formatDims(dims)} needs ${sizeOf(dims)} elements, but has ${data.length}.`,
    );
  }
  if (!ArrayBuffer.isView(data)) return undefined;
  const stored = storedAs === undefined ? data : encodeSixteenBits(name, tensor, storedAs);
  return new Uint8Array(stored.buffer as ArrayBuffer, stored.byteOffset, stored.byteLength);
}

function encodeSixteenBits(name: string, { data }: Tensor, storedAs: StoredAs): Uint16Array {
  if (data instanceof Float32Array) return storedAs === "float16" ? encodeFloat16(data) : encodeBfloat16(data);
  throw new CurvatureError(
    "argument",
    `Tensor "${name}" is to be stored as ${storedAs}, for which its data must be a Float32Array; convert it first.`,
  );
}

/**
 * Name, type and dimensions of a TensorProto, checked. Throws "file" for a type that ONNX does not define, for negative dimensions, and for
 * more elements than a number represents exactly.
 */
export function tensorHeader(proto: TensorProto): TensorHeader {
  const { name } = proto;
  const dtype = elementTypeOf(proto.dataType);
  if (dtype === undefined) {
    throw damaged(name, `has element type number ${proto.dataType}, which ONNX does not define`);
  }
  checkAxes(`Tensor "${name}"`, proto.dims.length);
  const dims = proto.dims.map(Number);
  const size = dims.reduce((product, dim) => product * Math.max(dim, 1), 1);
  if (!dims.every((dim) => dim >= 0) || size > Number.MAX_SAFE_INTEGER) {
    throw damaged(name, `has dimensions ${formatDims(dims)}, which no tensor can have`);
  }
  return { name, dtype, dims };
}

/** Throws "file" for more than `MOST_AXES` axes, which would crash the execution engine. */
export function checkAxes(what: string, axes: number): void {
  if (axes <= MOST_AXES) return;
  throw new CurvatureError(
    "file",
    `${what} has ${axes} axes, more than the ${MOST_AXES} that any may have; the file is damaged, export it again.`,
  );
}

/** Bytes of the elements of a tensor in `rawData` or in an external file. Throws "unsupported" as `fromTensorProto` does. */
export function storedByteLength({ name, dtype, dims }: TensorHeader): number {
  if (isPacked(dtype)) return packedByteLength(dtype, sizeOf(dims));
  return sizeOf(dims) * arrays[fixedSize(name, dtype)].BYTES_PER_ELEMENT;
}

/**
 * Tensor of a TensorProto whose data are in the message, or in `external` for data in another file. The array is a view of those bytes if
 * their alignment allows it. Throws "file" if the data do not fit the dimensions, "unsupported" for complex numbers and for floats of eight
 * bits or less.
 */
export function fromTensorProto(proto: TensorProto, external?: Uint8Array): StoredTensor {
  const header = tensorHeader(proto);
  const { name, dims, dtype } = header;
  if (isFieldSet(proto, TensorProtoSchema.field.segment)) {
    throw new CurvatureError(
      "unsupported",
      `Tensor "${name}" is stored in segments, which is not read; export it whole.`,
    );
  }
  if (dtype === "string") return { tensor: { data: decodeStrings(proto, header), dims, dtype } };
  const raw = external ?? (isFieldSet(proto, TensorProtoSchema.field.rawData) ? proto.rawData : undefined);
  if (isPacked(dtype)) return { tensor: unpackedTensor(dtype, header, raw ?? Uint8Array.from(proto.int32Data)) };
  const type = fixedSize(name, dtype);
  if (raw !== undefined) return decoded(type, { data: viewOf(raw, header, type), dims });
  const values = typedValues(proto, type);
  if (values.length !== sizeOf(dims)) throw misfit(header, `${values.length} elements`);
  return decoded(type, { data: convert(values, type), dims });
}

function unpackedTensor(type: PackedType, header: TensorHeader, bytes: Uint8Array): Tensor {
  if (bytes.length !== storedByteLength(header)) throw misfit(header, `${bytes.length} bytes`);
  const { dims } = header;
  return { data: unpacked(bytes, { type, size: sizeOf(dims) }), dims, dtype: packedIntegers[type].heldAs };
}

function fixedSize(name: string, dtype: ElementType): FixedSizeType {
  if (dtype in arrays) return dtype as FixedSizeType;
  throw new CurvatureError(
    "unsupported",
    `Tensor "${name}" has elements of type ${dtype}, which are not read; export the model in float32.`,
  );
}

function viewOf(raw: Uint8Array, header: TensorHeader, type: FixedSizeType): TensorData {
  const elements = arrays[type];
  if (raw.byteLength !== storedByteLength(header)) throw misfit(header, `${raw.byteLength} bytes`);
  const aligned = raw.byteOffset % elements.BYTES_PER_ELEMENT === 0 ? raw : new Uint8Array(raw);
  return new elements(aligned.buffer as ArrayBuffer, aligned.byteOffset, sizeOf(header.dims));
}

/** The tensor in the types of this library: sixteen-bit floats as float32, booleans as 0 and 1. */
function decoded(type: FixedSizeType, { data, dims }: Tensor): StoredTensor {
  if (type === "float16") return { tensor: { data: decodeFloat16(data as Uint16Array), dims }, storedAs: type };
  if (type === "bfloat16") return { tensor: { data: decodeBfloat16(data as Uint16Array), dims }, storedAs: type };
  if (type !== "bool") return { tensor: { data, dims, dtype: type satisfies Dtype } };
  return { tensor: { data: (data as Uint8Array).map((byte) => (byte === 0 ? 0 : 1)), dims, dtype: type } };
}

/** Elements in the field that TensorProto assigns to their type. */
function typedValues(proto: TensorProto, type: FixedSizeType): readonly number[] | readonly bigint[] {
  if (type === "float32") return proto.floatData;
  if (type === "float64") return proto.doubleData;
  if (type === "int64") return proto.int64Data;
  if (type === "uint64" || type === "uint32") return proto.uint64Data;
  return proto.int32Data;
}

/** Values of a typed field in an array of their type. Narrow integers keep their lowest bits, as in every reader of ONNX. */
function convert(values: readonly number[] | readonly bigint[], type: FixedSizeType): TensorData {
  if (type === "int64") return BigInt64Array.from(values as readonly bigint[]);
  if (type === "uint64") return BigUint64Array.from(values as readonly bigint[]);
  if (type === "bool") return Uint8Array.from(values as readonly number[], (value) => (value === 0 ? 0 : 1));
  return new arrays[type](type === "uint32" ? values.map(Number) : (values as readonly number[]));
}

function decodeStrings(proto: TensorProto, header: TensorHeader): readonly string[] {
  if (isFieldSet(proto, TensorProtoSchema.field.rawData)) throw damaged(header.name, "keeps strings as raw bytes");
  if (proto.stringData.length !== sizeOf(header.dims)) throw misfit(header, `${proto.stringData.length} strings`);
  return proto.stringData.map((bytes) => new TextDecoder().decode(bytes));
}

function damaged(name: string, what: string): CurvatureError {
  return new CurvatureError("file", `Tensor "${name}" ${what}; the file is damaged, export it again.`);
}

function misfit({ name, dims, dtype }: TensorHeader, found: string): CurvatureError {
  return damaged(name, `of type ${dtype} and dimensions ${formatDims(dims)} has ${found} of data, which does not fit`);
}
