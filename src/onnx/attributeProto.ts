import { create, fromBinary } from "@bufbuild/protobuf";
import { CurvatureError } from "../errors/index.ts";
import type { AttributeValue } from "../tensors/index.ts";
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  GraphProtoSchema,
} from "./generated/onnx_pb.ts";
import { toTensorProto } from "./tensorProto.ts";

/** AttributeProto of a named attribute. Throws "argument" for integers beyond 64 bits or with a fraction. */
export function toAttributeProto(name: string, value: AttributeValue): AttributeProto {
  if ("opaque" in value) return fromBinary(AttributeProtoSchema, value.opaque);
  const proto = create(AttributeProtoSchema, { name });
  if ("int" in value) {
    proto.type = AttributeType.INT;
    proto.i = toInt64(name, value.int);
  } else if ("float" in value) {
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

type ListValue = Extract<
  AttributeValue,
  { ints: unknown } | { floats: unknown } | { strings: unknown } | { tensors: unknown } | { graphs: unknown }
>;

function fillList(proto: AttributeProto, value: ListValue): void {
  if ("ints" in value) {
    proto.type = AttributeType.INTS;
    proto.ints = value.ints.map((int) => toInt64(proto.name, int));
  } else if ("floats" in value) {
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

/** 2^63, the float64 nearest to INT64_MAX, means INT64_MAX. */
function toInt64(name: string, value: number): bigint {
  if (value === 2 ** 63) return 2n ** 63n - 1n;
  if (Number.isInteger(value) && Math.abs(value) <= 2 ** 63) return BigInt(value);
  throw new CurvatureError("argument", `Attribute "${name}" must be an integer of 64 bits, but is ${value}.`);
}
