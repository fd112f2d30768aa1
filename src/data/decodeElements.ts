import { CurvatureError } from "../errors/index.ts";
import { formatDims, sizeOf, type TensorData } from "../tensors/index.ts";

/** Numeric element types as a file lays them out, and the array that holds each; float16 as its 16 bits. */
const arrayOf = {
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

/** Element type that `decodeElements` can read. */
export type StoredType = keyof typeof arrayOf;

const hostIsLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Array of decoded elements. */
export type Elements = Exclude<TensorData, readonly string[]>;

/** How a file stores an array. */
export interface Storage {
  readonly dtype: StoredType;
  readonly dims: readonly number[];
  readonly littleEndian: boolean;
  /** Of the file, for messages. */
  readonly name: string;
}

/**
 * Elements stored one after the other in either byte order, as a new array: readers never hand out views on a file.
 *
 * @throws CurvatureError if there are fewer or more bytes than the dimensions need
 */
export function decodeElements(bytes: Uint8Array, { dtype, dims, littleEndian, name }: Storage): Elements {
  const size = arrayOf[dtype].BYTES_PER_ELEMENT;
  const expected = sizeOf(dims) * size;
  if (bytes.length !== expected) {
    throw new CurvatureError(
      "file",
      `${name}: its header announces ${expected} bytes (${formatDims(dims)} ${dtype}), but ${bytes.length} follow; ` +
        (bytes.length < expected ? "the file is truncated" : "expected one array a file"),
    );
  }
  const own = new Uint8Array(bytes);
  if (size > 1 && littleEndian !== hostIsLittleEndian) reverseElements(own, size);
  return new arrayOf[dtype](own.buffer);
}

function reverseElements(bytes: Uint8Array, size: number): void {
  for (let start = 0; start < bytes.length; start += size) {
    for (let low = start, high = start + size - 1; low < high; low++, high--) {
      [bytes[low], bytes[high]] = [bytes[high]!, bytes[low]!];
    }
  }
}
