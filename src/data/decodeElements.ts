import { CurvatureError } from "../errors/index.ts";
import { arrayTypes, formatDims, sizeOf, type TensorData } from "../tensors/index.ts";

/** Element type that `decodeElements` can read. */
export type StoredType = keyof typeof arrayTypes;

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
 * Decodes consecutive elements in either byte order to a new array. Readers never return views of a file.
 *
 * @throws CurvatureError if there are fewer or more bytes than the dimensions need
 */
export function decodeElements(bytes: Uint8Array, { dtype, dims, littleEndian, name }: Storage): Elements {
  const size = arrayTypes[dtype].BYTES_PER_ELEMENT;
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
  return new arrayTypes[dtype](own.buffer);
}

function reverseElements(bytes: Uint8Array, size: number): void {
  for (let start = 0; start < bytes.length; start += size) {
    for (let low = start, high = start + size - 1; low < high; low++, high--) {
      [bytes[low], bytes[high]] = [bytes[high]!, bytes[low]!];
    }
  }
}
