import type { Dtype } from "../tensors/index.ts";

/** Element types of ONNX tensors: those of arrays in memory, and those that occur only in files. */
export type ElementType = Dtype | "bfloat16" | NarrowType;

/** Element types without an array in this library: complex numbers, floats of eight bits or less, integers of less than eight. */
export type NarrowType =
  | "complex64"
  | "complex128"
  | "float8e4m3fn"
  | "float8e4m3fnuz"
  | "float8e5m2"
  | "float8e5m2fnuz"
  | "float8e8m0"
  | "float6e2m3"
  | "float6e3m2"
  | "float4e2m1"
  | "int4"
  | "uint4"
  | "int2"
  | "uint2";

const codes: Readonly<Record<ElementType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  complex64: 14,
  complex128: 15,
  bfloat16: 16,
  float8e4m3fn: 17,
  float8e4m3fnuz: 18,
  float8e5m2: 19,
  float8e5m2fnuz: 20,
  uint4: 21,
  int4: 22,
  float4e2m1: 23,
  float8e8m0: 24,
  uint2: 25,
  int2: 26,
  float6e2m3: 27,
  float6e3m2: 28,
};

const types = new Map(Object.entries(codes).map(([type, code]) => [code, type as ElementType]));

/** Number of an element type in TensorProto.DataType. */
export function elementTypeCode(type: ElementType): number {
  return codes[type];
}

/** Element type of a number in TensorProto.DataType; undefined for 0 and for numbers that ONNX has not assigned. */
export function elementTypeOf(code: number): ElementType | undefined {
  return types.get(code);
}
