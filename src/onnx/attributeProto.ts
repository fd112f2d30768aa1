import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { CurvatureError } from "../errors/index.ts";
import type { AttributeValue } from "../tensors/index.ts";
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  GraphProtoSchema,
} from "./generated/onnx_pb.ts";
import { isPacked } from "./packedIntegers.ts";
import { fromTensorProto, tensorHeader, toTensorProto } from "./tensorProto.ts";

/** AttributeProto of a named attribute. Integer attributes are excluded, because `writeNode` writes them directly. */
export function toAttributeProto(name: string, value: Exclude<AttributeValue, IntegerValue>): AttributeProto {
  if ("opaque" in value) return fromBinary(AttributeProtoSchema, value.opaque);
  const proto = create(AttributeProtoSchema, { name });
  if ("float" in value) {
    proto.type = AttributeType.FLOAT;
    proto.f = Math.fround(value.float);
  } else if ("string" in value) {
    proto.type = AttributeType.STRING;
    proto.s = encodeText(value.string);
  } else if ("tensor" in value) {
    proto.type = AttributeType.TENSOR;
    proto.t = toTensorProto("", value.tensor, { storedAs: value.storedAs });
  } else if ("graph" in value) {
    proto.type = AttributeType.GRAPH;
    proto.g = fromBinary(GraphProtoSchema, value.graph);
  } else fillList(proto, value);
  return proto;
}

/** One integer or several. */
export type IntegerValue = Extract<AttributeValue, { int: unknown } | { ints: unknown }>;

type ListValue = Extract<
  AttributeValue,
  { floats: unknown } | { strings: unknown } | { tensors: unknown } | { graphs: unknown }
>;

function fillList(proto: AttributeProto, value: ListValue): void {
  if ("floats" in value) {
    proto.type = AttributeType.FLOATS;
    proto.floats = value.floats.map(Math.fround);
  } else if ("strings" in value) {
    proto.type = AttributeType.STRINGS;
    proto.strings = value.strings.map(encodeText);
  } else if ("tensors" in value) {
    proto.type = AttributeType.TENSORS;
    proto.tensors = value.tensors.map((tensor) => toTensorProto("", tensor));
  } else {
    proto.type = AttributeType.GRAPHS;
    proto.graphs = value.graphs.map((graph) => fromBinary(GraphProtoSchema, graph));
  }
}

function encodeText(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/**
 * Converts an integer attribute for writing: 2^63, the float64 nearest to INT64_MAX, becomes INT64_MAX. Throws "argument" beyond 64 bits.
 */
export function toInt64(name: string, value: number): bigint {
  if (value === 2 ** 63) return 2n ** 63n - 1n;
  if (Number.isInteger(value) && Math.abs(value) <= 2 ** 63) return BigInt(value);
  throw new CurvatureError("argument", `Attribute "${name}" must be an integer of 64 bits, but is ${value}.`);
}

/**
 * Value of an AttributeProto. Kinds without a representation in `AttributeValue` become `opaque`: sparse tensors, types, tensors of narrow
 * elements, text that is not UTF-8, integers that float64 does not represent exactly. Throws "file" for a damaged tensor.
 */
export function fromAttributeProto(proto: AttributeProto): AttributeValue {
  try {
    return plainValue(proto) ?? { opaque: toBinary(AttributeProtoSchema, proto) };
  } catch (error) {
    if (!(error instanceof CurvatureError) || error.code !== "unsupported") throw error;
    return { opaque: toBinary(AttributeProtoSchema, proto) };
  }
}

function plainValue(proto: AttributeProto): AttributeValue | undefined {
  switch (proto.type) {
    case AttributeType.FLOAT:
      return { float: proto.f };
    case AttributeType.INT:
      return isPlainInt(proto.i) ? { int: Number(proto.i) } : undefined;
    case AttributeType.STRING:
      return isText(proto.s) ? { string: decodeText(proto.s) } : undefined;
    case AttributeType.TENSOR:
      return proto.t && !isPacked(tensorHeader(proto.t).dtype) ? fromTensorProto(proto.t) : undefined;
    case AttributeType.GRAPH:
      return proto.g && { graph: toBinary(GraphProtoSchema, proto.g) };
    default:
      return plainList(proto);
  }
}

function plainList(proto: AttributeProto): AttributeValue | undefined {
  switch (proto.type) {
    case AttributeType.FLOATS:
      return { floats: proto.floats };
    case AttributeType.INTS:
      return proto.ints.every(isPlainInt) ? { ints: proto.ints.map(Number) } : undefined;
    case AttributeType.STRINGS:
      return proto.strings.every(isText) ? { strings: proto.strings.map(decodeText) } : undefined;
    case AttributeType.TENSORS: {
      if (proto.tensors.some((tensor) => isPacked(tensorHeader(tensor).dtype))) return undefined;
      const stored = proto.tensors.map((tensor) => fromTensorProto(tensor));
      return stored.some(({ storedAs }) => storedAs) ? undefined : { tensors: stored.map(({ tensor }) => tensor) };
    }
    case AttributeType.GRAPHS:
      return { graphs: proto.graphs.map((graph) => toBinary(GraphProtoSchema, graph)) };
    default:
      return undefined;
  }
}

function isPlainInt(value: bigint): boolean {
  return toInt64("", Number(value)) === value;
}

function isText(bytes: Uint8Array): boolean {
  try {
    decodeText(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Decodes UTF-8; throws for other bytes. A byte order mark is kept, so that writing gives the same bytes. */
function decodeText(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}
