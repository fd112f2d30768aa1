import { fromBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { StoredAs, Tensor, Vector } from "../tensors/index.ts";
import { type ExternalPlace, externalPlace, isExternal, loadTensor, type ReadExternal } from "./externalData.ts";
import { AttributeProtoSchema, TensorProtoSchema } from "./generated/onnx_pb.ts";
import { decodeBfloat16, decodeFloat16 } from "./halfPrecision.ts";
import { tensorHeader, toRawData } from "./tensorProto.ts";
import { fieldsOf, joined, type MessageField, type TensorMessage } from "./visitTensors.ts";

/** Numbers of a model file in floats of any precision, with the place where they stand. */
export interface FloatMessage extends Pick<TensorMessage, "name" | "isMain"> {
  readonly dims: readonly number[];
  /** Type in the file. */
  readonly storedAs: "float32" | "float64" | StoredAs;
  /** Place in another file, where the numbers are not in the message. */
  readonly external?: ExternalPlace;
  /** The numbers as this library reads them. */
  load(): Promise<Vector>;
  /** These numbers as the file stores them, rounded to its type; little-endian. */
  encode(values: Vector): Uint8Array;
  /** Numbers that `encode` has stored, as this library reads them. */
  decode(stored: Uint8Array): Vector;
  /** The message with these numbers, for numbers that are in it. */
  replace(values: Vector): Uint8Array;
}

const FLOATS: readonly string[] = ["float32", "float64", "float16", "bfloat16"];

/** Fields of a TensorProto that hold numbers, and of an AttributeProto. */
const TENSOR_FIELDS: readonly number[] = [4, 5, 9, 10];
const ATTRIBUTE_FIELDS: readonly number[] = [2, 7];

/** The numbers of a message; undefined if they are no floats. Throws "file" for a damaged tensor. */
export function floatMessage(message: TensorMessage, readExternal: ReadExternal): FloatMessage | undefined {
  return message.kind === "tensor" ? tensorNumbers(message, readExternal) : attributeNumbers(message);
}

/** Location of the external data file that has the numbers of a message; undefined where they are in the message. Throws "file" for a bad location. */
export function locationOf({ kind, bytes }: TensorMessage): string | undefined {
  if (kind !== "tensor") return undefined;
  const proto = fromBinary(TensorProtoSchema, bytes);
  return isExternal(proto) ? externalPlace(proto).location : undefined;
}

function tensorNumbers({ name, isMain, bytes }: TensorMessage, readExternal: ReadExternal): FloatMessage | undefined {
  const proto = fromBinary(TensorProtoSchema, bytes);
  const { dims, dtype } = tensorHeader(proto);
  if (!FLOATS.includes(dtype)) return undefined;
  const storedAs = dtype as FloatMessage["storedAs"];
  const encode = (values: Vector) => encoded(values, { name, dims, storedAs });
  return {
    name,
    isMain,
    dims,
    storedAs,
    ...(isExternal(proto) && { external: externalPlace(proto) }),
    load: async () => (await loadTensor(proto, readExternal)).tensor.data as Vector,
    encode,
    decode: (stored) => decoded(stored, storedAs),
    replace: (values) => withNumbers(bytes, { numbers: encode(values), fields: TENSOR_FIELDS, storedAs }),
  };
}

function attributeNumbers({ name, isMain, bytes }: TensorMessage): FloatMessage {
  const { f, floats } = fromBinary(AttributeProtoSchema, bytes);
  const dims = floats.length > 0 ? [floats.length] : [];
  const storedAs = "float32";
  const encode = (values: Vector) => encoded(values, { name, dims, storedAs });
  return {
    name,
    isMain,
    dims,
    storedAs,
    load: async () => Float32Array.from(floats.length > 0 ? floats : [f]),
    encode,
    decode: (stored) => decoded(stored, storedAs),
    replace: (values) => withNumbers(bytes, { numbers: encode(values), fields: ATTRIBUTE_FIELDS, storedAs }),
  };
}

interface Stored {
  readonly name: string;
  readonly dims: readonly number[];
  readonly storedAs: FloatMessage["storedAs"];
}

function encoded(values: Vector, { name, dims, storedAs }: Stored): Uint8Array {
  if (storedAs === "float64") return toRawData(name, { data: Float64Array.from(values), dims })!;
  const tensor: Tensor = { data: Float32Array.from(values), dims };
  return toRawData(name, tensor, storedAs === "float32" ? {} : { storedAs })!;
}

function decoded(stored: Uint8Array, storedAs: FloatMessage["storedAs"]): Vector {
  const { buffer } = stored.slice();
  if (storedAs === "float64") return new Float64Array(buffer);
  if (storedAs === "float32") return new Float32Array(buffer);
  return (storedAs === "float16" ? decodeFloat16 : decodeBfloat16)(new Uint16Array(buffer));
}

interface Numbers {
  readonly numbers: Uint8Array;
  readonly fields: readonly number[];
  readonly storedAs: FloatMessage["storedAs"];
}

/**
 * The message with other numbers in the fields that hold them, which stay where they are and keep their form: raw bytes, a packed list, or
 * one field for each number. Floats of sixteen bits in a list are integers of variable length.
 */
function withNumbers(bytes: Uint8Array, { numbers, fields, storedAs }: Numbers): Uint8Array {
  const pieces: Uint8Array[] = [];
  let kept = 0;
  let used = 0;
  for (const field of fieldsOf(bytes)) {
    if (!fields.includes(field.number) || isOtherField(field, storedAs)) continue;
    const size = storedBytes(field, bytes, storedAs);
    const part = numbers.subarray(used, used + size);
    used += size;
    pieces.push(bytes.subarray(kept, field.start), written(field, { part, bytes }));
    kept = field.end;
  }
  return joined([...pieces, bytes.subarray(kept)]);
}

/** Field of sixteen-bit floats as a list of integers. */
const INTEGERS = 5;

/** Whether a field that is there has no numbers of this type: an empty list, or one of another type, which readers pass over. */
function isOtherField({ number, from, end }: MessageField, storedAs: Numbers["storedAs"]): boolean {
  const wide = storedAs === "float32" || storedAs === "float64";
  return from === end || (number === INTEGERS && wide);
}

/** Bytes of the numbers in a field, as raw data have them. */
function storedBytes(field: MessageField, bytes: Uint8Array, storedAs: Numbers["storedAs"]): number {
  if (field.number !== INTEGERS || storedAs === "float32" || storedAs === "float64") return field.end - field.from;
  return 2 * bytes.subarray(field.from, field.end).reduce((count, byte) => count + (byte < 0x80 ? 1 : 0), 0);
}

function written(
  { number, type, start, from }: MessageField,
  { part, bytes }: { readonly part: Uint8Array; readonly bytes: Uint8Array },
): Uint8Array {
  if (number !== INTEGERS) return joined([bytes.subarray(start, from), part]);
  const writer = new BinaryWriter().tag(number, type);
  if (type === WireType.LengthDelimited) writer.fork();
  const patterns = new Uint16Array(part.slice().buffer);
  for (const pattern of patterns) writer.uint32(pattern);
  if (type === WireType.LengthDelimited) writer.join();
  return writer.finish();
}
