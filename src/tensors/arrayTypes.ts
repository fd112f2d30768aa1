import type { Dtype } from "./dtype.ts";

/** The array class for each numeric type. Booleans are bytes; float16 elements are stored as their 16 bits. */
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

/**
 * Bytes of one element. For a string, the size of a reference; for a type without an array here, such as complex numbers, the largest size
 * of any type.
 */
export function bytesOf(type: Dtype): number {
  if (type === "string") return 32;
  return Object.hasOwn(arrayTypes, type) ? arrayTypes[type].BYTES_PER_ELEMENT : 16;
}
/** Whether the arrays of this library can hold elements of a type. */
export function isArrayType(type: string): type is Dtype {
  return type === "string" || Object.hasOwn(arrayTypes, type);
}
