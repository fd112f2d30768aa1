import type { Dtype } from "./dtype.ts";

/** The array that holds the elements of each numeric type; booleans are bytes, float16 the 16 bits of each element. */
export const arrayTypes = {
  float16: Uint16Array,
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const;

/** Bytes of one element; of a string, what the reference to it takes; of a type that no array here holds, as of complex numbers, the most there are. */
export function bytesOf(type: Dtype): number {
  if (type === "string") return 32;
  return Object.hasOwn(arrayTypes, type) ? arrayTypes[type].BYTES_PER_ELEMENT : 16;
}
/** Whether arrays of this library hold elements of a type. */
export function isArrayType(type: string): type is Dtype {
  return type === "string" || Object.hasOwn(arrayTypes, type);
}
