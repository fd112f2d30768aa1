/** Integer types with several elements per byte, with their number of bits and the array type after unpacking. */
export const packedIntegers = {
  int4: { bits: 4, heldAs: "int8" },
  uint4: { bits: 4, heldAs: "uint8" },
  int2: { bits: 2, heldAs: "int8" },
  uint2: { bits: 2, heldAs: "uint8" },
} as const;

/** An element type smaller than a byte. */
export type PackedType = keyof typeof packedIntegers;

/** Whether an element type has several elements per byte. */
export function isPacked(dtype: string | null): dtype is PackedType {
  return dtype !== null && Object.hasOwn(packedIntegers, dtype);
}

/** Size in bytes of a number of elements. */
export function packedByteLength(type: PackedType, size: number): number {
  return Math.ceil((size * packedIntegers[type].bits) / 8);
}

/** Unpacks elements from bytes. The first element of a byte is in its lowest bits; signed elements are in two's complement. */
export function unpacked(bytes: Uint8Array, { type, size }: { readonly type: PackedType; readonly size: number }) {
  const { bits, heldAs } = packedIntegers[type];
  const perByte = 8 / bits;
  const values = heldAs === "int8" ? new Int8Array(size) : new Uint8Array(size);
  for (let i = 0; i < size; i++) {
    const lowest = (i % perByte) * bits;
    const shifted = bytes[Math.floor(i / perByte)] << (32 - bits - lowest);
    values[i] = heldAs === "int8" ? shifted >> (32 - bits) : shifted >>> (32 - bits);
  }
  return values;
}

/** Packs elements into bytes, the first in the lowest bits; each must fit into the type. */
export function packed(values: ArrayLike<number>, type: PackedType): Uint8Array<ArrayBuffer> {
  const { bits } = packedIntegers[type];
  const perByte = 8 / bits;
  const bytes = new Uint8Array(packedByteLength(type, values.length));
  for (let i = 0; i < values.length; i++) {
    const place = Math.floor(i / perByte);
    bytes[place] = bytes[place] | ((values[i] & (2 ** bits - 1)) << ((i % perByte) * bits));
  }
  return bytes;
}
